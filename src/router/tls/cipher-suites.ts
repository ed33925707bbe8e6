/**
 * `cipher_suites` as gorouter reads it: a colon-separated list in which every suite may have the name of OpenSSL or
 * that of Go (the RFCs' name).
 */
import { DEFAULT_CIPHERS, getCiphers, type SecureVersion } from "node:tls";

/** OpenSSL's name, Go's name; in the order in which a refusal lists them. */
const SUITES: readonly (readonly [openssl: string, go: string])[] = [
  ["RC4-SHA", "TLS_RSA_WITH_RC4_128_SHA"],
  ["DES-CBC3-SHA", "TLS_RSA_WITH_3DES_EDE_CBC_SHA"],
  ["AES128-SHA", "TLS_RSA_WITH_AES_128_CBC_SHA"],
  ["AES256-SHA", "TLS_RSA_WITH_AES_256_CBC_SHA"],
  ["AES128-SHA256", "TLS_RSA_WITH_AES_128_CBC_SHA256"],
  ["AES128-GCM-SHA256", "TLS_RSA_WITH_AES_128_GCM_SHA256"],
  ["AES256-GCM-SHA384", "TLS_RSA_WITH_AES_256_GCM_SHA384"],
  ["ECDHE-ECDSA-RC4-SHA", "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA"],
  ["ECDHE-ECDSA-AES128-SHA", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"],
  ["ECDHE-ECDSA-AES256-SHA", "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"],
  ["ECDHE-RSA-RC4-SHA", "TLS_ECDHE_RSA_WITH_RC4_128_SHA"],
  ["ECDHE-RSA-DES-CBC3-SHA", "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA"],
  ["ECDHE-RSA-AES128-SHA", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"],
  ["ECDHE-RSA-AES256-SHA", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"],
  ["ECDHE-ECDSA-AES128-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"],
  ["ECDHE-RSA-AES128-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"],
  ["ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"],
  ["ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"],
  ["ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"],
  ["ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"],
  ["ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305"],
  ["ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305"],
];
/** Of TLS 1.3: one name in both worlds, and always offered when that version is. */
export const TLS13_SUITES = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
] as const;

/** Versions that OpenSSL speaks only when it is told that weakness is wanted. */
const OLD_VERSIONS: readonly SecureVersion[] = ["TLSv1", "TLSv1.1"];

/** What a listener offers, in OpenSSL's words. @param suites  Empty: the runtime's choice */
export function offeredCiphers(suites: readonly string[], minVersion: SecureVersion): string {
  if (suites.length === 0) return DEFAULT_CIPHERS;
  // As in Go, a list without suites of TLS 1.3 does not turn that version off.
  const all = suites.some(isTls13Suite) ? suites : [...TLS13_SUITES, ...suites];
  return [...all, ...(OLD_VERSIONS.includes(minVersion) ? ["@SECLEVEL=0"] : [])].join(":");
}

/** OpenSSL itself wants them apart. */
export function splitCiphers(offered: string): { readonly before13: string; readonly of13: string } {
  const names = offered.split(":");
  return {
    before13: names.filter((name) => !isTls13Suite(name)).join(":"),
    of13: names.filter(isTls13Suite).join(":"),
  };
}

const isTls13Suite = (name: string) => name.startsWith("TLS_");

/** Every name that may be written. */
export const CIPHER_SUITE_NAMES: readonly string[] = [
  ...SUITES.map(([openssl]) => openssl),
  ...SUITES.map(([, go]) => go),
  ...TLS13_SUITES,
];

const byName: ReadonlyMap<string, string> = new Map([
  ...SUITES.flatMap(([openssl, go]) => [[openssl, openssl] as const, [go, openssl] as const]),
  ...TLS13_SUITES.map((name) => [name, name] as const),
]);
const offered = new Set(getCiphers().map((name) => name.toUpperCase()));

/** OpenSSL's names of the suites in the list, or what is wrong with it. */
export function parseCipherSuites(
  list: string,
): { readonly suites: readonly string[] } | { readonly problem: string } {
  const suites: string[] = [];
  for (const name of list.split(":")) {
    const openssl = byName.get(name);
    if (openssl === undefined) {
      return {
        problem: `Invalid cipher string configuration: ${name}, please choose from [${CIPHER_SUITE_NAMES.join(" ")}]`,
      };
    }
    if (!offered.has(openssl)) {
      return { problem: `${name} is too weak for the OpenSSL in use, which cannot speak it; remove it` };
    }
    if (!suites.includes(openssl)) suites.push(openssl);
  }
  return { suites };
}
