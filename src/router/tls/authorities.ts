import { getCACertificates, rootCertificates } from "node:tls";

let known: readonly string[] | undefined;

/** What this machine trusts, as PEM texts; the runtime's own list where the machine keeps none. Read once. */
export function systemAuthorities(): readonly string[] {
  known ??= orElse(getCACertificates("system"), rootCertificates);
  return known;
}

const orElse = (some: readonly string[], others: readonly string[]) => (some.length > 0 ? some : others);

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificates in PEM texts, one by one. */
export function splitPem(texts: readonly string[]): string[] {
  return texts.flatMap((text) => text.match(CERTIFICATE) ?? []);
}
