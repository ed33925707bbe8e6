/**
 * Recognises header names without making strings: a name becomes a small number by its length, then its first
 * and last letter, then a full comparison. The parser knows the names that decide framing; a reader adds its own.
 */

/** In this order they are numbers 1, 2, 3 … of every {@link HeaderNames}; 0 is any other name. */
const FRAMING_NAMES = [
  "host",
  "connection",
  "content-length",
  "transfer-encoding",
  "upgrade",
  "expect",
  "trailer",
  "te",
  "keep-alive",
  "proxy-connection",
] as const;

export const OTHER = 0;
export const HOST_NAME = 1;
export const CONNECTION = 2;
export const CONTENT_LENGTH = 3;
export const TRANSFER_ENCODING = 4;
export const UPGRADE = 5;
export const EXPECT = 6;
export const TRAILER = 7;
export const TE = 8;
export const KEEP_ALIVE = 9;
export const PROXY_CONNECTION = 10;

interface Known {
  readonly name: string;
  readonly first: number;
  readonly last: number;
  readonly id: number;
}
const NONE: readonly Known[] = [];

export class HeaderNames {
  /** Known names by their length. */
  readonly #byLength: (readonly Known[])[] = [];
  readonly #names: readonly string[];

  /** @param names  lower case; `names[0]` becomes the first number after the framing names. */
  constructor(names: readonly string[]) {
    this.#names = [...FRAMING_NAMES, ...names];
    const longest = Math.max(...this.#names.map((name) => name.length));
    for (let length = 0; length <= longest; length++) {
      this.#byLength.push(
        this.#names.flatMap((name, index) =>
          name.length === length
            ? [{ name, first: name.charCodeAt(0), last: name.charCodeAt(length - 1), id: index + 1 }]
            : [],
        ),
      );
    }
  }

  /** How many numbers there are, {@link OTHER} included. */
  get size(): number {
    return this.#names.length + 1;
  }

  /** The number of a lower-case name, or {@link OTHER}. */
  id(name: string): number {
    return this.#names.indexOf(name) + 1;
  }

  /** The number of the name at `text[start, end)`, in any case; {@link OTHER} when it is none of the known. */
  find(text: string, start: number, end: number): number {
    const length = end - start;
    const known = this.#byLength[length] ?? NONE;
    for (let i = 0; i < known.length; i++) {
      const candidate = known[i] as Known;
      if (
        (text.charCodeAt(start) | 0x20) === candidate.first &&
        (text.charCodeAt(end - 1) | 0x20) === candidate.last &&
        equalsIgnoringCase(text, start, end, candidate.name)
      ) {
        return candidate.id;
      }
    }
    return OTHER;
  }
}

/** Compares `text[start, end)` with a lower-case name. Right for letters, digits and «-», all that names hold. */
export function equalsIgnoringCase(text: string, start: number, end: number, lowerCase: string): boolean {
  if (end - start !== lowerCase.length) return false;
  for (let i = 0; i < lowerCase.length; i++) {
    const have = text.charCodeAt(start + i);
    const want = lowerCase.charCodeAt(i);
    if (have !== want && (have < 65 || have > 90 || have + 32 !== want)) return false;
  }
  return true;
}
