import assert from "node:assert/strict";
import { test } from "node:test";
import { TYPE } from "./constants.ts";
import { addressData, extendedErrorData, hinfoData, soaData } from "./record-data.ts";

for (const { address, type, hex } of [
  { address: "10.255.1.2", type: TYPE.A, hex: "0aff0102" },
  { address: "::", type: TYPE.AAAA, hex: "00000000000000000000000000000000" },
  { address: "::1", type: TYPE.AAAA, hex: "00000000000000000000000000000001" },
  { address: "fd00::", type: TYPE.AAAA, hex: "fd000000000000000000000000000000" },
  { address: "2001:db8::a:B", type: TYPE.AAAA, hex: "20010db80000000000000000000a000b" },
  { address: "1:2:3:4:5:6:7:8", type: TYPE.AAAA, hex: "00010002000300040005000600070008" },
  { address: "::ffff:10.0.0.1", type: TYPE.AAAA, hex: "00000000000000000000ffff0a000001" },
]) {
  test(`address ${address} in wire form`, () => {
    const found = addressData(address);
    assert.equal(found?.type, type);
    assert.equal(Buffer.from(found?.data ?? []).toString("hex"), hex);
  });
}

for (const address of ["", "localhost", "10.0.0", "10.0.0.256", "fe80::1%lo", "1::2::3"]) {
  test(`${JSON.stringify(address)} is no address`, () => {
    assert.equal(addressData(address), null);
  });
}

test("SOA, HINFO and extended errors in wire form", () => {
  const root = Uint8Array.of(0);
  const soa = {
    primary: root,
    mailbox: root,
    serial: 0xffffffff,
    refresh: 1,
    retry: 2,
    expire: 3,
    minimum: 4,
  };
  assert.equal(Buffer.from(soaData(soa)).toString("hex"), "0000ffffffff00000001000000020000000300000004");
  assert.equal(Buffer.from(hinfoData("RFC8482", "")).toString("latin1"), "\x07RFC8482\x00");
  assert.equal(Buffer.from(extendedErrorData(14, "é")).toString("hex"), "000ec3a9");
});
