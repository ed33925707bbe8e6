/**
 * The certificates of a listener, chosen by the name that a client asks for: exact name, then wildcard, then the
 * first of the list.
 */
import { X509Certificate } from "node:crypto";
import { splitPem, systemAuthorities } from "./authorities.ts";
import type { KeyPair, TlsListenerConfig } from "./listener-config.ts";

export interface CertificateStore<Context> {
  /** Null: the first certificate is the one. @param name  as the client sent it */
  choose(name: string): Context | null;
}

/** @param createContext  Of every certificate but the first, which is the listener's own. */
export function createCertificateStore<Context>(
  [first, ...others]: readonly KeyPair[],
  createContext: (pair: KeyPair) => Context,
): CertificateStore<Context> {
  const byName = new Map<string, Context | null>();
  const add = (pair: KeyPair, context: Context | null) => {
    for (const name of namesOf(pair.certificate)) if (!byName.has(name)) byName.set(name, context);
  };
  // Where two certificates have a name, the one that stands first serves it.
  if (first !== undefined) add(first, null);
  for (const pair of others) add(pair, createContext(pair));
  return {
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
