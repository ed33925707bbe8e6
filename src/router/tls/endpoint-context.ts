import { createSecureContext, type SecureContext } from "node:tls";
import { splitPem, systemAuthorities } from "./authorities.ts";
import type { KeyPair } from "./listener-config.ts";

/** Whom we trust among endpoints, and what we present to those that ask. */
export function endpointContext(config: {
  readonly endpointCaCertificates: readonly string[];
  readonly endpointClientCertificate: KeyPair | null;
}): SecureContext {
  const pair = config.endpointClientCertificate;
  return createSecureContext({
    ca: [...systemAuthorities(), ...splitPem(config.endpointCaCertificates)],
    ...(pair === null ? {} : { cert: pair.certificate, key: pair.key }),
  });
}
