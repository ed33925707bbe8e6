/** Sizes as manifests write them: `512M`, `1.5 GB`. */

export const SIZE_PROBLEM = "must use a supported unit: B, K, KB, M, MB, G, GB, T, or TB";

const UNITS: Readonly<Record<string, number>> = { B: 2 ** -20, K: 2 ** -10, M: 1, G: 2 ** 10, T: 2 ** 20 };

/** In MiB; null for what has no unit, or is no size at all. Whole, except below 1. */
export function parseMegabytes(value: unknown): number | null {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)\s*([BKMGT])B?$/i.exec(String(value)) ?? [];
  const size = Number(number) * (UNITS[unit.toUpperCase()] ?? Number.NaN);
  if (Number.isNaN(size)) return null;
  return size < 1 ? size : Math.round(size);
}
