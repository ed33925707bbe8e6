import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { CLASS, RCODE, TYPE } from "./constants.ts";
import { encodeQuery } from "./message.ts";
import { decodeQuery } from "./query.ts";

const QUERY = encodeQuery({ id: 0x1234, name: "App.apps.internal", type: TYPE.A, recursionDesired: true });
const OPT = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];

/** The query with bytes of its header changed and others behind it. */
function changed(header: Record<number, number>, ...tail: number[]): Uint8Array {
  const bytes = Uint8Array.from([...QUERY, ...tail]);
  for (const [offset, value] of Object.entries(header)) bytes[Number(offset)] = value;
  return bytes;
}
const COUNT = { questions: 5, answers: 7, authority: 9, additional: 11 } as const;

test("a query is read with its question as it was sent", () => {
  const decoded = decodeQuery(QUERY);
  assert(decoded.kind === "query");
  const { question, ...frame } = decoded.query;
  assert.deepEqual(frame, {
    id: 0x1234,
    opcode: 0,
    recursionDesired: true,
    checkingDisabled: false,
    edns: null,
  });
  assert.equal(question.name, "app.apps.internal");
  assert.equal(question.type, TYPE.A);
  assert.equal(question.class, CLASS.IN);
  assert.deepEqual([...question.bytes], [...QUERY.subarray(12)]);
});

test("EDNS is read: size at least 512, DO, options", () => {
  const options = [{ code: 11, data: new Uint8Array(0) }];
  for (const [asked, want] of [
    [100, 512],
    [1232, 1232],
    [65_535, 65_535],
  ] as const) {
    const decoded = decodeQuery(
      encodeQuery({ id: 1, name: "a", type: 1, edns: { udpBytes: asked, dnssecOk: true, options } }),
    );
    assert(decoded.kind === "query");
    assert.equal(decoded.query.edns?.udpBytes, want);
    assert.equal(decoded.query.edns.dnssecOk, true);
    assert.equal(decoded.query.edns.options[0]?.code, 11);
  }
});

for (const { name, bytes } of [
  { name: "nothing", bytes: new Uint8Array(0) },
  { name: "eleven bytes", bytes: QUERY.subarray(0, 11) },
  { name: "a response", bytes: changed({ 2: 0x80 }) },
]) {
  test(`dropped in silence: ${name}`, () => {
    assert.equal(decodeQuery(bytes).kind, "drop");
  });
}

for (const { name, bytes, rcode, question, edns } of [
  { name: "no question", bytes: changed({ [COUNT.questions]: 0 }), rcode: "FORMERR", question: false },
  { name: "two questions", bytes: changed({ [COUNT.questions]: 2 }), rcode: "FORMERR", question: false },
  { name: "65535 questions", bytes: changed({ 4: 255, 5: 255 }), rcode: "FORMERR", question: false },
  {
    name: "a question without its type",
    bytes: QUERY.subarray(0, -3),
    rcode: "FORMERR",
    question: false,
  },
  {
    name: "a question that is a pointer",
    bytes: changed({ 12: 0xc0, 13: 12 }),
    rcode: "FORMERR",
    question: false,
  },
  { name: "a reserved label type", bytes: changed({ 12: 0x40 }), rcode: "FORMERR", question: false },
  { name: "opcode STATUS", bytes: changed({ 2: 2 << 3 }), rcode: "NOTIMP", question: false },
  { name: "opcode NOTIFY", bytes: changed({ 2: 4 << 3 }), rcode: "NOTIMP", question: false },
  {
    name: "opcode UPDATE with a body that is no query's",
    bytes: changed({ 2: 5 << 3, 5: 9 }),
    rcode: "NOTIMP",
    question: false,
  },
  {
    name: "an additional record that is not there",
    bytes: changed({ [COUNT.additional]: 1 }),
    rcode: "FORMERR",
    question: true,
  },
  {
    name: "half an OPT record",
    bytes: changed({ [COUNT.additional]: 1 }, ...OPT.slice(0, 8)),
    rcode: "FORMERR",
    question: true,
  },
  {
    name: "an OPT record longer than the message",
    bytes: changed({ [COUNT.additional]: 1 }, ...OPT.slice(0, 10), 1),
    rcode: "FORMERR",
    question: true,
  },
  {
    name: "two OPT records",
    bytes: changed({ [COUNT.additional]: 2 }, ...OPT, ...OPT),
    rcode: "FORMERR",
    question: true,
    edns: true,
  },
  {
    name: "an OPT record that has a name",
    bytes: changed({ [COUNT.additional]: 1 }, 0xc0, 12, ...OPT.slice(1)),
    rcode: "FORMERR",
    question: true,
  },
  {
    name: "an option longer than its record",
    bytes: changed({ [COUNT.additional]: 1 }, ...OPT.slice(0, 10), 4, 0, 10, 0, 1),
    rcode: "FORMERR",
    question: true,
  },
  {
    name: "half an option",
    bytes: changed({ [COUNT.additional]: 1 }, ...OPT.slice(0, 10), 3, 0, 10, 0),
    rcode: "FORMERR",
    question: true,
  },
  {
    name: "another EDNS version",
    bytes: changed({ [COUNT.additional]: 1 }, ...OPT.slice(0, 6), 1, ...OPT.slice(7)),
    rcode: "BADVERS",
    question: true,
    edns: true,
  },
  {
    name: "a record whose name points forward",
    bytes: changed({ [COUNT.answers]: 1 }, 0xc0, 200, ...OPT.slice(1)),
    rcode: "FORMERR",
    question: true,
  },
  {
    name: "counts that promise 196605 records",
    bytes: changed({ 6: 255, 7: 255, 8: 255, 9: 255, 10: 255, 11: 255 }),
    rcode: "FORMERR",
    question: true,
  },
] as const) {
  test(`answered with ${rcode} and nothing else: ${name}`, () => {
    const decoded = decodeQuery(bytes);
    assert(decoded.kind === "refuse");
    assert.equal(decoded.rcode, RCODE[rcode]);
    assert.equal(decoded.query.id, 0x1234);
    assert.equal(decoded.query.question !== null, question);
    assert.equal(decoded.query.edns !== null, edns ?? false);
  });
}

for (const { name, bytes } of [
  { name: "bytes after the message", bytes: changed({}, 1, 2, 3) },
  { name: "the Z, AD and CD bits", bytes: changed({ 3: 0x70 }) },
  {
    name: "an answer record",
    bytes: changed({ [COUNT.answers]: 1 }, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4),
  },
  { name: "an OPT record among the answers", bytes: changed({ [COUNT.answers]: 1 }, ...OPT) },
  {
    name: "a signature that nobody checks",
    bytes: changed({ [COUNT.additional]: 1 }, 3, 0x6b, 0x65, 0x79, 0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 0),
  },
]) {
  test(`a query all the same: ${name}`, () => {
    const decoded = decodeQuery(bytes);
    assert(decoded.kind === "query");
    assert.equal(decoded.query.edns, null);
  });
}

test("a query for any name and type is read back as it was written", () => {
  const labels = fc.array(fc.stringMatching(/^[a-z0-9_-]{1,63}$/), { minLength: 1, maxLength: 3 });
  const uint16 = fc.nat(0xffff);
  fc.assert(
    fc.property(labels, uint16, uint16, uint16, fc.option(uint16), (parts, id, type, class_, udpBytes) => {
      const name = parts.join(".");
      const edns = udpBytes === null ? {} : { edns: { udpBytes } };
      const decoded = decodeQuery(encodeQuery({ id, name, type, class: class_, ...edns }));
      assert(decoded.kind === "query");
      const { question } = decoded.query;
      assert.deepEqual(
        [decoded.query.id, question.name, question.type, question.class],
        [id, name, type, class_],
      );
      assert.equal(decoded.query.edns?.udpBytes ?? null, udpBytes === null ? null : Math.max(512, udpBytes));
    }),
  );
});

test("any bytes are dropped, refused or read, never thrown at", () => {
  const kinds = new Set<string>();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      kinds.add(decodeQuery(bytes).kind);
    }),
  );
  // Nearly a query: one to four bytes of a real one changed, and its end cut off.
  const edns = encodeQuery({ id: 1, name: "a.b", type: 1, edns: { udpBytes: 1232 } });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(edns.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      fc.nat(edns.length),
      (changes, length) => {
        const bytes = Uint8Array.from(edns);
        for (const [offset, value] of changes) bytes[offset] = value;
        kinds.add(decodeQuery(bytes.subarray(0, length)).kind);
      },
    ),
    { numRuns: 1000 },
  );
  assert.deepEqual([...kinds].sort(), ["drop", "query", "refuse"]);
});
