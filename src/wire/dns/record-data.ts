/** Data of the records a server writes, in wire form. */
import { isIPv4, isIPv6 } from "node:net";
import { TYPE } from "./constants.ts";

/** Type and data of the record for an address; null when the text is no IP address. */
export function addressData(
  address: string,
): { readonly type: typeof TYPE.A | typeof TYPE.AAAA; readonly data: Uint8Array } | null {
  if (isIPv4(address)) return { type: TYPE.A, data: Uint8Array.from(address.split("."), Number) };
  if (isIPv6(address) && !address.includes("%")) return { type: TYPE.AAAA, data: ipv6Bytes(address) };
  return null;
}

/** The text must be an IPv6 address: `isIPv6` has said so. */
function ipv6Bytes(address: string): Uint8Array {
  // The last 32 bits may be written as IPv4.
  const hex = address.replace(/[^:]+\.[^:]+$/, (ipv4) => {
    const [a = 0, b = 0, c = 0, d = 0] = ipv4.split(".").map(Number);
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
  const [head = "", tail] = hex.split("::");
  const groups = (part: string) =>
    part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16));
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  before.forEach((group, i) => view.setUint16(2 * i, group));
  after.forEach((group, i) => view.setUint16(16 - 2 * (after.length - i), group));
  return bytes;
}

/** RFC 1035 §3.3.13; the names in wire form, the times in seconds. */
export function soaData(soa: {
  primary: Uint8Array;
  mailbox: Uint8Array;
  serial: number;
  refresh: number;
  retry: number;
  expire: number;
  minimum: number;
}): Uint8Array {
  const { primary, mailbox } = soa;
  const data = new Uint8Array(primary.length + mailbox.length + 20);
  data.set(primary);
  data.set(mailbox, primary.length);
  const view = new DataView(data.buffer, primary.length + mailbox.length);
  [soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum].forEach((number, i) =>
    view.setUint32(4 * i, number),
  );
  return data;
}

/** Two short texts; `HINFO "RFC8482" ""` is the polite answer to ANY. */
export function hinfoData(cpu: string, os: string): Uint8Array {
  const texts = [cpu, os].map((text) => Buffer.from(text, "latin1"));
  return Uint8Array.from(texts.flatMap((text) => [text.length, ...text]));
}

/** RFC 8914: a code that tells why, and a few words. */
export function extendedErrorData(code: number, text: string): Uint8Array {
  return Uint8Array.from([code >> 8, code & 0xff, ...Buffer.from(text, "utf8")]);
}
