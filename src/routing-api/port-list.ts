/**
 * `reservable_ports` of a router group: `1024-1123,2000`, checked in upstream's words.
 */

const LOWEST = 1024;
const HIGHEST = 65_535;
const OUTSIDE = `port must be between ${LOWEST} and ${HIGHEST}`;

interface PortRange {
  readonly first: number;
  readonly last: number;
  /** As upstream prints it: `[1024-1123]`, `2000`. */
  readonly shown: string;
}

/** What is wrong with a list of ports; null when nothing is. */
export function portListProblem(text: string): string | null {
  const ranges: PortRange[] = [];
  for (const item of text.split(",")) {
    const range = readItem(item);
    if (typeof range === "string") return range;
    const other = ranges.find(({ first, last }) => range.first <= last && first <= range.last);
    if (other !== undefined) return `Overlapping values: ${other.shown} and ${range.shown}`;
    ranges.push(range);
  }
  return null;
}

/** One port or one range; or what is wrong with it. */
function readItem(item: string): PortRange | string {
  const [from = "", to, ...more] = item.split("-");
  if (more.length > 0) return `range (${item}) has too many '-' separators`;
  if (to === undefined) {
    const port = portOf(from);
    return port === null || !isInside(port) ? OUTSIDE : { first: port, last: port, shown: String(port) };
  }
  const first = portOf(from);
  const last = portOf(to);
  if (first === null) return `range (${item}) requires a starting port`;
  if (last === null) return `range (${item}) requires an ending port`;
  if (!isInside(first) || !isInside(last)) return OUTSIDE;
  if (first > last) return `range (${item}) must be in ascending numeric order`;
  return { first, last, shown: `[${first}-${last}]` };
}

const portOf = (text: string) => (/^\d+$/.test(text) ? Number(text) : null);

const isInside = (port: number) => port >= LOWEST && port <= HIGHEST;
