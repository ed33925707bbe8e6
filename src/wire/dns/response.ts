/** Responses as a server writes them: names compressed against the question, whole records or none. */
import { FLAG, HEADER_BYTES, MAX_MESSAGE_BYTES, PLAIN_UDP_BYTES, TYPE } from "./constants.ts";
import type { EdnsOption, QueryFrame } from "./query.ts";

const OPT_BYTES = 11;
const CLASS_IN = 1;
/** The question follows the header, so its name is always here. */
const POINTER_TO_QUESTION = 0xc000 | HEADER_BYTES;

export interface ResourceRecord {
  /** Wire form (see `encodeName`), or null for the name that was asked for. */
  readonly owner: Uint8Array | null;
  readonly type: number;
  readonly ttl: number;
  /** Wire form, without length; names in it uncompressed. */
  readonly data: Uint8Array;
}

export interface Response {
  readonly query: QueryFrame;
  /** With EDNS up to 4095, otherwise up to 15. */
  readonly rcode: number;
  readonly authoritative: boolean;
  readonly answers: readonly ResourceRecord[];
  readonly authority: readonly ResourceRecord[];
  /** Sent when the query spoke EDNS. */
  readonly options: readonly EdnsOption[];
}

export interface ResponseLimits {
  /** The whole message. */
  readonly maxBytes: number;
  /** Announced in the OPT record: what we take over UDP. */
  readonly advertisedUdpBytes: number;
  /** What is left when not all answers fit: as many as do, or none, so that every client asks again over TCP. */
  readonly truncation: "partial" | "empty";
}

/** How much of a response a client takes over UDP. */
export function udpLimit(query: QueryFrame, configuredBytes: number): number {
  if (query.edns === null) return PLAIN_UDP_BYTES;
  return Math.max(PLAIN_UDP_BYTES, Math.min(query.edns.udpBytes, configuredBytes));
}

/** The answer that says only how it went. */
export function emptyResponse(
  query: QueryFrame,
  rcode: number,
  options: readonly EdnsOption[] = [],
): Response {
  return { query, rcode, authoritative: false, answers: [], authority: [], options };
}

/**
 * @returns one message of at most `maxBytes`. The truncation bit is set when an answer had to be left out; the OPT
 *   record stays in any case. The question (at most 259 bytes) always fits.
 * @see RFC 1035 §4.1.4, RFC 2181 §9, RFC 6891 §7
 */
export function encodeResponse(response: Response, limits: ResponseLimits): Uint8Array {
  const { query, rcode } = response;
  const question = query.question?.bytes ?? new Uint8Array(0);
  const optBytes = query.edns === null ? 0 : OPT_BYTES + optionsSize(response.options);
  const budget = Math.min(limits.maxBytes, MAX_MESSAGE_BYTES) - HEADER_BYTES - question.length - optBytes;

  const answers = plan(response.answers, question, budget);
  const isTruncated = answers.count < response.answers.length;
  if (isTruncated && limits.truncation === "empty") answers.clear();
  // Half of a negative answer's authority is worth nothing, and with truncated answers the client asks again.
  const authority = plan(isTruncated ? [] : response.authority, question, budget - answers.bytes);

  const size = HEADER_BYTES + question.length + answers.bytes + authority.bytes + optBytes;
  const message = new Uint8Array(size);
  const view = new DataView(message.buffer);
  view.setUint16(0, query.id);
  view.setUint16(
    2,
    FLAG.RESPONSE |
      (query.opcode << 11) |
      (response.authoritative ? FLAG.AUTHORITATIVE : 0) |
      (isTruncated ? FLAG.TRUNCATED : 0) |
      (query.recursionDesired ? FLAG.RECURSION_DESIRED : 0) |
      (query.checkingDisabled ? FLAG.CHECKING_DISABLED : 0) |
      (rcode & 0xf),
  );
  view.setUint16(4, query.question === null ? 0 : 1);
  view.setUint16(6, answers.count);
  view.setUint16(8, authority.count);
  view.setUint16(10, optBytes === 0 ? 0 : 1);
  message.set(question, HEADER_BYTES);
  let offset = HEADER_BYTES + question.length;
  offset = answers.write(message, view, offset);
  offset = authority.write(message, view, offset);
  if (query.edns !== null) {
    writeOpt(message, view, offset, response, limits.advertisedUdpBytes, query.edns.dnssecOk);
  }
  return message;
}

/** The records of one section that fit, with their compressed owners. */
function plan(records: readonly ResourceRecord[], question: Uint8Array, budget: number) {
  let bytes = 0;
  let count = 0;
  const owners: (number | Uint8Array)[] = [];
  for (const record of records) {
    const owner = compress(record.owner, question);
    const size = (typeof owner === "number" ? 2 : owner.length) + 10 + record.data.length;
    if (bytes + size > budget) break;
    owners.push(owner);
    bytes += size;
    count++;
  }
  return {
    get bytes() {
      return bytes;
    },
    get count() {
      return count;
    },
    clear() {
      bytes = 0;
      count = 0;
    },
    write(message: Uint8Array, view: DataView, start: number): number {
      let offset = start;
      for (let i = 0; i < count; i++) {
        const record = records[i];
        const owner = owners[i];
        if (record === undefined || owner === undefined) break;
        if (typeof owner === "number") {
          view.setUint16(offset, owner);
          offset += 2;
        } else {
          message.set(owner, offset);
          offset += owner.length;
        }
        view.setUint16(offset, record.type);
        view.setUint16(offset + 2, CLASS_IN);
        view.setUint32(offset + 4, record.ttl);
        view.setUint16(offset + 8, record.data.length);
        message.set(record.data, offset + 10);
        offset += 10 + record.data.length;
      }
      return offset;
    },
  };
}

/** A pointer into the question when the owner is its name or the end of it, which also keeps the client's case. */
function compress(owner: Uint8Array | null, question: Uint8Array): number | Uint8Array {
  if (owner === null) return POINTER_TO_QUESTION;
  const nameLength = question.length - 4;
  const start = nameLength - owner.length;
  for (let label = 0; label <= start && label < nameLength; label += 1 + (question[label] ?? 0)) {
    if (label === start && isSameName(owner, question, start)) return POINTER_TO_QUESTION + start;
  }
  return owner;
}

function isSameName(name: Uint8Array, question: Uint8Array, start: number): boolean {
  for (let i = 0; i < name.length; i++) {
    if (lower(name[i] ?? 0) !== lower(question[start + i] ?? 0)) return false;
  }
  return true;
}

// Lengths of labels are below 64 and so below the letters.
const lower = (byte: number) => (byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte);

const optionsSize = (options: readonly EdnsOption[]) =>
  options.reduce((sum, option) => sum + 4 + option.data.length, 0);

function writeOpt(
  message: Uint8Array,
  view: DataView,
  start: number,
  { rcode, options }: Response,
  udpBytes: number,
  dnssecOk: boolean,
): void {
  // Owner: the root, one zero byte that is there already.
  view.setUint16(start + 1, TYPE.OPT);
  view.setUint16(start + 3, udpBytes);
  view.setUint8(start + 5, rcode >> 4);
  view.setUint16(start + 7, dnssecOk ? 0x8000 : 0);
  view.setUint16(start + 9, optionsSize(options));
  let offset = start + OPT_BYTES;
  for (const option of options) {
    view.setUint16(offset, option.code);
    view.setUint16(offset + 2, option.data.length);
    message.set(option.data, offset + 4);
    offset += 4 + option.data.length;
  }
}
