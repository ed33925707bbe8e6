/**
 * The certificates of a listener, chosen by the name that a client asks for: exact name, then wildcard, then the
 * first of the list.
 */
import { X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import { systemAuthorities, splitPem } from "./authorities.ts";
import type { KeyPair, TlsListenerConfig } from "./listener-config.ts";
import { TLS13_SUITES } from "./cipher-suites.ts";

/** Versions that OpenSSL speaks only when it is told that weakness is wanted. */
const OLD_VERSIONS: readonly string[] = ["TLSv1", "TLSv1.1"];
/** Sessions of one listener may be resumed whatever its certificate; OpenSSL wants a name for that. */
const SESSION_CONTEXT = "viaduct";

export interface CertificateStore {
  /** Of the first certificate. */
  readonly fallback: SecureContextOptions;
  /** Null: the fallback is the one. @param name  as the client sent it */
  choose(name: string): SecureContext | null;
}

export function createCertificateStore(config: TlsListenerConfig): CertificateStore {
  const common = contextOptions(config);
  const [first, ...others] = config.certificates;
  const byName = new Map<string, SecureContext | null>();
  const add = (pair: KeyPair, context: SecureContext | null) => {
    for (const name of namesOf(pair.certificate)) if (!byName.has(name)) byName.set(name, context);
  };
  // Where two certificates have a name, the one that stands first serves it.
  if (first !== undefined) add(first, null);
  for (const pair of others) add(pair, createSecureContext({ ...common, ...credentials(pair) }));
  return {
    fallback: { ...common, ...(first === undefined ? {} : credentials(first)) },
    choose(given) {
      const name = given.toLowerCase().replace(/\.$/, "");
      const exact = byName.get(name);
      if (exact !== undefined) return exact;
      // A wildcard stands for exactly one label (RFC 9525 §6.3).
      const dot = name.indexOf(".");
      return dot === -1 ? null : (byName.get(`*${name.slice(dot)}`) ?? null);
    },
  };
}

/** Whose certificates clients may present, as PEM texts. */
export function clientAuthoritiesOf(config: TlsListenerConfig): readonly string[] {
  const own = splitPem(config.clientAuthorities);
  return config.trustsSystemAuthorities ? [...systemAuthorities(), ...own] : own;
}

function contextOptions(config: TlsListenerConfig): SecureContextOptions {
  const isOld = OLD_VERSIONS.includes(config.minVersion);
  const suites = config.cipherSuites;
  // As in Go, a list without suites of TLS 1.3 does not turn that version off.
  const all = suites.some((name) => name.startsWith("TLS_")) ? suites : [...TLS13_SUITES, ...suites];
  return {
    minVersion: config.minVersion,
    maxVersion: config.maxVersion,
    ...(suites.length === 0 ? {} : { ciphers: [...all, ...(isOld ? ["@SECLEVEL=0"] : [])].join(":") }),
    ...(config.clientCertificates === "none" ? {} : { ca: [...clientAuthoritiesOf(config)] }),
    honorCipherOrder: true,
    sessionIdContext: SESSION_CONTEXT,
  };
}

const credentials = (pair: KeyPair) => ({ cert: pair.certificate, key: pair.key });

/** Lower case; the common name counts only where there are no alternative names. */
function namesOf(pem: string): string[] {
  const certificate = new X509Certificate(pem);
  const names = [...(certificate.subjectAltName ?? "").matchAll(/(?:^|, )DNS:([^,"]+)/g)].map(
    ([, name = ""]) => name,
  );
  if (certificate.subjectAltName === undefined) {
    const commonName = /^CN=(.+)$/m.exec(certificate.subject)?.[1];
    if (commonName !== undefined) names.push(commonName);
  }
  return names.map((name) => name.toLowerCase());
}
