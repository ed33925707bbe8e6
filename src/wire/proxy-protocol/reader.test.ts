import assert from "node:assert/strict";
import { isIP, isIPv4, SocketAddress } from "node:net";
import { test } from "node:test";
import * as fc from "fast-check";
import { ViaductError } from "../../kernel/index.ts";
import { MAX_PROXY_HEADER_BYTES, readProxyHeader } from "./index.ts";

const SIGNATURE = "\r\n\r\n\0\r\nQUIT\n";
const latin1 = (text: string) => Buffer.from(text, "latin1");

/** Version 2, without checks: the tests break it on purpose. */
function binary(command: number, family: number, payload: Buffer, length = payload.length): Buffer {
  const fixed = Buffer.concat([latin1(SIGNATURE), Buffer.from([command, family, length >> 8, length & 255])]);
  return Buffer.concat([fixed, payload]);
}

function ports(source: number, destination: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16BE(source, 0);
  bytes.writeUInt16BE(destination, 2);
  return bytes;
}

const IPV4 = Buffer.concat([Buffer.from([203, 0, 113, 9, 10, 0, 0, 1]), ports(51_842, 443)]);

for (const { name, input, want } of [
  {
    name: "TCP over IPv4 in text",
    input: latin1("PROXY TCP4 203.0.113.9 10.0.0.1 51842 443\r\nGET /"),
    want: { kind: "header", source: { address: "203.0.113.9", port: 51_842 }, size: 43 },
  },
  {
    name: "TCP over IPv6 in text",
    input: latin1("PROXY TCP6 2001:db8::9 ::1 1 0\r\n"),
    want: { kind: "header", source: { address: "2001:db8::9", port: 1 }, size: 32 },
  },
  {
    name: "an IPv4 address in its IPv6 form",
    input: latin1("PROXY TCP6 ::ffff:203.0.113.9 ::1 1 2\r\n"),
    want: { kind: "header", source: { address: "203.0.113.9", port: 1 }, size: 39 },
  },
  {
    name: "UNKNOWN, whatever else is on its line",
    input: latin1("PROXY UNKNOWN anything at all\r\n"),
    want: { kind: "header", source: null, size: 31 },
  },
  {
    name: "a bare UNKNOWN",
    input: latin1("PROXY UNKNOWN\r\n"),
    want: { kind: "header", source: null, size: 15 },
  },
  {
    name: "TCP over IPv4 in binary, with bytes behind it",
    input: Buffer.concat([binary(0x21, 0x11, IPV4), latin1("GET /")]),
    want: { kind: "header", source: { address: "203.0.113.9", port: 51_842 }, size: 28 },
  },
  {
    name: "values behind the addresses",
    input: binary(0x21, 0x11, Buffer.concat([IPV4, Buffer.from([0x04, 0, 2, 7, 7, 0x01, 0, 0])])),
    want: { kind: "header", source: { address: "203.0.113.9", port: 51_842 }, size: 36 },
  },
  {
    name: "LOCAL, with whatever family",
    input: binary(0x20, 0xff, Buffer.from([1, 2, 3])),
    want: { kind: "header", source: null, size: 19 },
  },
  {
    name: "addresses that are not specified",
    input: binary(0x21, 0x00, Buffer.alloc(0)),
    want: { kind: "header", source: null, size: 16 },
  },
  {
    name: "a UNIX socket, which has no address",
    input: binary(0x21, 0x31, Buffer.alloc(216)),
    want: { kind: "header", source: null, size: 232 },
  },
  { name: "a request", input: latin1("GET / HTTP/1.1\r\n"), want: { kind: "none" } },
  {
    name: "a method that begins like the header",
    input: latin1("PROPFIND / HTTP/1.1\r\n"),
    want: { kind: "none" },
  },
  { name: "a TLS handshake", input: Buffer.from([0x16, 3, 1]), want: { kind: "none" } },
  { name: "an empty line before a request", input: latin1("\r\nGET"), want: { kind: "none" } },
  { name: "nothing", input: latin1(""), want: { kind: "more" } },
  { name: "the beginning of a signature", input: latin1("PR"), want: { kind: "more" } },
]) {
  test(`reads ${name}`, () => assert.deepEqual(readProxyHeader(input), want));
}

for (const { name, input } of [
  { name: "another protocol", input: latin1("PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n") },
  { name: "a protocol in lower case", input: latin1("PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n") },
  { name: "an address of the other family", input: latin1("PROXY TCP4 ::1 ::1 1 2\r\n") },
  { name: "leading zeros in an address", input: latin1("PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n") },
  { name: "a zone", input: latin1("PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n") },
  { name: "a missing port", input: latin1("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n") },
  { name: "a port too large", input: latin1("PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n") },
  { name: "a port with a sign", input: latin1("PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n") },
  { name: "two spaces", input: latin1("PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n") },
  { name: "something behind the ports", input: latin1("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n") },
  { name: "a bare LF", input: latin1(`PROXY TCP4 1.2.3.4 1.2.3.4 1 2\nGET / HTTP/1.1\r\n${"x".repeat(90)}`) },
  { name: "a line without end", input: latin1(`PROXY UNKNOWN ${"x".repeat(93)}`) },
  { name: "a line that ends too late", input: latin1(`PROXY UNKNOWN ${"x".repeat(92)}\r\n`) },
  { name: "version 3", input: binary(0x31, 0x11, IPV4) },
  { name: "an unknown command", input: binary(0x22, 0x11, IPV4) },
  { name: "datagrams", input: binary(0x21, 0x12, IPV4) },
  { name: "an unknown family", input: binary(0x21, 0x41, IPV4) },
  { name: "addresses cut short", input: binary(0x21, 0x11, IPV4.subarray(0, 11)) },
  {
    name: "a value that is longer than the header",
    input: binary(0x21, 0x11, Buffer.concat([IPV4, Buffer.from([4, 0, 9, 1])])),
  },
  { name: "half a value", input: binary(0x21, 0x11, Buffer.concat([IPV4, Buffer.from([4])])) },
  { name: "more bytes than anybody needs", input: binary(0x21, 0x11, IPV4, MAX_PROXY_HEADER_BYTES) },
]) {
  test(`refuses ${name}`, () => {
    assert.throws(
      () => readProxyHeader(input),
      (error) => error instanceof ViaductError && error.code === "proxy_header_invalid",
    );
  });
}

const octets = (count: number) => fc.uint8Array({ minLength: count, maxLength: count });
const anyPort = fc.integer({ min: 0, max: 65_535 });
const behind = fc.uint8Array({ maxLength: 40 });

/** A header in one of both versions, and whose it says the connection is. */
const header = fc.oneof(
  fc.tuple(fc.ipV4(), fc.ipV4(), anyPort, anyPort).map(([source, destination, from, to]) => ({
    bytes: latin1(`PROXY TCP4 ${source} ${destination} ${from} ${to}\r\n`),
    source: { address: source, port: from },
  })),
  fc.tuple(octets(8), anyPort, anyPort).map(([addresses, from, to]) => ({
    bytes: binary(0x21, 0x11, Buffer.concat([addresses, ports(from, to)])),
    source: { address: addresses.subarray(0, 4).join("."), port: from },
  })),
  fc.tuple(octets(32), anyPort, anyPort).map(([addresses, from, to]) => ({
    bytes: binary(0x21, 0x21, Buffer.concat([addresses, ports(from, to)])),
    source: { address: slowIPv6(addresses.subarray(0, 16)), port: from },
  })),
);

/** The runtime's own formatter of addresses is the judge. */
function slowIPv6(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString("hex").match(/.{4}/g) ?? [];
  const { address } = new SocketAddress({ address: hex.join(":"), family: "ipv6" });
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1];
  return mapped ?? (address.includes(".") ? shortenSlowly(hex) : address);
}

/** `::a.b.c.d` is an old spelling that the runtime writes; we write groups. */
function shortenSlowly(hex: readonly string[]): string {
  const groups = hex.map((group) => Number.parseInt(group, 16).toString(16)).join(":");
  return groups.replace(/^(?:0:)+/, "::");
}

test("what a header says is read, and not a byte behind it", () => {
  fc.assert(
    fc.property(header, behind, ({ bytes, source }, rest) => {
      const result = readProxyHeader(Buffer.concat([bytes, rest]));
      assert.deepEqual(result, { kind: "header", source, size: bytes.length });
    }),
  );
});

test("a part of a header asks for more, wherever it is cut", () => {
  fc.assert(
    fc.property(header, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), ({ bytes }, share) => {
      assert.equal(readProxyHeader(bytes.subarray(0, Math.floor(bytes.length * share))).kind, "more");
    }),
  );
});

test("any bytes end in an answer or the one error, and a source is always an address", () => {
  const beginning = fc.constantFrom(
    "",
    "P",
    "PROXY ",
    "PROXY TCP4 ",
    "PROXY TCP6 ",
    SIGNATURE,
    `${SIGNATURE}!\x11\0`,
  );
  fc.assert(
    fc.property(beginning, fc.uint8Array({ maxLength: 300 }), (start, rest) => {
      const bytes = Buffer.concat([latin1(start), rest]);
      try {
        const result = readProxyHeader(bytes);
        if (result.kind !== "header") return;
        assert.ok(result.size <= bytes.length);
        if (result.source !== null) assert.notEqual(isIP(result.source.address), 0);
      } catch (error) {
        assert.ok(error instanceof ViaductError && error.code === "proxy_header_invalid", String(error));
      }
    }),
  );
});

test("mapped addresses in binary are IPv4 ones", () => {
  fc.assert(
    fc.property(octets(4), (address) => {
      const mapped = Buffer.concat([Buffer.alloc(10), Buffer.from([255, 255]), address]);
      const result = readProxyHeader(
        binary(0x21, 0x21, Buffer.concat([mapped, Buffer.alloc(16), ports(1, 2)])),
      );
      assert.ok(result.kind === "header" && result.source !== null && isIPv4(result.source.address));
      assert.equal(result.source.address, address.join("."));
    }),
  );
});
