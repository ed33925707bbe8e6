/**
 * What the router needs to send requests to route services: the keys of signatures, who may be reached in the
 * process, which networks services may be in, and the TLS connection to one.
 */
import { isIP, type Socket } from "node:net";
import { type ConnectionOptions, connect as tlsConnect, type SecureContext } from "node:tls";
import { routeServiceAddressRefused } from "../../kernel/errors/route-services.ts";
import type { RouterConfig } from "../config.ts";
import { endpointContext } from "../tls/endpoint-context.ts";
import { createAllowlist } from "./allowlist.ts";
import { createEgressPolicy, type EgressPolicy, guardedLookup } from "./egress.ts";
import { createSigner, type Signer } from "./signature.ts";
import type { ServiceTarget } from "./target.ts";

export class RouteServices {
  readonly signer: Signer;
  /** Signatures are checked also on routes without a service. */
  readonly isStrict: boolean;
  readonly timeoutMs: number;
  /** What services are told to send requests back by. */
  readonly scheme: "http" | "https";
  readonly #config: RouterConfig;
  readonly #mayHairpin: (host: string) => boolean;
  readonly #egress: EgressPolicy;
  /** Made at the first use, because it reads every root certificate. */
  #tls: SecureContext | null = null;

  constructor(config: RouterConfig) {
    this.#config = config;
    this.signer = createSigner(config.routeServicesSecret, config.routeServicesSecretDecryptOnly);
    this.isStrict = config.routeServicesStrictSignatures;
    this.timeoutMs = config.routeServicesTimeoutMs;
    this.scheme = config.routeServicesRecommendHttps ? "https" : "http";
    const allowlist = createAllowlist(config.routeServicesHairpinningAllowlist);
    this.#mayHairpin = config.routeServicesHairpinning ? allowlist.allows : () => false;
    this.#egress = createEgressPolicy(config.routeServicesAllowedNetworks);
  }

  /** The service may be served from our own table, where it is in there. */
  mayHairpin(service: ServiceTarget): boolean {
    return this.#mayHairpin(service.hostname);
  }

  /**
   * @param options  What all upstream connections have.
   * @throws routeServiceAddressRefused; for a name it comes as the socket's error
   */
  dial(service: ServiceTarget, options: ConnectionOptions): Socket {
    const { hostname, port, host, serverName } = service;
    if (isIP(hostname) !== 0 && !this.#egress.allows(hostname)) {
      throw routeServiceAddressRefused({ service: host });
    }
    return tlsConnect({
      ...options,
      host: hostname,
      port,
      ...(serverName === "" ? {} : { servername: serverName }),
      secureContext: this.#secureContext(),
      rejectUnauthorized: this.#config.verifyEndpointCertificates,
      lookup: guardedLookup(this.#egress, host),
    });
  }

  #secureContext(): SecureContext {
    const {
      endpointCaCertificates,
      routeServicesCertChain: certificate,
      routeServicesPrivateKey,
    } = this.#config;
    // As towards endpoints, with another certificate of our own.
    this.#tls ??= endpointContext({
      endpointCaCertificates,
      endpointClientCertificate: certificate === "" ? null : { certificate, key: routeServicesPrivateKey },
    });
    return this.#tls;
  }
}

/** Null without a secret. */
export function createRouteServices(config: RouterConfig): RouteServices | null {
  return config.routeServicesSecret === "" ? null : new RouteServices(config);
}
