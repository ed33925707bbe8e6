/** Which hosts of route services may be served from the router's own table: `service.example.com`, `*.example.com`. */

const LABEL = "[a-z0-9](?:[a-z0-9-]*[a-z0-9])?";
const ENTRY = new RegExp(`^(?:\\*|${LABEL})(?:\\.${LABEL})+$`, "i");

export interface Allowlist {
  /** @param host  Lower-case, without port. */
  allows(host: string): boolean;
}

/** The sentence for an entry that is none, or null. */
export function allowlistProblem(entry: string): string | null {
  if (ENTRY.test(entry)) return null;
  return (
    `invalid route service hairpinning allowlist entry: ${entry}. ` +
    "Must be wildcard (*.domain.com) or FQDN (hostname.domain.com)"
  );
}

/** @param entries  Without problems; none allow every host. */
export function createAllowlist(entries: readonly string[]): Allowlist {
  const allowed = new Set(entries.map((entry) => entry.toLowerCase()));
  return {
    // The star stands for one label.
    allows: (host) =>
      allowed.size === 0 || allowed.has(host) || allowed.has(`*${host.slice(host.indexOf("."))}`),
  };
}
