/** `X-Forwarded-Client-Cert`: what the router says to endpoints about the client's certificate. */

export const CLIENT_CERT_MODES = ["always_forward", "forward", "sanitize_set"] as const;
export type ForwardedClientCert = (typeof CLIENT_CERT_MODES)[number];

/** Decided once per connection from a client. */
export interface ClientCertHeader {
  /** What the client sent goes on: somebody in front of us, who is trusted, has said it. */
  readonly keepsGiven: boolean;
  /** Our own line with its CRLF; "" without one. */
  readonly line: string;
}

const KEEP_GIVEN: ClientCertHeader = Object.freeze({ keepsGiven: true, line: "" });
const REMOVE: ClientCertHeader = Object.freeze({ keepsGiven: false, line: "" });

/**
 * @param certificate  DER of the certificate that the client presented over TLS, in base64; "" when there is none.
 */
export function clientCertHeader(mode: ForwardedClientCert, certificate: string): ClientCertHeader {
  switch (mode) {
    case "always_forward":
      return KEEP_GIVEN;
    case "forward":
      return certificate === "" ? REMOVE : KEEP_GIVEN;
    case "sanitize_set":
      return certificate === ""
        ? REMOVE
        : { keepsGiven: false, line: `X-Forwarded-Client-Cert: ${certificate}\r\n` };
    default:
      return mode satisfies never;
  }
}

/**
 * The same for what comes back from a route service with a good signature. The certificate on this connection is the
 * service's; what is said of the client's has been said by the router that sent the request there. In the mode that
 * believes whoever presents a certificate, that would be the service's word, and goes.
 */
export function certHeaderAfterService(
  client: { readonly certHeader: ClientCertHeader; readonly usesTls: boolean },
  mode: ForwardedClientCert,
): ClientCertHeader {
  if (mode === "forward") return REMOVE;
  return client.usesTls ? KEEP_GIVEN : client.certHeader;
}
