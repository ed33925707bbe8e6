/** Queries as a server reads them: strict, without exceptions, never past the end. */
import { FLAG, HEADER_BYTES, MAX_LABEL_BYTES, MAX_NAME_BYTES, OPCODE, RCODE, TYPE } from "./constants.ts";
import { readName } from "./name.ts";

/** What every answer takes over from its query. */
export interface QueryFrame {
  readonly id: number;
  readonly opcode: number;
  readonly recursionDesired: boolean;
  readonly checkingDisabled: boolean;
  /** Null when it could not be read. */
  readonly question: Question | null;
  /** Null when the client does not speak EDNS. */
  readonly edns: Edns | null;
}

export interface Question {
  /** Lower-case text, see name.ts. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** As received, with the client's upper and lower case; a view of the message. */
  readonly bytes: Uint8Array;
}

export interface Edns {
  /** What the client takes over UDP, at least 512. */
  readonly udpBytes: number;
  readonly dnssecOk: boolean;
  readonly options: readonly EdnsOption[];
}

export interface EdnsOption {
  readonly code: number;
  readonly data: Uint8Array;
}

export interface Query extends QueryFrame {
  readonly question: Question;
}

export type DecodedQuery =
  /** To be passed over in silence: too short for an ID, or a response (answering those makes loops). */
  | { readonly kind: "drop"; readonly why: "short" | "response" }
  /** To be answered with this code and nothing else. */
  | { readonly kind: "refuse"; readonly rcode: number; readonly query: QueryFrame }
  | { readonly kind: "query"; readonly query: Query };

/**
 * @param message  One whole message; not copied, the question is a view of it.
 * @see RFC 1035 §4.1, RFC 9619 (one question), RFC 6891 (EDNS)
 */
export function decodeQuery(message: Uint8Array): DecodedQuery {
  if (message.length < HEADER_BYTES) return { kind: "drop", why: "short" };
  const flags = uint16(message, 2);
  if ((flags & FLAG.RESPONSE) !== 0) return { kind: "drop", why: "response" };
  const frame: QueryFrame = {
    id: uint16(message, 0),
    opcode: (flags >> 11) & 0xf,
    recursionDesired: (flags & FLAG.RECURSION_DESIRED) !== 0,
    checkingDisabled: (flags & FLAG.CHECKING_DISABLED) !== 0,
    question: null,
    edns: null,
  };
  // The rest of a message with another opcode has another meaning; the header is enough to decline it.
  if (frame.opcode !== OPCODE.QUERY) return { kind: "refuse", rcode: RCODE.NOTIMP, query: frame };
  if (uint16(message, 4) !== 1) return { kind: "refuse", rcode: RCODE.FORMERR, query: frame };

  const name = readName(message, HEADER_BYTES);
  if ("problem" in name || name.end + 4 > message.length) {
    return { kind: "refuse", rcode: RCODE.FORMERR, query: frame };
  }
  const question: Question = {
    name: name.text,
    type: uint16(message, name.end),
    class: uint16(message, name.end + 2),
    bytes: message.subarray(HEADER_BYTES, name.end + 4),
  };
  const ignored = uint16(message, 6) + uint16(message, 8);
  const rest = readRecords(message, name.end + 4, ignored, uint16(message, 10));
  const query: Query = { ...frame, question, edns: rest.edns };
  return rest.rcode === RCODE.NOERROR
    ? { kind: "query", query }
    : { kind: "refuse", rcode: rest.rcode, query };
}

/**
 * Walks the records after the question for the OPT record. What else a query carries is skipped (a signature by
 * TSIG or SIG(0), too: nobody has a key here). Bytes after the counted records are ignored.
 */
function readRecords(
  message: Uint8Array,
  start: number,
  ignoredCount: number,
  additionalCount: number,
): { edns: Edns | null; rcode: number } {
  let edns: Edns | null = null;
  let offset = start;
  // Each record takes at least 11 bytes, so a message ends this loop whatever its counts say.
  for (let n = 0; n < ignoredCount + additionalCount; n++) {
    const isRoot = message[offset] === 0;
    const fields = skipName(message, offset);
    if (fields === -1 || fields + 10 > message.length) return { edns, rcode: RCODE.FORMERR };
    const data = fields + 10;
    const end = data + uint16(message, fields + 8);
    if (end > message.length) return { edns, rcode: RCODE.FORMERR };
    offset = end;
    if (n < ignoredCount || uint16(message, fields) !== TYPE.OPT) continue;

    const options = readOptions(message.subarray(data, end));
    if (edns !== null || !isRoot || options === null) return { edns, rcode: RCODE.FORMERR };
    edns = {
      udpBytes: Math.max(512, uint16(message, fields + 2)),
      dnssecOk: (uint16(message, fields + 6) & 0x8000) !== 0,
      options,
    };
    const version = message[fields + 5];
    if (version !== 0) return { edns, rcode: RCODE.BADVERS };
  }
  return { edns, rcode: RCODE.NOERROR };
}

/** Offset after the name, whose pointer, if any, is not followed; -1 when it is malformed. */
function skipName(message: Uint8Array, start: number): number {
  let offset = start;
  for (;;) {
    const length = message[offset];
    if (length === undefined || offset - start >= MAX_NAME_BYTES) return -1;
    if (length === 0) return offset + 1;
    if (length >= 0xc0) return isBackward(message, offset, start) ? offset + 2 : -1;
    if (length > MAX_LABEL_BYTES) return -1;
    offset += 1 + length;
  }
}

function isBackward(message: Uint8Array, offset: number, start: number): boolean {
  if (offset + 1 >= message.length) return false;
  const target = uint16(message, offset) & 0x3fff;
  return target >= HEADER_BYTES && target < start;
}

function readOptions(data: Uint8Array): readonly EdnsOption[] | null {
  const options: EdnsOption[] = [];
  let offset = 0;
  while (offset < data.length) {
    if (offset + 4 > data.length) return null;
    const start = offset + 4;
    offset = start + uint16(data, offset + 2);
    if (offset > data.length) return null;
    options.push({ code: uint16(data, start - 4), data: data.subarray(start, offset) });
  }
  return options;
}

/** Both bytes must be there. */
function uint16(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
}
