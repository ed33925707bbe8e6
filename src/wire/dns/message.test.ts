import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { dnsMessageInvalid } from "../../kernel/errors/dns.ts";
import { TYPE } from "./constants.ts";
import { decodeMessage, encodeQuery } from "./message.ts";

test("a query reads back as a message", () => {
  const message = decodeMessage(
    encodeQuery({ id: 9, name: "a.b", type: TYPE.AAAA, edns: { udpBytes: 1232 } }),
  );
  assert.equal(message.id, 9);
  assert.equal(message.isResponse, false);
  assert.deepEqual(message.questions, [{ name: "a.b", type: TYPE.AAAA, class: 1 }]);
  assert.equal(message.additional[0]?.type, TYPE.OPT);
});

test("a message that ends too early says at which byte", () => {
  const bytes = encodeQuery({ id: 9, name: "a.b", type: 1 });
  assert.throws(
    () => decodeMessage(bytes.subarray(0, -1)),
    (error) =>
      dnsMessageInvalid.is(error) &&
      error.message === "the DNS message is malformed at byte 17: it ends too early",
  );
  assert.throws(() => decodeMessage(new Uint8Array(3)), dnsMessageInvalid.is);
  assert.throws(() => encodeQuery({ id: 1, name: "a..b", type: 1 }), dnsMessageInvalid.is);
});

test("any bytes are a message or a catalogued error", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        decodeMessage(bytes);
      } catch (error) {
        assert(dnsMessageInvalid.is(error), String(error));
      }
    }),
  );
});
