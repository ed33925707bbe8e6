/** `verify_client_certificate_metadata`: which names certificates of certain authorities may have. */
import type { X509Certificate } from "node:crypto";
import type { CertificateRule, Subject } from "./listener-config.ts";

/** Longest chain that is followed; real ones have three or four. */
const MAX_CHAIN = 10;

/**
 * @param sent  What the client sent with its own.
 * @param pool  The authorities that the listener trusts.
 * @returns why a verified certificate is refused; null when it is not
 */
export function ruleAgainst(
  leaf: X509Certificate,
  sent: readonly X509Certificate[],
  pool: readonly X509Certificate[],
  rules: readonly CertificateRule[],
): string | null {
  const chain = chainOf(leaf, sent, pool);
  if (chain === null) return "its chain cannot be followed to a trusted authority";
  const subject = subjectOf(leaf);
  for (const { authority, subjects } of rules) {
    const applies = chain.some((certificate) => isSame(subjectOf(certificate), authority));
    if (applies && !subjects.some((allowed) => isSame(allowed, subject))) {
      return `subject not in the list of allowed subjects for CA Subject "${showSubject(authority)}": "${showSubject(subject)}"`;
    }
  }
  return null;
}

/**
 * The certificate and every authority above it, in all ways there are. Only signatures count: a client may send
 * certificates that have the names of others, to lead away from the authority that a rule is about. Null when no
 * way ends in the pool.
 */
function chainOf(
  leaf: X509Certificate,
  sent: readonly X509Certificate[],
  pool: readonly X509Certificate[],
): X509Certificate[] | null {
  const chain = [leaf];
  let isAnchored = false;
  for (let i = 0; i < chain.length && chain.length <= MAX_CHAIN; i++) {
    const certificate = chain[i] as X509Certificate;
    const trusted = pool.filter((issuer) => isIssuedBy(certificate, issuer));
    isAnchored ||= trusted.length > 0;
    for (const issuer of [...trusted, ...sent.filter((issuer) => isIssuedBy(certificate, issuer))]) {
      const known = chain.find(({ fingerprint256 }) => fingerprint256 === issuer.fingerprint256);
      if (known === undefined) chain.push(issuer);
    }
  }
  return isAnchored && chain.length <= MAX_CHAIN ? chain : null;
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

export function subjectOf(certificate: X509Certificate): Subject {
  const subject: Readonly<Record<string, string | string[] | undefined>> = {
    ...certificate.toLegacyObject().subject,
  };
  return Object.fromEntries(
    Object.entries(subject).map(([name, value]) => [name, [value ?? ""].flat().toSorted()]),
  );
}

/** In any order, with the same values. */
export function isSame(a: Subject, b: Subject): boolean {
  return showSubject(a) === showSubject(b);
}

/** `CN=router,O=Example`, in the order of the alphabet. */
export function showSubject(subject: Subject): string {
  return Object.keys(subject)
    .toSorted()
    .flatMap((name) =>
      (subject[name] ?? []).map((value) => `${name}=${value.replaceAll(/[,\\"=+]/g, "\\$&")}`),
    )
    .join(",");
}
