import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { test } from "node:test";
import { SocketGroup } from "./socket-group.ts";

const at = (port: number) => ({ host: "127.0.0.1", port, portSetting: "port" });

test("nobody can connect to a socket that is bound and not listened on", async (t) => {
  const group = await SocketGroup.open(at(0));
  t.after(() => group.close());
  group.bind(0);
  const [error] = (await once(connect(group.port, "127.0.0.1"), "error")) as [NodeJS.ErrnoException];
  assert.equal(error.code, "ECONNREFUSED");
});

test("every slot has its own socket on one port, and keeps it", async (t) => {
  const group = await SocketGroup.open(at(0));
  t.after(() => group.close());
  const [first, second] = [group.bind(0), group.bind(1)];
  assert.notEqual(first, second);
  assert.equal(group.bind(0), first);
});

test("a released slot gets another socket on the same port", async (t) => {
  const group = await SocketGroup.open(at(0));
  t.after(() => group.close());
  group.bind(0);
  const { port } = group;
  group.release(0);
  group.release(0);
  group.bind(0);
  assert.equal(group.port, port);
});

test("a name stands for its address", async (t) => {
  const group = await SocketGroup.open({ ...at(0), host: "localhost" });
  t.after(() => group.close());
  assert.ok(group.bind(0) > 2);
});

test("a port that somebody listens on is refused, even to share", async (t) => {
  const other = createServer().listen({ host: "127.0.0.1", port: 0, reusePort: true });
  await once(other, "listening");
  t.after(() => other.close());
  const { port } = other.address() as AddressInfo;
  await assert.rejects(SocketGroup.open(at(port)), {
    message: `router cannot listen on 127.0.0.1:${port}: another process has it; stop that process or set port to a free port`,
  });
});

test("an address that this machine does not have is refused with its setting", async () => {
  await assert.rejects(
    SocketGroup.open({ ...at(0), host: "192.0.2.1" }),
    /router cannot listen on 192\.0\.2\.1:0/,
  );
});
