/** Connections that come and go: whoever accepts them loses none, and keeps nothing of them. */
import assert from "node:assert/strict";
import { closeSync, openSync, readdirSync } from "node:fs";
import { once } from "node:events";
import { connect } from "node:net";
import type { TestContext } from "node:test";
import { connect as connectTls } from "node:tls";
import { loadFfi } from "../../src/kernel/index.ts";
import { openSocketRing } from "../../src/ring/index.ts";
import { createAuthority } from "../support/authority.ts";
import {
  type EndpointPeer,
  Peer,
  type RouterUnderTest,
  script,
  startEndpoint,
  startRouter,
  tlsListener,
} from "./support.ts";

const HEAD = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n";
/** Of a handshake: its header says that 256 bytes follow. */
const HALF_RECORD = "\x16\x03\x01\x01\x00\x01";
const RLIMIT_NOFILE = 7;
/** Descriptors that a router opens to start, and some more. */
const ROOM = 20;

const closingGet = (host: string): string =>
  `GET / HTTP/1.1\r\nHost: ${host}.example.com\r\nConnection: close\r\n\r\n`;

/** Answers every request with the same. */
async function answerAll(endpoint: EndpointPeer, answer: string): Promise<never> {
  for (;;) {
    const { socket } = await endpoint.accept();
    socket.on("data", () => socket.write(answer)).on("end", () => socket.end());
  }
}

async function allHaveGone(router: RouterUnderTest): Promise<void> {
  let isQuiet = false;
  void router.router.whenQuiet(600_000).then(() => {
    isQuiet = true;
  });
  // It looks at every tick.
  await router.eventually(() => {
    router.clock.advance(100);
    return isQuiet;
  });
  assert.equal(router.router.counters.activeConnections, 0);
}

function begin(t: TestContext, port: number): Peer {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  t.after(() => socket.destroy());
  return new Peer(socket);
}

/** Has all of these clients come several times at once, round after round. */
async function leavesNothing(
  router: RouterUnderTest,
  rounds: number,
  clients: readonly (() => Promise<void>)[],
): Promise<void> {
  const round = async () => {
    await Promise.all([clients, clients, clients].flat().map((client) => client()));
    await allHaveGone(router);
  };
  // What is opened once, at its first use, is open then.
  await round();
  const before = openDescriptors();
  for (let i = 0; i < rounds; i++) await round();
  await router.eventually(() => openDescriptors() <= before);
  assert.deepEqual(
    router.log.filter(({ level }) => level === "error"),
    [],
  );
}

/** The lowest that is free. */
function nextDescriptor(): number {
  const fd = openSync("/dev/null", "r");
  closeSync(fd);
  return fd;
}

const openDescriptors = (): number => readdirSync("/proc/self/fd").length;

script("connections of one request each leave nothing behind, however they end", async (t) => {
  const [whole, half] = [await startEndpoint(t), await startEndpoint(t)];
  void answerAll(whole, `${HEAD}answer`);
  void answerAll(half, `${HEAD}ans`);
  const router = await startRouter(t, {
    config: { keepAliveToEndpoints: false },
    routes: [
      { uri: "shop.example.com", ports: [whole.port] },
      { uri: "half.example.com", ports: [half.port] },
    ],
  });
  /** What a client does, and expects. */
  const ways: ((peer: Peer) => Promise<unknown>)[] = [
    async (peer) => {
      peer.send(closingGet("shop"));
      assert.match(await peer.rest(), /^HTTP\/1\.1 200 [^]*answer$/);
    },
    async (peer) => {
      peer.send(closingGet("nobody"));
      peer.end();
      assert.match(await peer.rest(), /^HTTP\/1\.1 404 /);
    },
    // Before anything, in the middle of a request, behind one, and in the middle of its answer.
    async (peer) => peer.reset(),
    async (peer) => {
      peer.send("GET / HTTP/1.1\r\nHost: sh");
      await new Promise((resolve) => setImmediate(resolve));
      peer.reset();
    },
    async (peer) => {
      peer.send(closingGet("shop"));
      peer.reset();
    },
    async (peer) => {
      peer.send(closingGet("half"));
      await peer.until("ans");
      peer.reset();
    },
  ];
  await leavesNothing(
    router,
    50,
    ways.map((way) => async () => {
      const peer = begin(t, router.port);
      await once(peer.socket, "connect");
      await way(peer);
      peer.socket.destroy();
    }),
  );
});

script(
  "connections on TLS leave nothing behind, in whatever part of the handshake or behind it they end",
  async (t) => {
    const authority = createAuthority(t);
    if (authority === null) return;
    const server = authority.issue({ subject: "/CN=shop", alternativeNames: "DNS:shop.example.com" });
    const router = await startRouter(t, { config: { tls: tlsListener([server]) } });
    const port = router.router.tlsPort;
    const plain = (way: (peer: Peer) => Promise<unknown>) => async () => {
      const peer = begin(t, port);
      await once(peer.socket, "connect");
      await way(peer);
      peer.socket.destroy();
    };
    const secure =
      (until: "connect" | "secureConnect", way: (peer: Peer) => Promise<unknown>) => async () => {
        const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false });
        t.after(() => socket.destroy());
        const peer = new Peer(socket);
        await once(socket, until);
        await way(peer);
        socket.destroy();
      };
    await leavesNothing(router, 8, [
      plain(async (peer) => peer.reset()),
      plain(async (peer) => peer.end()),
      plain(async (peer) => {
        peer.send(HALF_RECORD);
        await new Promise((resolve) => setImmediate(resolve));
        peer.reset();
      }),
      plain(async (peer) => {
        peer.send(HALF_RECORD);
        peer.end();
        assert.equal(await peer.rest(), "");
      }),
      plain(async (peer) => {
        peer.send("GET / HTTP/1.1\r\n\r\n");
        await peer.rest();
      }),
      secure("connect", async () => {}),
      secure("connect", () => new Promise((resolve) => setImmediate(resolve))),
      secure("secureConnect", async () => {}),
      secure("secureConnect", async (peer) => {
        peer.send(closingGet("nobody"));
        assert.match(await peer.rest(), /^HTTP\/1\.1 404 /);
      }),
    ]);
  },
);

script(
  "without descriptors left clients wait, which is said once, and are served when there are some",
  async (t) => {
    const { functions: limits } = loadFfi().dlopen(null, {
      getrlimit: { arguments: ["i32", "pointer"], return: "i32" },
      setrlimit: { arguments: ["i32", "pointer"], return: "i32" },
    });
    if (openSocketRing().ring === null || process.env.VIADUCT_TEST_IO_URING === "off") {
      t.skip("skipped, Node's servers accept here");
      return;
    }
    const usual = Buffer.alloc(16);
    assert.equal(limits.getrlimit(RLIMIT_NOFILE, usual), 0);
    const limitTo = (count: number) => {
      const limit = Buffer.from(usual);
      limit.writeBigUInt64LE(BigInt(count), 0);
      assert.equal(limits.setrlimit(RLIMIT_NOFILE, limit), 0);
    };
    const restore = () => limits.setrlimit(RLIMIT_NOFILE, usual);
    t.after(restore);

    // What is accepted is limited by what the limit was when it was asked for; clients, which are of this process too,
    // come when there is none, and have descriptors above it.
    const limit = ROOM + nextDescriptor();
    limitTo(limit);
    const router = await startRouter(t);
    restore();
    const taken: number[] = [];
    t.after(() => taken.forEach(closeSync));
    while (nextDescriptor() < limit) taken.push(openSync("/dev/null", "r"));
    const peers = Array.from({ length: 3 }, () => begin(t, router.port));
    const complaints = () => router.log.filter(({ message }) => message === "accept failed");
    await router.eventually(() => complaints().length > 0);
    for (let ticks = 0; ticks < 5; ticks++) {
      limitTo(limit);
      router.clock.advance(100);
      await new Promise((resolve) => setImmediate(resolve));
      restore();
    }
    assert.equal(router.router.counters.activeConnections, 0);
    for (const fd of taken.splice(0)) closeSync(fd);
    router.clock.advance(100);
    for (const peer of peers) {
      peer.send(closingGet("nobody"));
      assert.match(await peer.rest(), /^HTTP\/1\.1 404 /);
      peer.end();
    }
    assert.deepEqual(
      complaints().map(({ err }) => (err as NodeJS.ErrnoException).code),
      ["EMFILE"],
    );
  },
);
