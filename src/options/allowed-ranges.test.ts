import assert from "node:assert/strict";
import { test } from "node:test";
import { clientNotAllowed } from "../kernel/errors/options.ts";
import allowedRanges from "./allowed-ranges.ts";
import { exchangeView, problemsOf, ROUTE } from "./samples.ts";

for (const range of [
  "example.com",
  "10.0.0.0/33",
  "10.0.0.0/",
  "10.0.0.0/8/8",
  "10.0.0.0/-1",
  "10.0.0/8",
  "010.0.0.1",
  "2001:db8::/129",
  "fe80::1%eth0",
  ":::",
  "/8",
]) {
  test(`refuses «${range}» among good ones and names it`, () =>
    assert.deepEqual(problemsOf(allowedRanges, `192.0.2.0/24,${range}, 2001:db8::/32`), [
      `Options allowed-ranges: '${range}' is not a network; write one like 203.0.113.0/24 or 2001:db8::/32`,
    ]));
}

test("refuses what is empty, no text, too long, or a spelling that no client has", () => {
  const [shape] = problemsOf(allowedRanges, 8);
  assert.equal(shape, "Options Allowed ranges must be networks like '203.0.113.0/24, 2001:db8::/32'");
  assert.deepEqual(problemsOf(allowedRanges, ""), [shape]);
  assert.match(problemsOf(allowedRanges, "10.0.0.0/8,").join(), /'' is not a network/);
  assert.match(problemsOf(allowedRanges, "10.0.0.0/8,".repeat(90)).join(), /at most 960 characters$/);
  assert.deepEqual(problemsOf(allowedRanges, "::FFFF:10.0.0.0/104"), [
    "Options allowed-ranges: '::FFFF:10.0.0.0/104' is IPv4 in IPv6; write it as IPv4",
  ]);
});

const OFFICE = "198.51.100.7, 203.0.113.0/24 ,10.1.2.3/8,2001:db8::/32,::1";
for (const { client, isIn } of [
  { client: "198.51.100.7", isIn: true },
  { client: "198.51.100.8", isIn: false },
  { client: "203.0.113.0", isIn: true },
  { client: "203.0.113.255", isIn: true },
  { client: "203.0.114.0", isIn: false },
  { client: "10.200.0.1", isIn: true },
  { client: "2001:db8:ffff::1", isIn: true },
  { client: "2001:0DB8:0:0:0:0:0:1", isIn: true },
  { client: "2001:db9::", isIn: false },
  { client: "::1", isIn: true },
  { client: "::2", isIn: false },
  { client: "::ffff:203.0.113.9", isIn: true },
  { client: "fe80::1%eth0", isIn: false },
  { client: "", isIn: false },
  { client: "nonsense", isIn: false },
]) {
  test(`${isIn ? "lets in" : "keeps out"} ${client === "" ? "nobody's address" : client}`, () => {
    const admit = () => allowedRanges.hooks(OFFICE, ROUTE).admit?.(exchangeView({ clientAddress: client }));
    if (isIn) assert.equal(admit(), null);
    else {
      assert.throws(
        admit,
        (error) => clientNotAllowed.is(error) && error.message.endsWith(`clients at ${client} in.`),
      );
    }
  });
}

test("everybody is allowed by /0, by family", () => {
  const { admit } = allowedRanges.hooks("0.0.0.0/0", ROUTE);
  assert.equal(admit?.(exchangeView()), null);
  assert.throws(() => admit?.(exchangeView({ clientAddress: "2001:db8::1" })), clientNotAllowed.is);
});

test("says who is kept out", () =>
  assert.equal(
    allowedRanges.explain("10.0.0.0/8,::1"),
    "clients at other addresses than 10.0.0.0/8 or ::1 get 403",
  ));

test("names as many networks as the operator allows", () => {
  const many = Array.from({ length: 129 }, () => "::/0").join();
  assert.deepEqual(problemsOf(allowedRanges, many), [
    "Options allowed-ranges: 129 networks are more than the 128 that the operator allows",
  ]);
  const operator = { maxAllowedRanges: 1 };
  assert.deepEqual(problemsOf(allowedRanges, "10.0.0.0/8", operator), []);
  assert.match(problemsOf(allowedRanges, "10.0.0.0/8, ::/0", operator).join(), /2 networks .* the 1 that/);
});
