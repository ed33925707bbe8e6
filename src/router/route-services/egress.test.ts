import assert from "node:assert/strict";
import type { LookupAddress, lookup } from "node:dns";
import test from "node:test";
import { routeServiceAddressRefused } from "../../kernel/errors/route-services.ts";
import { createEgressPolicy, guardedLookup, networkProblem } from "./egress.ts";

const SERVICE = "guard.example.com";

for (const address of [
  "0.0.0.0",
  "10.1.2.3",
  "100.64.0.1",
  "127.0.0.1",
  "127.255.255.255",
  "169.254.169.254",
  "172.31.255.255",
  "192.168.0.1",
  "224.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "::127.0.0.1",
  "::ffff:10.0.0.1",
  "::ffff:a9fe:a9fe",
  "2002:7f00:1::",
  "64:ff9b::a00:1",
  "fd00::1",
  "fe80::1",
  "fe80::1%eth0",
  "ff02::1",
  "not an address",
  "",
]) {
  test(`no service may be at «${address}»`, () =>
    assert.equal(createEgressPolicy([]).allows(address), false));
}

for (const address of ["8.8.8.8", "172.32.0.1", "100.128.0.1", "::ffff:8.8.8.8", "2606:4700::1111"]) {
  test(`a service may be at ${address}`, () => assert.equal(createEgressPolicy([]).allows(address), true));
}

test("an allowed network is allowed in every spelling, and no other with it", () => {
  const policy = createEgressPolicy(["10.1.0.0/16", "fd00:1::/32"]);
  for (const address of ["10.1.9.9", "::ffff:10.1.9.9", "fd00:1::9"])
    assert.ok(policy.allows(address), address);
  for (const address of ["10.2.0.1", "fd00:2::1", "127.0.0.1"]) assert.ok(!policy.allows(address), address);
});

test("networks of all addresses turn the policy off", () => {
  const policy = createEgressPolicy(["0.0.0.0/0", "::/0"]);
  for (const address of ["127.0.0.1", "169.254.169.254", "::1"]) assert.ok(policy.allows(address), address);
});

for (const network of [
  "10.0.0.0",
  "10.0.0.0/33",
  "10.0.0/8",
  "::/129",
  "10.0.0.0/8/8",
  "10.0.0.0/-1",
  "a/8",
  "/8",
  "",
]) {
  test(`«${network}» is not a network`, () => {
    assert.equal(
      networkProblem(network),
      `${JSON.stringify(network)} is not a network; write one like 10.0.0.0/8`,
    );
  });
}

test("networks are written address and prefix", () => {
  for (const network of ["10.0.0.0/8", "0.0.0.0/0", "fd00::/7", "::1/128"])
    assert.equal(networkProblem(network), null);
});

/** A resolver whose answers change from question to question, as an attacker's does. */
function resolver(...answers: (Error | readonly string[])[]): typeof lookup {
  const resolve = (
    _: string,
    __: object,
    callback: (error: Error | null, found: LookupAddress[]) => void,
  ) => {
    const answer = answers.shift() ?? [];
    if (answer instanceof Error) callback(answer, []);
    else
      callback(
        null,
        answer.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
      );
  };
  return resolve as typeof lookup;
}

function ask(found: ReturnType<typeof resolver>, all: boolean) {
  const seen: unknown[] = [];
  guardedLookup(createEgressPolicy([]), SERVICE, found)(SERVICE, { all }, (error, ...rest) => {
    seen.push(error ?? rest);
  });
  return seen;
}

test("only the addresses that were judged are handed to the socket", () => {
  const mixed = () => resolver(["10.0.0.1", "8.8.8.8", "::1"]);
  assert.deepEqual(ask(mixed(), true), [[[{ address: "8.8.8.8", family: 4 }]]]);
  assert.deepEqual(ask(mixed(), false), [["8.8.8.8", 4]]);
});

test("a name that means something else the next time is judged again", () => {
  const changing = resolver(["8.8.8.8"], ["169.254.169.254"]);
  assert.deepEqual(ask(changing, false), [["8.8.8.8", 4]]);
  assert.ok(routeServiceAddressRefused.is(ask(changing, false)[0]));
});

test("a refusal says where the name led to operators, not to clients", () => {
  const [error] = ask(resolver(["10.0.0.1", "::1"]), true);
  assert.ok(routeServiceAddressRefused.is(error));
  assert.doesNotMatch(error.message, /10\.0\.0\.1/);
  assert.match(String(error.cause), /guard\.example\.com is 10\.0\.0\.1, ::1$/);
});

test("what the system says of a name is passed on", () => {
  const unknown = new Error("ENOTFOUND");
  assert.deepEqual(ask(resolver(unknown), true), [unknown]);
});
