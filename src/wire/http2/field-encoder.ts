/**
 * HPACK, the writing side (RFC 7541): a field that repeats becomes one byte. What repeats is learnt: a value seen for the
 * second time goes into the dynamic table. Values that vary by nature never do, and secrets are marked so that no hop
 * behind us compresses them either (RFC 7541 §7.1).
 */
import type { Output } from "./output.ts";
import { FIELD_OVERHEAD_BYTES, STATIC_NAMES, STATIC_SIZE, STATIC_VALUES } from "./static-table.ts";
import type { FieldList } from "./types.ts";

/** More than the default is not used, whatever the peer offers: the table is memory of each connection. */
const MAX_TABLE_BYTES = 4_096;
/** A larger one would drive out most of what the table has. */
const MAX_KEPT_FIELD_BYTES = 1_024;
/** Names that a connection remembers; others are written out. */
const MAX_KNOWN_NAMES = 128;
const MAX_KNOWN_NAME_LENGTH = 64;
/** Values of one name in the table, and fingerprints of those that were seen once. */
const VALUES_PER_NAME = 4;
/** The longest integer: prefix and four bytes more. */
const MAX_INTEGER_BYTES = 5;

const NEVER_INDEXED = new Set(["authorization", "proxy-authorization", "cookie", "set-cookie"]);
/** Different in nearly every message. */
const VARYING = new Set([
  "content-length",
  "content-range",
  "etag",
  "if-modified-since",
  "if-none-match",
  "last-modified",
  "traceparent",
  "x-b3-spanid",
  "x-b3-traceid",
  "x-request-id",
  "x-request-start",
  "x-vcap-request-id",
]);

const LEARN = 0;
const PLAIN = 1;
const NEVER = 2;

const INDEXED = 0x80;
const WITH_INDEXING = 0x40;
const WITHOUT_INDEXING = 0;
const NEVER_INDEXING = 0x10;
const TABLE_SIZE_UPDATE = 0x20;

/** First and last row of each name in the static table, whose rows of one name are neighbours. */
const STATIC_ROWS: ReadonlyMap<string, { readonly first: number; readonly last: number }> = new Map(
  STATIC_NAMES.slice(1).map((name) => [
    name,
    { first: STATIC_NAMES.indexOf(name), last: STATIC_NAMES.lastIndexOf(name) },
  ]),
);

/** What a connection knows about a name. */
class KnownName {
  readonly name: string;
  readonly treatment: number;
  /** Rows of the static table; 0 and -1 when there are none. */
  readonly firstRow: number;
  readonly lastRow: number;
  /** Values that were put into the dynamic table, and their numbers there; perhaps evicted since. */
  readonly values: string[] = [];
  readonly numbers: number[] = [];
  readonly seen: number[] = [];
  nextValue = 0;
  nextSeen = 0;

  constructor(name: string) {
    this.name = name;
    this.treatment = NEVER_INDEXED.has(name) ? NEVER : VARYING.has(name) ? PLAIN : LEARN;
    const rows = STATIC_ROWS.get(name);
    this.firstRow = rows?.first ?? 0;
    this.lastRow = rows?.last ?? -1;
  }
}

export class FieldEncoder {
  /** By name as the caller spells it. */
  readonly #known = new Map<string, KnownName>();
  /** Fields are numbered as they come into the table: from `#oldest` to `#next` − 1 are in it, with these sizes. */
  #sizes: number[] = [];
  #oldest = 0;
  #next = 0;
  #tableBytes = 0;
  #maxTableBytes = MAX_TABLE_BYTES;
  /** The least and the last size that the next block must announce; -1 when there is nothing to say. */
  #leastToAnnounce = -1;

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  limitTable(bytes: number): void {
    const limit = Math.min(bytes, MAX_TABLE_BYTES);
    if (limit === this.#maxTableBytes) return;
    this.#maxTableBytes = limit;
    this.#leastToAnnounce = this.#leastToAnnounce === -1 ? limit : Math.min(this.#leastToAnnounce, limit);
    this.#evictTo(limit);
  }

  /** Appends the header block of some fields, whose names may be in any case. */
  encode(fields: FieldList, output: Output): void {
    if (this.#leastToAnnounce !== -1) this.#announceTableSize(output);
    for (let i = 0; i < fields.length; i += 2) {
      const spelled = fields[i] as string;
      const value = fields[i + 1] as string;
      const known = this.#known.get(spelled) ?? this.#learnName(spelled);
      output.reserve(spelled.length + value.length + 3 * MAX_INTEGER_BYTES);
      if (known === null) writeLiteral(output, WITHOUT_INDEXING, 0, 0x0f, spelled.toLowerCase(), value);
      else this.#encodeField(known, value, output);
    }
  }

  #encodeField(known: KnownName, value: string, output: Output): void {
    for (let row = known.firstRow; row <= known.lastRow; row++) {
      if (STATIC_VALUES[row] === value) {
        writeInteger(output, INDEXED, 0x7f, row);
        return;
      }
    }
    const { values, numbers, name } = known;
    let numberOfName = -1;
    for (let i = 0; i < values.length; i++) {
      const number = numbers[i] as number;
      if (number < this.#oldest) continue;
      if (values[i] === value) {
        writeInteger(output, INDEXED, 0x7f, this.#indexOf(number));
        return;
      }
      numberOfName = number;
    }
    const nameIndex =
      known.firstRow !== 0 ? known.firstRow : numberOfName === -1 ? 0 : this.#indexOf(numberOfName);
    if (known.treatment === LEARN && this.#isWorthKeeping(known, value)) {
      writeLiteral(output, WITH_INDEXING, nameIndex, 0x3f, name, value);
      this.#keep(known, value);
    } else {
      const form = known.treatment === NEVER ? NEVER_INDEXING : WITHOUT_INDEXING;
      writeLiteral(output, form, nameIndex, 0x0f, name, value);
    }
  }

  /** Seen before, as far as a fingerprint can tell: a mistake only costs a row of the table. */
  #isWorthKeeping(known: KnownName, value: string): boolean {
    const { length } = value;
    if (fieldBytes(known.name, value) > MAX_KEPT_FIELD_BYTES) return false;
    const { seen } = known;
    let print = length;
    print = (print * 31 + value.charCodeAt(0)) | 0;
    print = (print * 31 + value.charCodeAt(length >> 2)) | 0;
    print = (print * 31 + value.charCodeAt(length >> 1)) | 0;
    print = (print * 31 + value.charCodeAt(length - 2)) | 0;
    print = (print * 31 + value.charCodeAt(length - 1)) | 0;
    for (let i = 0; i < seen.length; i++) if (seen[i] === print) return true;
    seen[known.nextSeen] = print;
    known.nextSeen = (known.nextSeen + 1) % VALUES_PER_NAME;
    return false;
  }

  #keep(known: KnownName, value: string): void {
    const bytes = fieldBytes(known.name, value);
    this.#evictTo(this.#maxTableBytes - bytes);
    if (bytes > this.#maxTableBytes) return;
    known.values[known.nextValue] = flatCopy(value);
    known.numbers[known.nextValue] = this.#next++;
    known.nextValue = (known.nextValue + 1) % VALUES_PER_NAME;
    this.#sizes.push(bytes);
    this.#tableBytes += bytes;
  }

  #evictTo(bytes: number): void {
    while (this.#tableBytes > bytes && this.#oldest < this.#next) {
      this.#tableBytes -= this.#sizes.shift() as number;
      this.#oldest++;
    }
  }

  #indexOf(number: number): number {
    return STATIC_SIZE + this.#next - number;
  }

  #learnName(spelled: string): KnownName | null {
    if (this.#known.size >= MAX_KNOWN_NAMES || spelled.length > MAX_KNOWN_NAME_LENGTH) return null;
    const copy = flatCopy(spelled);
    const name = copy.toLowerCase();
    // Two spellings of a name are one name in the table.
    const known = this.#known.get(name) ?? new KnownName(name);
    this.#known.set(copy, known);
    return known;
  }

  #announceTableSize(output: Output): void {
    output.reserve(2 * MAX_INTEGER_BYTES);
    if (this.#leastToAnnounce < this.#maxTableBytes) {
      writeInteger(output, TABLE_SIZE_UPDATE, 0x1f, this.#leastToAnnounce);
    }
    writeInteger(output, TABLE_SIZE_UPDATE, 0x1f, this.#maxTableBytes);
    this.#leastToAnnounce = -1;
  }
}

const fieldBytes = (name: string, value: string) => name.length + value.length + FIELD_OVERHEAD_BYTES;

/** Without what the string may be a window onto, which would live as long as the connection. */
const flatCopy = (text: string) => Buffer.from(text, "latin1").toString("latin1");

/** @param nameIndex  0 when the name is written out. */
function writeLiteral(
  output: Output,
  form: number,
  nameIndex: number,
  mask: number,
  name: string,
  value: string,
): void {
  writeInteger(output, form, mask, nameIndex);
  if (nameIndex === 0) writeString(output, name);
  writeString(output, value);
}

function writeString(output: Output, text: string): void {
  writeInteger(output, 0, 0x7f, text.length);
  output.text(text);
}

/** An integer in the low bits of a byte with `form` in the others (RFC 7541 §5.1). */
function writeInteger(output: Output, form: number, mask: number, value: number): void {
  const { bytes } = output;
  if (value < mask) {
    bytes[output.size++] = form | value;
    return;
  }
  bytes[output.size++] = form | mask;
  let rest = value - mask;
  for (; rest >= 0x80; rest >>>= 7) bytes[output.size++] = (rest & 0x7f) | 0x80;
  bytes[output.size++] = rest;
}
