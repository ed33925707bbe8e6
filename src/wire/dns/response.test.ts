import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { EDNS_OPTION, RCODE, TYPE } from "./constants.ts";
import { decodeMessage, encodeQuery } from "./message.ts";
import { encodeName } from "./name.ts";
import { decodeQuery, type Query } from "./query.ts";
import { addressData, extendedErrorData } from "./record-data.ts";
import {
  emptyResponse,
  encodeResponse,
  type ResourceRecord,
  type Response,
  type ResponseLimits,
  udpLimit,
} from "./response.ts";

const TCP: ResponseLimits = { maxBytes: 65_535, advertisedUdpBytes: 1232, truncation: "partial" };

function query(some: Partial<Parameters<typeof encodeQuery>[0]> = {}): Query {
  const decoded = decodeQuery(encodeQuery({ id: 7, name: "app.apps.internal", type: TYPE.A, ...some }));
  assert(decoded.kind === "query");
  return decoded.query;
}
const name = (text: string) => encodeName(text) ?? new Uint8Array(0);
const a = (number: number): ResourceRecord => ({
  owner: null,
  type: TYPE.A,
  ttl: 0,
  data: addressData(`10.0.${number >> 8}.${number & 255}`)?.data ?? new Uint8Array(0),
});
const addresses = (count: number) => Array.from({ length: count }, (_, i) => a(i));
const response = (some: Partial<Response> = {}): Response => ({
  ...emptyResponse(query(), RCODE.NOERROR),
  authoritative: true,
  ...some,
});

test("a response takes over ID, opcode, RD, CD and the question, byte by byte", () => {
  const asked = query({ name: "aPP.Apps.INTERNAL", recursionDesired: true });
  const bytes = encodeResponse(response({ query: asked, answers: [a(1)] }), TCP);
  const want = [0, 7, 0x85, 0x00, 0, 1, 0, 1, 0, 0, 0, 0];
  assert.deepEqual([...bytes.subarray(0, 12)], want);
  assert.equal(Buffer.from(bytes.subarray(13, 16)).toString(), "aPP");
  const message = decodeMessage(bytes);
  assert.equal(message.authoritative, true);
  assert.equal(message.recursionAvailable, false);
});

test("answers point at the question, so that one address costs 16 bytes", () => {
  const one = encodeResponse(response({ answers: [a(1)] }), TCP).length;
  const two = encodeResponse(response({ answers: addresses(2) }), TCP).length;
  assert.equal(two - one, 16);
});

for (const { owner, bytes, why } of [
  { owner: "apps.internal", bytes: 2, why: "the end of the question's name is pointed at" },
  { owner: "APPS.Internal", bytes: 2, why: "whatever its case" },
  { owner: "app.apps.internal", bytes: 2, why: "also the whole" },
  { owner: "ps.internal", bytes: 13, why: "but not from inside a label" },
  { owner: "other.internal", bytes: 16, why: "another name is written out" },
  { owner: "x.app.apps.internal", bytes: 21, why: "a longer one, too" },
]) {
  test(`owner ${owner}: ${why}`, () => {
    const record: ResourceRecord = { owner: name(owner), type: TYPE.NS, ttl: 1, data: Uint8Array.of(0) };
    const bare = encodeResponse(response(), TCP).length;
    const encoded = encodeResponse(response({ authority: [record] }), TCP);
    assert.equal(encoded.length - bare, bytes + 10 + 1);
    assert.equal(decodeMessage(encoded).authority[0]?.name, owner.toLowerCase());
  });
}

for (const { what, name: asked, edns, max, type, fits } of [
  { what: "512 bytes", name: "app.apps.internal", edns: false, max: 512, type: TYPE.A, fits: 29 },
  { what: "1232 bytes with EDNS", name: "app.apps.internal", edns: true, max: 1232, type: TYPE.A, fits: 74 },
  { what: "4096 bytes with EDNS", name: "app.apps.internal", edns: true, max: 4096, type: TYPE.A, fits: 253 },
  { what: "65535 bytes", name: "app.apps.internal", edns: false, max: 65_535, type: TYPE.A, fits: 4093 },
  {
    what: "512 bytes, the longest name",
    name: `${"x".repeat(63)}.${"x".repeat(63)}.${"x".repeat(63)}.${"x".repeat(61)}`,
    edns: false,
    max: 512,
    type: TYPE.A,
    fits: 15,
  },
  { what: "512 bytes of IPv6", name: "app.apps.internal", edns: false, max: 512, type: TYPE.AAAA, fits: 17 },
]) {
  test(`${fits} addresses fit into ${what}; one more truncates`, () => {
    const asked_ = query({ name: asked, ...(edns ? { edns: { udpBytes: max } } : {}) });
    const record: ResourceRecord =
      type === TYPE.A ? a(1) : { owner: null, type, ttl: 0, data: new Uint8Array(16) };
    const send = (count: number) =>
      decodeMessage(
        encodeResponse(response({ query: asked_, answers: Array<ResourceRecord>(count).fill(record) }), {
          ...TCP,
          maxBytes: max,
        }),
      );
    assert.deepEqual([send(fits).answers.length, send(fits).truncated], [fits, false]);
    assert.deepEqual([send(fits + 1).answers.length, send(fits + 1).truncated], [fits, true]);
  });
}

test("an empty truncation leaves no answer, so that every client comes back over TCP", () => {
  const message = decodeMessage(
    encodeResponse(response({ answers: addresses(30) }), { ...TCP, maxBytes: 512, truncation: "empty" }),
  );
  assert.deepEqual([message.answers.length, message.truncated], [0, true]);
});

test("an authority record that does not fit is left out without truncation", () => {
  const soa: ResourceRecord = {
    owner: name("apps.internal"),
    type: TYPE.SOA,
    ttl: 1,
    data: new Uint8Array(480),
  };
  const message = decodeMessage(encodeResponse(response({ authority: [soa] }), { ...TCP, maxBytes: 512 }));
  assert.deepEqual([message.authority.length, message.truncated], [0, false]);
});

test("OPT is answered by OPT: our size, version 0, DO as asked, the high bits of the code, options, also when truncated", () => {
  const asked = query({ edns: { udpBytes: 512, dnssecOk: true } });
  const options = [{ code: EDNS_OPTION.EXTENDED_ERROR, data: extendedErrorData(14, "not ready") }];
  const bytes = encodeResponse(
    response({ query: asked, rcode: RCODE.BADVERS, answers: addresses(40), options }),
    { ...TCP, maxBytes: 512 },
  );
  assert(bytes.length <= 512);
  const message = decodeMessage(bytes);
  assert.equal(message.truncated, true);
  assert.equal(message.rcode, 0);
  const [opt] = message.additional;
  assert.deepEqual(
    { name: opt?.name, type: opt?.type, size: opt?.class, ttl: opt?.ttl },
    { name: "", type: TYPE.OPT, size: 1232, ttl: 0x01_00_80_00 },
  );
  assert.deepEqual([...(opt?.data ?? [])], [0, 15, 0, 11, 0, 14, ...Buffer.from("not ready")]);
});

test("without OPT in the query there is none in the response", () => {
  const options = [{ code: 15, data: new Uint8Array(2) }];
  assert.deepEqual(decodeMessage(encodeResponse(response({ options }), TCP)).additional, []);
});

test("a client without EDNS takes 512 bytes, others what they say up to what is configured", () => {
  assert.equal(udpLimit(query(), 1232), 512);
  assert.equal(udpLimit(query({ edns: { udpBytes: 4096 } }), 1232), 1232);
  assert.equal(udpLimit(query({ edns: { udpBytes: 800 } }), 1232), 800);
  assert.equal(udpLimit(query({ edns: { udpBytes: 0 } }), 1232), 512);
});

test("any response reads back as it was written, and is never longer than allowed", () => {
  const labels = fc.array(fc.stringMatching(/^[a-zA-Z0-9]{1,20}$/), { minLength: 1, maxLength: 4 });
  const record = fc.record({
    owner: fc.option(labels.map((parts) => name(parts.join(".")))),
    type: fc.nat(0xffff),
    ttl: fc.nat(0x7fff_ffff),
    data: fc.uint8Array({ maxLength: 40 }),
  });
  fc.assert(
    fc.property(
      labels,
      fc.array(record, { maxLength: 30 }),
      fc.array(record, { maxLength: 3 }),
      fc.boolean(),
      fc.integer({ min: 512, max: 2000 }),
      (parts, answers, authority, hasEdns, maxBytes) => {
        const asked = query({ name: parts.join("."), ...(hasEdns ? { edns: { udpBytes: 4096 } } : {}) });
        const bytes = encodeResponse(response({ query: asked, answers, authority }), { ...TCP, maxBytes });
        assert(bytes.length <= maxBytes);
        const message = decodeMessage(bytes);
        assert.equal(message.truncated, message.answers.length < answers.length);
        message.answers.forEach((read, i) => {
          const { owner, type, ttl, data } = answers[i] ?? a(0);
          const wanted = owner === null ? parts.join(".") : ownerText(owner);
          assert.deepEqual(
            [read.name, read.type, read.ttl, [...read.data]],
            [wanted.toLowerCase(), type, ttl, [...data]],
          );
        });
      },
    ),
  );
});

function ownerText(owner: Uint8Array): string {
  const labels: string[] = [];
  for (let i = 0; owner[i] !== 0; i += 1 + (owner[i] ?? 0)) {
    labels.push(Buffer.from(owner.subarray(i + 1, i + 1 + (owner[i] ?? 0))).toString());
  }
  return labels.join(".");
}
