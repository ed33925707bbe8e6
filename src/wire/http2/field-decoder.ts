/**
 * HPACK, the reading side (RFC 7541): header blocks become lists of fields. Strings of the tables are handed out as they
 * are, so that a request like the last one makes no new ones.
 *
 *   dynamic table, a ring: number 62 is the newest, evicted from the other end
 *   ┌───┬───┬───┬───┬───┬───┬───┬───┐
 *   │   │   │ e │ d │ c │ b │ a │   │      a: #newest, e: the next to go, 5: #count
 *   └───┴───┴───┴───┴───┴───┴───┴───┘
 */
import { http2CompressionFailed } from "../../kernel/errors/http2.ts";
import { headTooLarge, tooManyHeaders } from "../../kernel/errors/wire.ts";
import type { ViaductError } from "../../kernel/index.ts";
import { BAD_VALUE, COOKIE, judgeField } from "./field-rules.ts";
import { decodeHuffman } from "./huffman.ts";
import { FIELD_OVERHEAD_BYTES, STATIC_NAMES, STATIC_SIZE, STATIC_VALUES } from "./static-table.ts";
import type { FieldList, Http2Limits } from "./types.ts";

/** What we announce, by not saying otherwise: the default of SETTINGS_HEADER_TABLE_SIZE. */
export const MAX_TABLE_BYTES = 4_096;
const FIRST_ROOM = 16;
/** Judgements kept for the next block. */
const MAX_KEPT_FIELDS = 128;
/** Integers stay below 2^28: four bytes after the prefix, however many of them say nothing. */
const MAX_INTEGER_SHIFT = 21;

const STATIC_JUDGEMENTS = Uint8Array.from(STATIC_NAMES, (name, i) =>
  judgeField(name, STATIC_VALUES[i] as string),
);

const EMPTY: Buffer = Buffer.alloc(0);

const truncated = () => http2CompressionFailed({ reason: "it ends within a field" });

export class FieldDecoder {
  /** Why the last block's fields are not handed out: they are too many or too large. The table is in step all the same. */
  refusal: ViaductError | null = null;
  /** How each field of the last block was judged, in its order. */
  judgements = new Uint8Array(FIRST_ROOM);

  readonly #limits: Http2Limits;
  #names: string[] = [];
  #values: string[] = [];
  #judgements = new Uint8Array(0);
  #mask = -1;
  #newest = 0;
  #count = 0;
  #tableBytes = 0;
  #maxTableBytes = MAX_TABLE_BYTES;

  #bytes: Buffer = EMPTY;
  #at = 0;
  #end = 0;
  #fields: FieldList = [];
  #fieldCount = 0;
  #listBytes = 0;
  /** Where the value of the first cookie is. */
  #cookieAt = -1;

  constructor(limits: Http2Limits) {
    this.#limits = limits;
  }

  /**
   * Reads the header block `bytes[from, to)`.
   * @returns its fields, empty when there is a {@link refusal}.
   * @throws http2CompressionFailed; the table is not to be used any more.
   */
  decode(bytes: Buffer, from: number, to: number): FieldList {
    this.#bytes = bytes;
    this.#at = from;
    this.#end = to;
    this.#fields = [];
    this.#fieldCount = 0;
    this.#listBytes = 0;
    this.#cookieAt = -1;
    this.refusal = null;
    if (this.judgements.length > MAX_KEPT_FIELDS) this.judgements = new Uint8Array(FIRST_ROOM);
    let mayResize = true;
    while (this.#at < to) {
      const byte = bytes[this.#at] as number;
      if (byte >= 0x80) this.#readIndexed();
      else if (byte >= 0x40) this.#readLiteral(0x3f, true);
      else if (byte < 0x20) this.#readLiteral(0x0f, false);
      else {
        if (!mayResize) throw http2CompressionFailed({ reason: "the table is resized after a field" });
        this.#resize(this.#readInteger(0x1f));
        continue;
      }
      mayResize = false;
    }
    const fields = this.#fields;
    this.#fields = [];
    // A block may be large, and the next one long in coming.
    this.#bytes = EMPTY;
    return fields;
  }

  #readIndexed(): void {
    const index = this.#readInteger(0x7f);
    if (index <= STATIC_SIZE) {
      if (index === 0) throw noSuchField();
      this.#add(
        STATIC_NAMES[index] as string,
        STATIC_VALUES[index] as string,
        STATIC_JUDGEMENTS[index] as number,
      );
    } else {
      const slot = this.#slot(index);
      this.#add(this.#names[slot] as string, this.#values[slot] as string, this.#judgements[slot] as number);
    }
  }

  #readLiteral(mask: number, isKept: boolean): void {
    const index = this.#readInteger(mask);
    const name =
      index === 0
        ? this.#readString()
        : index <= STATIC_SIZE
          ? (STATIC_NAMES[index] as string)
          : (this.#names[this.#slot(index)] as string);
    const value = this.#readString();
    const judgement = judgeField(name, value);
    this.#add(name, value, judgement);
    if (isKept) this.#keep(name, value, judgement);
  }

  #add(name: string, value: string, judgement: number): void {
    const count = this.#fieldCount++;
    this.#listBytes += name.length + value.length + FIELD_OVERHEAD_BYTES;
    if (this.refusal !== null) return;
    const { maxHeaderListBytes, maxFields } = this.#limits;
    if (this.#listBytes > maxHeaderListBytes) {
      this.#refuse(headTooLarge({ limitBytes: maxHeaderListBytes }));
      return;
    }
    if (count >= maxFields) {
      this.#refuse(tooManyHeaders({ limit: maxFields }));
      return;
    }
    const fields = this.#fields;
    if (judgement === COOKIE) {
      if (this.#cookieAt !== -1) {
        fields[this.#cookieAt] = `${fields[this.#cookieAt]}; ${value}`;
        return;
      }
      this.#cookieAt = fields.length + 1;
    }
    const at = fields.length >> 1;
    if (at === this.judgements.length) {
      const more = new Uint8Array(at * 2);
      more.set(this.judgements);
      this.judgements = more;
    }
    this.judgements[at] = judgement;
    fields.push(name, value);
  }

  /** From here on only the table matters. */
  #refuse(error: ViaductError): void {
    this.refusal = error;
    this.#fields = [];
  }

  #slot(index: number): number {
    const age = index - STATIC_SIZE - 1;
    if (age >= this.#count) throw noSuchField();
    return (this.#newest - age) & this.#mask;
  }

  #keep(name: string, value: string, judgement: number): void {
    const bytes = name.length + value.length + FIELD_OVERHEAD_BYTES;
    this.#evictTo(this.#maxTableBytes - bytes);
    // Larger than the table: that empties it, and is no error (RFC 7541 §4.4).
    if (bytes > this.#maxTableBytes) return;
    if (this.#count > this.#mask) this.#grow();
    this.#newest = (this.#newest + 1) & this.#mask;
    this.#names[this.#newest] = name;
    this.#values[this.#newest] = value;
    this.#judgements[this.#newest] = judgement;
    this.#count++;
    this.#tableBytes += bytes;
  }

  #evictTo(bytes: number): void {
    while (this.#count > 0 && this.#tableBytes > bytes) {
      const slot = (this.#newest - this.#count + 1) & this.#mask;
      this.#tableBytes -=
        (this.#names[slot] as string).length + (this.#values[slot] as string).length + FIELD_OVERHEAD_BYTES;
      this.#names[slot] = "";
      this.#values[slot] = "";
      this.#count--;
    }
  }

  /** Doubles the ring; the oldest field comes to lie at 0. */
  #grow(): void {
    const room = this.#mask === -1 ? FIRST_ROOM : (this.#mask + 1) * 2;
    const names = Array.from({ length: room }, () => "");
    const values = Array.from({ length: room }, () => "");
    const judgements = new Uint8Array(room);
    for (let i = 0; i < this.#count; i++) {
      const slot = (this.#newest - this.#count + 1 + i) & this.#mask;
      names[i] = this.#names[slot] as string;
      values[i] = this.#values[slot] as string;
      judgements[i] = this.#judgements[slot] as number;
    }
    this.#names = names;
    this.#values = values;
    this.#judgements = judgements;
    this.#mask = room - 1;
    this.#newest = (this.#count - 1) & this.#mask;
  }

  #resize(bytes: number): void {
    if (bytes > MAX_TABLE_BYTES) {
      throw http2CompressionFailed({ reason: `it wants a table of more than ${MAX_TABLE_BYTES} bytes` });
    }
    this.#maxTableBytes = bytes;
    this.#evictTo(bytes);
  }

  /** An integer that begins in the low bits of the byte at hand (RFC 7541 §5.1). */
  #readInteger(mask: number): number {
    let value = (this.#bytes[this.#at++] as number) & mask;
    if (value < mask) return value;
    for (let shift = 0; ; shift += 7) {
      if (this.#at === this.#end) throw truncated();
      if (shift > MAX_INTEGER_SHIFT) throw http2CompressionFailed({ reason: "an integer is 2^28 or more" });
      const byte = this.#bytes[this.#at++] as number;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }

  #readString(): string {
    if (this.#at === this.#end) throw truncated();
    const isHuffman = (this.#bytes[this.#at] as number) >= 0x80;
    const length = this.#readInteger(0x7f);
    const from = this.#at;
    const to = from + length;
    if (to > this.#end) throw truncated();
    this.#at = to;
    if (!isHuffman) return this.#bytes.toString("latin1", from, to);
    const text = decodeHuffman(this.#bytes, from, to);
    if (text === null)
      throw http2CompressionFailed({ reason: "a Huffman code does not end where it should" });
    return text;
  }
}

const noSuchField = () => http2CompressionFailed({ reason: "it names a field that no table has" });

/** The judgement without the value's part: what the name is. */
export const nameKind = (judgement: number) => judgement & ~BAD_VALUE;
