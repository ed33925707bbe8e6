import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { once } from "node:events";
import { BoundSocket, connect, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { test, type TestContext } from "node:test";
import { loadFfi } from "../kernel/index.ts";
import { readAll } from "../../test/support/read-all.ts";
import type { Acceptor, SocketRing } from "./index.ts";
import { Memo, ringFor } from "./testing.ts";

const EINVAL = 22;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;

const hasIpv6 = Object.values(networkInterfaces()).some((list) =>
  list?.some(({ address }) => address === "::1"),
);

class Door {
  readonly fd: number;
  readonly port: number;
  readonly acceptor: Acceptor;
  /** Accepted and not closed. */
  readonly fds: number[] = [];
  readonly failures: number[] = [];
  #wake = () => {};

  constructor(t: TestContext, ring: SocketRing, host = "127.0.0.1") {
    const bound = new BoundSocket({ host, port: 0 });
    this.fd = bound.fd();
    this.port = bound.address().port as number;
    const note = (list: number[]) => (number: number) => {
      list.push(number);
      this.#wake();
    };
    this.acceptor = ring.listen(bound.fd(), 128, { accepted: note(this.fds), failed: note(this.failures) });
    t.after(() => {
      this.acceptor.close();
      bound.close();
      for (const fd of this.fds) ring.closeDescriptor(fd);
    });
  }

  async until(count: number, list: readonly number[] = this.fds): Promise<readonly number[]> {
    while (list.length < count) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return list;
  }
}

async function client(t: TestContext, port: number, host = "127.0.0.1"): Promise<Socket> {
  const socket = connect({ port, host });
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  await once(socket, "connect");
  return socket;
}

test("one that listens accepts all who come, one after the other and many at once", async (t) => {
  const ring = ringFor(t);
  if (ring === null) return;
  const door = new Door(t, ring);
  for (let i = 1; i <= 3; i++) {
    await client(t, door.port);
    await door.until(i);
  }
  const many = Array.from({ length: 60 }, () => client(t, door.port));
  await Promise.all(many);
  assert.equal(new Set(await door.until(63)).size, 63);
});

for (const { host, peer } of [
  { host: "127.0.0.1", peer: "127.0.0.1" },
  { host: "::1", peer: "::1" },
  // Both families on one socket: an IPv4 address never in its IPv6 form.
  { host: "::", peer: "127.0.0.1" },
]) {
  test(`a connection from ${peer} to ${host} is told with the address and port of either end`, async (t) => {
    const ring = ringFor(t);
    if (ring === null) return;
    if (host.includes(":") && !hasIpv6) return t.skip("skipped, this machine has no ::1");
    const door = new Door(t, ring, host);
    const socket = await client(t, door.port, peer);
    const [fd = -1] = await door.until(1);
    assert.deepEqual(ring.peerOf(fd), { address: peer, port: socket.localPort });
    assert.deepEqual(ring.nameOf(fd), { address: peer, port: door.port });
  });
}

test("of a descriptor that is no connection's there is no address", (t) => {
  const ring = ringFor(t);
  if (ring === null) return;
  assert.deepEqual(ring.peerOf(-1), { address: "", port: 0 });
});

test("what is written on an accepted connection does not wait for more", async (t) => {
  const ring = ringFor(t);
  if (ring === null) return;
  const door = new Door(t, ring);
  await client(t, door.port);
  const [fd = -1] = await door.until(1);
  const { functions } = loadFfi().dlopen(null, {
    getsockopt: { arguments: ["i32", "i32", "i32", "pointer", "pointer"], return: "i32" },
  });
  const [value, length] = [Buffer.alloc(4), Buffer.from([4, 0, 0, 0])];
  assert.equal(functions.getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, value, length), 0);
  assert.equal(value.readInt32LE(), 1);
});

test("closing accepts who has waited until then, and nobody later", async (t) => {
  const ring = ringFor(t);
  if (ring === null) return;
  const door = new Door(t, ring);
  // Their connections are complete before the ring has its turn.
  const sockets = Array.from({ length: 5 }, () => connect({ port: door.port, host: "127.0.0.1" }));
  for (const socket of sockets) t.after(() => socket.destroy());
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  door.acceptor.close();
  assert.equal((await door.until(5)).length, 5);
  await client(t, door.port);
  for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(door.fds.length, 5);
});

test("a socket that cannot listen, and one that stops to, are told of with the system's code", async (t) => {
  const ring = ringFor(t);
  if (ring === null) return;
  const nobody = { accepted: () => {}, failed: () => {} };
  assert.throws(() => ring.listen(-1, 1, nobody), { code: "EBADF" });

  const door = new Door(t, ring);
  const { functions } = loadFfi().dlopen(null, {
    shutdown: { arguments: ["i32", "i32"], return: "i32" },
  });
  assert.equal(functions.shutdown(door.fd, 2), 0);
  assert.deepEqual(await door.until(1, door.failures), [EINVAL]);
});

test("descriptors that the ring closes are closed, with a receive that waits as well", async (t) => {
  const ring = ringFor(t);
  if (ring === null) return;
  const door = new Door(t, ring);
  const before = readdirSync("/proc/self/fd").length;
  for (let i = 0; i < 40; i++) {
    const peer = await client(t, door.port);
    await door.until(1);
    const [fd = -1] = door.fds.splice(0);
    const silent = new Memo();
    const socket = ring.add(fd, silent);
    if (i % 2 === 0) socket.receive();
    socket.send(`last words ${i}`);
    socket.destroy();
    assert.equal(await readAll(peer), `last words ${i}`);
    peer.destroy();
    await once(peer, "close");
  }
  assert.ok(readdirSync("/proc/self/fd").length <= before + 1);
});
