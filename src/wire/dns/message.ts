/** Messages as a client sends and reads them: for tools and tests; a server reads with `decodeQuery`. */
import { dnsMessageInvalid } from "../../kernel/errors/dns.ts";
import { CLASS, FLAG, HEADER_BYTES, TYPE } from "./constants.ts";
import { encodeName, readName } from "./name.ts";
import type { EdnsOption } from "./query.ts";

export interface Message {
  readonly id: number;
  readonly opcode: number;
  readonly isResponse: boolean;
  readonly authoritative: boolean;
  readonly truncated: boolean;
  readonly recursionDesired: boolean;
  readonly recursionAvailable: boolean;
  /** Without the bits of an OPT record. */
  readonly rcode: number;
  readonly questions: readonly { readonly name: string; readonly type: number; readonly class: number }[];
  readonly answers: readonly MessageRecord[];
  readonly authority: readonly MessageRecord[];
  readonly additional: readonly MessageRecord[];
}

export interface MessageRecord {
  readonly name: string;
  readonly type: number;
  readonly class: number;
  readonly ttl: number;
  /** As received; names in it may be compressed. */
  readonly data: Uint8Array;
}

/** @throws dnsMessageInvalid */
export function decodeMessage(bytes: Uint8Array): Message {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER_BYTES) throw dnsMessageInvalid({ reason: "it has no header", offset: 0 });
  let offset = HEADER_BYTES;
  const name = () => {
    const read = readName(bytes, offset);
    if ("problem" in read) throw dnsMessageInvalid({ reason: read.problem, offset });
    offset = read.end;
    return read.text;
  };
  const need = (count: number) => {
    if (offset + count > bytes.length) throw dnsMessageInvalid({ reason: "it ends too early", offset });
  };
  const question = () => {
    const asked = name();
    need(4);
    offset += 4;
    return { name: asked, type: view.getUint16(offset - 4), class: view.getUint16(offset - 2) };
  };
  const record = (): MessageRecord => {
    const owner = name();
    need(10);
    const start = offset + 10;
    const length = view.getUint16(offset + 8);
    const fields = {
      name: owner,
      type: view.getUint16(offset),
      class: view.getUint16(offset + 2),
      ttl: view.getUint32(offset + 4),
    };
    offset = start;
    need(length);
    offset = start + length;
    return { ...fields, data: bytes.subarray(start, offset) };
  };
  const list = <T>(count: number, read: () => T) => {
    const items: T[] = [];
    while (items.length < count) items.push(read());
    return items;
  };
  const flags = view.getUint16(2);
  return {
    id: view.getUint16(0),
    opcode: (flags >> 11) & 0xf,
    isResponse: (flags & FLAG.RESPONSE) !== 0,
    authoritative: (flags & FLAG.AUTHORITATIVE) !== 0,
    truncated: (flags & FLAG.TRUNCATED) !== 0,
    recursionDesired: (flags & FLAG.RECURSION_DESIRED) !== 0,
    recursionAvailable: (flags & FLAG.RECURSION_AVAILABLE) !== 0,
    rcode: flags & 0xf,
    questions: list(view.getUint16(4), question),
    answers: list(view.getUint16(6), record),
    authority: list(view.getUint16(8), record),
    additional: list(view.getUint16(10), record),
  };
}

/** @throws dnsMessageInvalid when `name` is no name. */
export function encodeQuery(query: {
  id: number;
  name: string;
  type: number;
  class?: number;
  recursionDesired?: boolean;
  /** With an OPT record. */
  edns?: { udpBytes: number; version?: number; dnssecOk?: boolean; options?: readonly EdnsOption[] };
}): Uint8Array {
  const name = encodeName(query.name);
  if (name === null) throw dnsMessageInvalid({ reason: `${query.name} is no name`, offset: HEADER_BYTES });
  const { edns } = query;
  const uint16 = (value: number) => [value >> 8, value & 0xff];
  const options = (edns?.options ?? []).flatMap(({ code, data }) => [
    ...uint16(code),
    ...uint16(data.length),
    ...data,
  ]);
  const opt =
    edns === undefined
      ? []
      : [
          0,
          ...uint16(TYPE.OPT),
          ...uint16(edns.udpBytes),
          0,
          edns.version ?? 0,
          ...uint16(edns.dnssecOk === true ? 0x8000 : 0),
          ...uint16(options.length),
          ...options,
        ];
  return Uint8Array.from([
    ...uint16(query.id),
    ...uint16(query.recursionDesired === true ? FLAG.RECURSION_DESIRED : 0),
    ...uint16(1),
    ...uint16(0),
    ...uint16(0),
    ...uint16(opt.length === 0 ? 0 : 1),
    ...name,
    ...uint16(query.type),
    ...uint16(query.class ?? CLASS.IN),
    ...opt,
  ]);
}
