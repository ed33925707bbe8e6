import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import { noFreePort } from "../kernel/errors/diego.ts";
import { createInstanceAddresses, createPorts } from "./addresses.ts";

test("a port that something listens on is not given away", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  await assert.rejects(createPorts({ first: port, last: port }).take(1), noFreePort.is);
});

const isFree = async () => true;

test("no port is given twice until it is given back, and then it comes last", async () => {
  const ports = createPorts({ first: 5001, last: 5004, isFree });
  const given = await ports.take(2);
  const rest = await ports.take(2);
  assert.deepEqual([...given, ...rest].toSorted(), [5001, 5002, 5003, 5004]);
  await assert.rejects(ports.take(1), noFreePort.is);
  ports.giveBack(given);
  ports.giveBack(rest);
  assert.deepEqual(await ports.take(4), [...given, ...rest]);
});

test("a request that cannot be met in full takes nothing", async () => {
  const ports = createPorts({ first: 5001, last: 5002, isFree });
  await assert.rejects(ports.take(3), noFreePort.is);
  assert.equal((await ports.take(2)).length, 2);
});

test("on Linux every instance has a loopback address of its own", async () => {
  const next = await createInstanceAddresses();
  const addresses = Array.from({ length: 600 }, next);
  if (process.platform !== "linux") {
    assert.deepEqual(new Set(addresses), new Set(["127.0.0.1"]));
    return;
  }
  assert.equal(new Set(addresses).size, 600);
  assert.deepEqual(addresses.slice(0, 2), ["127.1.0.1", "127.1.0.2"]);
  assert.equal(addresses[255], "127.1.1.0");
});
