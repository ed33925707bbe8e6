/**
 * The words of the registrar.
 */

/** One thing that is to be reached through the routers. What is left out takes the default. */
export interface RegistrarRoute {
  readonly name: string;
  readonly uris: readonly string[];
  readonly registrationIntervalMs: number;
  /** IP or name the routers connect to; left out, the registrar's own. */
  readonly host?: string;
  /** Plain port. */
  readonly port?: number;
  /** TLS port; routers prefer it. */
  readonly tlsPort?: number;
  /** Expected SAN of the certificate behind the TLS port. */
  readonly serverCertDomainSan?: string;
  readonly protocol?: "http1" | "http2";
  readonly tags?: Readonly<Record<string, string>>;
  /** `https://…` */
  readonly routeServiceUrl?: string;
  readonly options?: Readonly<Record<string, unknown>>;
  /** Who among apps may call it; handed to the routers as it is. */
  readonly allowedSources?: Readonly<Record<string, unknown>>;
  /** Registered only while this succeeds. */
  readonly healthCheck?: HealthCheck;
}

export interface HealthCheck {
  readonly name: string;
  /** Run by `/bin/sh -c`; exit status 0 is healthy. */
  readonly scriptPath: string;
  readonly timeoutMs: number;
}
