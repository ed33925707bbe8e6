/**
 * The header that a load balancer puts in front of a connection to say whose it is: PROXY protocol, versions 1
 * (text) and 2 (binary). Strict: whatever begins like a header must be one, to the last byte.
 * See HAProxy's `proxy-protocol.txt`, §2.1 and §2.2.
 */
import { isIPv4, isIPv6 } from "node:net";
import { proxyHeaderInvalid } from "../../kernel/errors/wire.ts";

/**
 * Longest header that is read. Version 1 ends after 107 bytes; version 2 could announce 64 KiB, which nobody needs:
 * addresses are 36 bytes, and what load balancers add about TLS fits in a few hundred.
 */
export const MAX_PROXY_HEADER_BYTES = 4_096;

export interface ProxySource {
  /** As text; an IPv4 address never in its IPv6 form. */
  readonly address: string;
  readonly port: number;
}

export type ProxyHeaderResult =
  /** The bytes begin otherwise: they are the connection's own. */
  | { readonly kind: "none" }
  /** They may become a header, or are a part of one. */
  | { readonly kind: "more" }
  /** `source` is null when the load balancer speaks for itself (health checks) or does not know. */
  | { readonly kind: "header"; readonly source: ProxySource | null; readonly size: number };

const NONE: ProxyHeaderResult = { kind: "none" };
const MORE: ProxyHeaderResult = { kind: "more" };

const TEXT_SIGNATURE = Buffer.from("PROXY ", "latin1");
const BINARY_SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
/** `PROXY UNKNOWN` with two of the longest IPv6 addresses and ports, and CRLF. */
const MAX_TEXT_BYTES = 107;
/** Signature, version and command, family and transport, length. */
const BINARY_FIXED_BYTES = 16;

const COMMAND_LOCAL = 0x20;
const COMMAND_PROXY = 0x21;
/** By family and transport: bytes of both addresses and ports. Datagrams cannot have come over a stream. */
const ADDRESS_BYTES: ReadonlyMap<number, number> = new Map([
  [0x00, 0], // unspecified
  [0x11, 12], // TCP over IPv4
  [0x21, 36], // TCP over IPv6
  [0x31, 216], // UNIX stream
]);
const TCP_IPV4 = 0x11;
const TCP_IPV6 = 0x21;
/** Type and length of one of the values behind the addresses. */
const VALUE_HEAD_BYTES = 3;

/**
 * Reads the header at the beginning of a connection.
 *
 * @param bytes  Everything received so far; not kept.
 * @throws proxyHeaderInvalid
 */
export function readProxyHeader(bytes: Buffer): ProxyHeaderResult {
  if (bytes.length === 0) return MORE;
  if (beginsLike(bytes, TEXT_SIGNATURE)) return bytes.length < TEXT_SIGNATURE.length ? MORE : readText(bytes);
  if (beginsLike(bytes, BINARY_SIGNATURE))
    return bytes.length < BINARY_FIXED_BYTES ? MORE : readBinary(bytes);
  return NONE;
}

/** As far as both go. */
function beginsLike(bytes: Buffer, signature: Buffer): boolean {
  const size = Math.min(bytes.length, signature.length);
  return bytes.compare(signature, 0, size, 0, size) === 0;
}

// === version 1 ===

function readText(bytes: Buffer): ProxyHeaderResult {
  const end = bytes.indexOf("\r\n", 0, "latin1");
  if (end === -1 || end + 2 > MAX_TEXT_BYTES) {
    if (bytes.length >= MAX_TEXT_BYTES) throw proxyHeaderInvalid({ reason: "its line does not end" });
    return MORE;
  }
  const size = end + 2;
  const [protocol, source = "", destination = "", sourcePort = "", destinationPort = "", ...rest] = bytes
    .toString("latin1", TEXT_SIGNATURE.length, end)
    .split(" ");
  // Whatever else is on such a line must be ignored (§2.1).
  if (protocol === "UNKNOWN") return { kind: "header", source: null, size };
  const isAddress = protocol === "TCP4" ? isIPv4 : protocol === "TCP6" ? isPlainIPv6 : null;
  if (isAddress === null) throw proxyHeaderInvalid({ reason: "its protocol is not TCP4, TCP6 or UNKNOWN" });
  if (rest.length > 0 || !isAddress(source) || !isAddress(destination)) {
    throw proxyHeaderInvalid({ reason: `its addresses are not two of ${protocol}` });
  }
  if (!isPort(sourcePort) || !isPort(destinationPort)) {
    throw proxyHeaderInvalid({ reason: "its ports are not two numbers up to 65535" });
  }
  return { kind: "header", source: { address: unmapped(source), port: Number(sourcePort) }, size };
}

/** Without a zone: `fe80::1%eth0` names an interface of another machine. */
function isPlainIPv6(text: string): boolean {
  return isIPv6(text) && !text.includes("%");
}

function isPort(text: string): boolean {
  return /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535;
}

// === version 2 ===

function readBinary(bytes: Buffer): ProxyHeaderResult {
  const command = bytes[12];
  if (command !== COMMAND_LOCAL && command !== COMMAND_PROXY) {
    throw proxyHeaderInvalid({ reason: "its version is not 2 with LOCAL or PROXY" });
  }
  const length = bytes.readUInt16BE(14);
  const size = BINARY_FIXED_BYTES + length;
  if (size > MAX_PROXY_HEADER_BYTES) {
    throw proxyHeaderInvalid({ reason: `it announces more than ${MAX_PROXY_HEADER_BYTES} bytes` });
  }
  if (bytes.length < size) return MORE;
  // Family and length of a LOCAL header mean nothing (§2.2).
  if (command === COMMAND_LOCAL) return { kind: "header", source: null, size };

  const family = bytes[13] ?? 0;
  const addressBytes = ADDRESS_BYTES.get(family);
  if (addressBytes === undefined) throw proxyHeaderInvalid({ reason: "its family is not one of a stream" });
  if (length < addressBytes) throw proxyHeaderInvalid({ reason: "its addresses are cut short" });
  // What follows unspecified addresses is undefined; elsewhere it is a list of values that ends with the header.
  if (addressBytes > 0) checkValues(bytes, BINARY_FIXED_BYTES + addressBytes, size);
  return { kind: "header", source: binarySource(bytes, family), size };
}

function checkValues(bytes: Buffer, start: number, end: number): void {
  let at = start;
  while (at < end) {
    if (at + VALUE_HEAD_BYTES > end) break;
    at += VALUE_HEAD_BYTES + bytes.readUInt16BE(at + 1);
  }
  if (at !== end) throw proxyHeaderInvalid({ reason: "its last value does not end with it" });
}

function binarySource(bytes: Buffer, family: number): ProxySource | null {
  const at = BINARY_FIXED_BYTES;
  if (family === TCP_IPV4) {
    return { address: bytes.subarray(at, at + 4).join("."), port: bytes.readUInt16BE(at + 8) };
  }
  if (family === TCP_IPV6) {
    const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(at + 2 * i).toString(16));
    return { address: unmapped(shorten(groups)), port: bytes.readUInt16BE(at + 32) };
  }
  return null;
}

/** The canonical form: the first of the longest runs of zeros, from two on, becomes `::` (RFC 5952 §4.2). */
function shorten(groups: readonly string[]): string {
  let start = 0;
  let length = 1;
  for (let i = 0; i < groups.length; i++) {
    let run = 0;
    while (groups[i + run] === "0") run++;
    if (run > length) {
      start = i;
      length = run;
    }
  }
  if (length === 1) return groups.join(":");
  return `${groups.slice(0, start).join(":")}::${groups.slice(start + length).join(":")}`;
}

/** `::ffff:10.0.0.1`, `::ffff:a00:1` → `10.0.0.1` */
function unmapped(address: string): string {
  const match = /^::ffff:(?:(\d+\.\d+\.\d+\.\d+)|([0-9a-f]{1,4}):([0-9a-f]{1,4}))$/i.exec(address);
  if (match === null) return address;
  const [, dotted, high = "0", low = "0"] = match;
  if (dotted !== undefined) return dotted;
  const number = Number.parseInt(high, 16) * 65_536 + Number.parseInt(low, 16);
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join(".");
}
