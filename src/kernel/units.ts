/**
 * Human forms at the edge, numbers with units inside: "30s" ⇄ 30000 ms, "16 KiB" ⇄ 16384 bytes.
 */

const DURATION_UNITS_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};
const DURATION = /^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/;
const DURATION_PART = /(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g;

/** Milliseconds of a Go-style duration (`30s`, `1m30s`, `500ms`, `0`), or null when it is none. */
export function parseDurationMs(text: string): number | null {
  if (text === "0") return 0;
  if (!DURATION.test(text)) return null;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(DURATION_PART)) {
    total += Number(amount) * (DURATION_UNITS_MS[unit ?? ""] ?? 0);
  }
  return total;
}

const BYTE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
};

/** Bytes of `16 KiB`, `1MB`, `512 B`; null when it is none of these. */
export function parseBytes(text: string): number | null {
  const match = /^(\d+)\s*(B|KiB|MiB|GiB|kB|KB|MB|GB)$/i.exec(text.trim());
  if (match === null) return null;
  const unit = BYTE_UNITS[(match[2] ?? "").toUpperCase()];
  return unit === undefined ? null : Number(match[1]) * unit;
}

/** The candidate with the fewest edits from `name`, when it is near enough to be a typing mistake. */
export function nearestName(name: string, candidates: readonly string[]): string | null {
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitute = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(substitute, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    previous = row;
  }
  return previous[b.length] ?? 0;
}
