/**
 * Clients that mean harm, in numbers: the router's memory stays within fixed bounds, and others are served meanwhile.
 * The bounds are generous; without the limit that a test is about, it needs several times as much.
 */
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { openSocketRing } from "../../src/ring/index.ts";
import { Peer } from "../wire/support.ts";
import { readAnswer } from "./answers.ts";
import type { Report } from "./router-child.ts";

const MIB = 1024 * 1024;
const HOST = "Host: shop.example.com\r\n";
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`;
const BIG = Buffer.alloc(16 * MIB, "x");
const limited = { timeout: 60_000 };
/** So many other clients are to be served while the abuse goes on. */
const OTHERS = 50;

test(
  "ten thousand idle connections cost little memory, and further clients are served",
  limited,
  async (t) => {
    const router = await start(t);
    const before = await router.report();
    const idle: Socket[] = [];
    for (let batch = 0; batch < 50; batch++) {
      const opened = await Promise.all(Array.from({ length: 180 }, () => router.open("")));
      idle.push(...opened);
    }
    const used = await Promise.all(Array.from({ length: 1_000 }, () => router.open(GET)));
    await Promise.all(used.map((socket) => once(socket, "data")));
    const after = await router.report();
    assert.equal(after.activeConnections, 10_000);
    assert.ok(after.heldBytes - before.heldBytes < 64 * MIB, grown(before, after));
    await router.servesOthers();
  },
);

test("heads that never end hold up nobody", limited, async (t) => {
  const router = await start(t);
  const before = await router.report();
  const slow = await Promise.all(Array.from({ length: 500 }, () => router.open(GET.slice(0, -2))));
  for (let i = 0; i < 8; i++) for (const socket of slow) socket.write(`X-${i}: y\r\n`);
  await router.servesOthers();
  const after = await router.report();
  assert.ok(after.activeConnections >= 500);
  assert.ok(after.heldBytes - before.heldBytes < 16 * MIB, grown(before, after));
});

test("bodies that never come hold up nobody", limited, async (t) => {
  const router = await start(t);
  const before = await router.report();
  const head = `POST /swallow HTTP/1.1\r\n${HOST}`;
  await Promise.all([
    ...Array.from({ length: 150 }, () => router.open(`${head}Content-Length: 1000000\r\n\r\nabc`)),
    ...Array.from({ length: 150 }, () =>
      router.open(`${head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`),
    ),
    ...Array.from({ length: 150 }, () =>
      router.open(`${head}Expect: 100-continue\r\nContent-Length: 9\r\n\r\n`),
    ),
  ]);
  await router.servesOthers();
  const after = await router.report();
  assert.ok(after.heldBytes - before.heldBytes < 32 * MIB, grown(before, after));
});

test("clients that ask for much and read nothing do not fill the memory", limited, async (t) => {
  const router = await start(t);
  const before = await router.report();
  const request = `GET /big HTTP/1.1\r\n${HOST}\r\n`;
  const slow = await Promise.all(Array.from({ length: 50 }, () => router.open(request.repeat(4))));
  for (const socket of slow) socket.pause();
  await router.servesOthers();
  const after = await router.report();
  assert.equal(after.activeExchanges, 50, "each waits in its first answer");
  assert.ok(after.heldBytes - before.heldBytes < 32 * MIB, grown(before, after));
});

test(
  "clients that ask for much and read nothing do not fill the kernel's memory either",
  limited,
  async (t) => {
    const opened = openSocketRing();
    if (opened.ring === null) {
      t.skip(opened.reason);
      return;
    }
    const router = await start(t);
    const slow = await Promise.all(
      Array.from({ length: 10 }, () => router.open(`GET /big HTTP/1.1\r\n${HOST}\r\n`)),
    );
    for (const socket of slow) socket.pause();
    // Until nothing moves any more.
    let waiting = -1;
    for (let still = 0; still < 8; still++) {
      const { port } = await router.report();
      const now = waitingToBeSent(port);
      if (now !== waiting) still = 0;
      waiting = now;
    }
    // What is on its way besides is the other end's; without a limit it is 2.5 MiB and more for each.
    assert.ok(waiting > 0);
    assert.ok(waiting < 15 * MIB, `${waiting} bytes`);
  },
);

test(
  "header bombs are refused or forgotten, and the connections keep nothing of them",
  limited,
  async (t) => {
    const router = await start(t);
    const before = await router.report();
    const bombs = [
      `GET / HTTP/1.1\r\n${HOST}${"a:\r\n".repeat(250_000)}\r\n`,
      `GET /nowhere HTTP/1.1\r\nHost: nobody.example.com\r\nX: ${"y".repeat(1_000_000)}\r\n\r\n`,
      `GET /${"z".repeat(1_000_000)} HTTP/1.1\r\nHost: nobody.example.com\r\n\r\n`,
      `GET / HTTP/1.1\r\n${HOST}${"abc: d\r\n".repeat(9_000)}\r\n`,
    ];
    for (let round = 0; round < 30; round++) {
      const sockets = await Promise.all(bombs.map((bomb) => router.open(bomb)));
      await Promise.all(sockets.map((socket) => once(socket, "data")));
    }
    await router.servesOthers();
    const after = await router.report();
    assert.ok(after.heldBytes - before.heldBytes < 16 * MIB, grown(before, after));
  },
);

test(
  "a storm of aborts leaves nothing in flight, no memory and no descriptor, and the endpoint is not blamed for it",
  limited,
  async (t) => {
    const router = await start(t);
    const post = `POST /swallow HTTP/1.1\r\n${HOST}Content-Length: 100000\r\n\r\nabc`;
    const stages = ["", "GET / HT", GET, post, `GET /big HTTP/1.1\r\n${HOST}\r\n`, GET.repeat(20)];
    await router.servesOthers();
    const before = await router.report();
    for (let round = 0; round < 20; round++) {
      const sockets = await Promise.all(stages.flatMap((bytes) => [router.open(bytes), router.open(bytes)]));
      for (const [index, socket] of sockets.entries()) {
        // Half at once, half with something of an answer on its way.
        if (index % 2 === 0) socket.resetAndDestroy();
        else setImmediate(() => socket.resetAndDestroy());
      }
    }
    await router.servesOthers();
    for (;;) {
      t.signal.throwIfAborted();
      const after = await router.report();
      // Only then are those of our other clients gone, too.
      if (after.activeExchanges > 0 || after.activeConnections > 0) continue;
      if (after.descriptors > before.descriptors) continue;
      assert.ok(after.heldBytes - before.heldBytes < 4 * MIB, grown(before, after));
      break;
    }
  },
);

test("a body of chunks of one byte, and trailers of one letter, hold up nobody", limited, async (t) => {
  const router = await start(t);
  const head = `POST /swallow HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`;
  const tiny = head + "1\r\na\r\n".repeat(50_000);
  const trailers = `${head}0\r\n${"a:\r\n".repeat(16_000)}`;
  const before = await router.report();
  await Promise.all(Array.from({ length: 20 }, (_, i) => router.open(i % 2 === 0 ? tiny : trailers)));
  await router.servesOthers();
  const after = await router.report();
  assert.ok(after.heldBytes - before.heldBytes < 32 * MIB, grown(before, after));
});

/** In the kernel, by all connections that were made to the port. @see proc_net_tcp in the kernel's documentation */
function waitingToBeSent(port: number): number {
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  let bytes = 0;
  for (const line of readFileSync("/proc/net/tcp", "latin1").split("\n")) {
    const [, address, , , queues] = line.trim().split(/\s+/);
    if (address?.endsWith(local) === true) bytes += Number.parseInt(queues ?? "0", 16);
  }
  return bytes;
}

interface AbusedRouter {
  /** A connection that has sent `bytes`; what it receives is thrown away. */
  open(bytes: string): Promise<Socket>;
  report(): Promise<Report>;
  /** Other clients get their answers, every one of them. */
  servesOthers(): Promise<void>;
}

async function start(t: TestContext): Promise<AbusedRouter> {
  const endpoint = createServer((request, response) => {
    if (request.url === "/swallow") request.resume();
    else response.end(request.url === "/big" ? BIG : "ok");
  });
  endpoint.listen(0, "127.0.0.1");
  await once(endpoint, "listening");
  const child = fork(
    join(import.meta.dirname, "router-child.ts"),
    [String((endpoint.address() as AddressInfo).port)],
    { execArgv: ["--expose-gc"] },
  );
  const next = async () => ((await once(child, "message")) as [Report])[0];
  const sockets: Socket[] = [];
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    child.disconnect();
    await once(child, "exit");
    endpoint.closeAllConnections();
    endpoint.close();
  });
  const { port } = await next();
  const open = async (bytes: string) => {
    const socket = connect(port, "127.0.0.1");
    sockets.push(socket);
    socket.on("error", () => {}).resume();
    await once(socket, "connect");
    socket.write(bytes, "latin1");
    return socket;
  };
  return {
    open,
    report() {
      const report = next();
      child.send("report");
      return report;
    },
    async servesOthers() {
      for (let i = 0; i < OTHERS; i++) {
        const socket = connect(port, "127.0.0.1");
        sockets.push(socket);
        await once(socket, "connect");
        const peer = new Peer(socket);
        peer.send(GET);
        const { status, body } = await readAnswer(peer);
        assert.deepEqual({ status, body }, { status: 200, body: "ok" });
        socket.destroy();
      }
    },
  };
}

const grown = (before: Report, after: Report) =>
  `grew by ${Math.round((after.heldBytes - before.heldBytes) / MIB)} MiB`;
