/**
 * Recognises header names without making strings: a name becomes a small number by its length, then by comparison with
 * the known ones of that length, from behind. The parser knows the names that decide framing; a reader adds its own.
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
  /** Lower case. */
  readonly name: Uint8Array;
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
          name.length === length ? [{ name: Buffer.from(name, "latin1"), id: index + 1 }] : [],
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

  /** The number of the name at `bytes[start, end)`, in any case; {@link OTHER} when it is none of the known. */
  find(bytes: Uint8Array, start: number, end: number): number {
    const known = this.#byLength[end - start] ?? NONE;
    for (let i = 0; i < known.length; i++) {
      const { name, id } = known[i] as Known;
      if (isName(bytes, start, name)) return id;
    }
    return OTHER;
  }
}

/** Right for letters, digits and «-», all that names hold. The last letters tell most names of a length apart. */
function isName(bytes: Uint8Array, start: number, name: Uint8Array): boolean {
  for (let i = name.length - 1; i >= 0; i--) {
    const have = bytes[start + i] as number;
    const want = name[i] as number;
    if (have !== want && (have < 65 || have > 90 || have + 32 !== want)) return false;
  }
  return true;
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
