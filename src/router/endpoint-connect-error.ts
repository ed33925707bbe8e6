/** What it means that a connection to an endpoint failed: the classes of `http-router` errors, by system code. */
import {
  endpointCertificateInvalid,
  endpointCertificateRequired,
  endpointDialFailed,
  endpointNameMismatch,
  endpointStreamRefused,
  endpointTlsFailed,
} from "../kernel/errors/router.ts";
import type { ViaductError } from "../kernel/index.ts";
import { type Endpoint, endpointAddress } from "../table/index.ts";

/** In the words of the Go runtime, which operators know from gorouter's logs. */
const SYSTEM_TEXTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset by peer",
  EPIPE: "broken pipe",
  ETIMEDOUT: "connection timed out",
  EHOSTUNREACH: "no route to host",
  ENETUNREACH: "network is unreachable",
  ENOTFOUND: "no such host",
  EADDRNOTAVAIL: "cannot assign requested address",
  EMFILE: "too many open files",
};
const NAME_MISMATCH = "ERR_TLS_CERT_ALTNAME_INVALID";
/** OpenSSL's verification results, as `node:tls` names them. */
const UNTRUSTED = new Set([
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "CERT_UNTRUSTED",
  "CERT_REJECTED",
  "CERT_REVOKED",
  "INVALID_CA",
  "INVALID_PURPOSE",
  "PATH_LENGTH_EXCEEDED",
  "CERT_CHAIN_TOO_LONG",
  "CERT_SIGNATURE_FAILURE",
]);
/**
 * Alerts about the certificate that we presented, or did not: bad, unsupported, revoked, expired, unknown, unknown
 * authority, access denied, required (RFC 8446 §6.2).
 */
const ABOUT_OUR_CERTIFICATE = new Set([42, 43, 44, 45, 46, 48, 49, 116]);

export function endpointConnectError(endpoint: Endpoint, cause: Error): ViaductError {
  const address = endpointAddress(endpoint);
  const code = (cause as NodeJS.ErrnoException).code ?? "";
  if (!endpoint.tls || code in SYSTEM_TEXTS) {
    return endpointDialFailed({ endpoint: address, reason: `connect: ${systemErrorText(cause)}` }, cause);
  }
  if (code === NAME_MISMATCH) {
    return endpointNameMismatch({ endpoint: address, san: endpoint.serverCertDomainSan }, cause);
  }
  if (UNTRUSTED.has(code)) return endpointCertificateInvalid({ endpoint: address, reason: code }, cause);
  const refusal = certificateRefused(endpoint, cause);
  if (refusal !== null) return refusal;
  return endpointTlsFailed({ endpoint: address, reason: code || cause.message }, cause);
}

/**
 * The endpoint refused our certificate. In TLS 1.3 it says so only after the handshake has ended on our side; it has
 * not looked at the request then. Null when the error says something else.
 */
export function certificateRefused(endpoint: Endpoint, cause: Error): ViaductError | null {
  if (!endpoint.tls) return null;
  const alert = /SSL alert number (\d+)/.exec(cause.message)?.[1];
  if (alert === undefined || !ABOUT_OUR_CERTIFICATE.has(Number(alert))) return null;
  return endpointCertificateRequired(
    { endpoint: endpointAddress(endpoint), reason: `alert ${alert}` },
    cause,
  );
}

/** We ran out of something ourselves. */
const OUR_OWN = new Set(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EADDRNOTAVAIL"]);

/** A reason to avoid the endpoint. One that refuses a stream is full or about to leave, but well. */
export function isEndpointsFault(error: ViaductError): boolean {
  if (endpointStreamRefused.is(error)) return false;
  return !OUR_OWN.has((error.cause as NodeJS.ErrnoException | undefined)?.code ?? "");
}

/** Nobody had the request, and the machine said so at once: nothing listens there, or what did so is just ending. */
export function isRefused(error: ViaductError): boolean {
  const code = (error.cause as NodeJS.ErrnoException | undefined)?.code;
  return code === "ECONNREFUSED" || (code === "ECONNRESET" && endpointDialFailed.is(error));
}

export function systemErrorText(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  return SYSTEM_TEXTS[code ?? ""] ?? code ?? error.message;
}
