import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { test, type TestContext } from "node:test";
import { promisify } from "node:util";
import { needs } from "../../test/support/needs.ts";
import { portTaken } from "../kernel/errors/config.ts";
import { createLogger, createManualClock, silentLogger, systemClock } from "../kernel/index.ts";
import { decodeMessage, encodeQuery, FrameReader, frameMessage, RCODE, TYPE } from "../wire/dns/index.ts";
import { createDnsServer, createRandom, type DnsServerOptions } from "./index.ts";
import { dnsConfig, internalTable, reserve, up } from "./testing.ts";

const run = promisify(execFile);
const NAME = "shop.apps.internal";

async function startServer(
  t: TestContext,
  flags: Readonly<Record<string, string>> = {},
  some: Partial<DnsServerOptions> = {},
) {
  const table = internalTable();
  reserve(table, NAME);
  const state = { isWarm: true };
  const server = createDnsServer({
    config: dnsConfig({ "dns.port": "0", ...flags }),
    table,
    isWarm: () => state.isWarm,
    log: silentLogger,
    clock: systemClock,
    random: createRandom(1),
    ...some,
  });
  await server.start();
  t.after(() => server.stop());
  const dig = async (path: string, ...args: string[]) => {
    const { stdout } = await run(path, [
      "@127.0.0.1",
      "-p",
      String(server.udpPort),
      "+time=2",
      "+tries=1",
      ...args,
    ]);
    return stdout;
  };
  return { server, table, state, dig };
}

function instances(table: ReturnType<typeof internalTable>, count: number): void {
  for (let index = 0; index < count; index++) up(table, NAME, index);
}

async function udpClient(t: TestContext, port: number) {
  const socket: UdpSocket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  t.after(() => socket.close());
  const received: Buffer[] = [];
  let wake = () => {};
  socket.on("message", (bytes) => {
    received.push(bytes);
    wake();
  });
  return {
    send: (bytes: Uint8Array) => socket.send(bytes, port, "127.0.0.1"),
    receive: async () => {
      while (received.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      return decodeMessage(received.shift() ?? new Uint8Array(0));
    },
  };
}

async function tcpClient(t: TestContext, port: number) {
  const socket: Socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  await once(socket, "connect");
  t.after(() => socket.destroy());
  const frames = new FrameReader();
  let wake = () => {};
  socket.on("data", (bytes: Buffer) => {
    frames.push(bytes);
    wake();
  });
  const receive = async () => {
    for (;;) {
      const next = frames.next();
      if (next !== null && next !== "invalid") return decodeMessage(next);
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  // By FIN or by reset.
  const closed = new Promise<void>((resolve) => socket.on("end", resolve).on("close", () => resolve()));
  socket.on("error", () => {});
  return { socket, receive, closed };
}

const aQuery = (id: number, some: Partial<Parameters<typeof encodeQuery>[0]> = {}) =>
  encodeQuery({ id, name: NAME, type: TYPE.A, ...some });

test("dig gets the addresses of the running instances, each first in turn, with TTL 0", async (t) => {
  const path = needs(t, "dig");
  if (path === null) return;
  const { table, dig } = await startServer(t);
  instances(table, 3);
  const firsts: string[] = [];
  for (let n = 0; n < 6; n++) {
    const lines: string[] = (await dig(path, "+noall", "+answer", NAME)).trim().split("\n");
    assert.equal(lines.length, 3);
    for (const line of lines) assert.match(line, /^shop\.apps\.internal\.\s+0\s+IN\s+A\s+10\.255\.0\.[012]$/);
    firsts.push(lines[0]?.split(/\s+/).at(-1) ?? "");
  }
  assert.equal(new Set(firsts.slice(0, 3)).size, 3);
  assert.deepEqual(firsts.slice(3), firsts.slice(0, 3));
});

test("dig sees NXDOMAIN for an unknown name, with the SOA, and its own case in the answer", async (t) => {
  const path = needs(t, "dig");
  if (path === null) return;
  const { table, dig } = await startServer(t);
  instances(table, 1);
  const unknown = await dig(path, "unknown.apps.internal");
  assert.match(unknown, /status: NXDOMAIN/);
  assert.match(
    unknown,
    /apps\.internal\.\s+1\s+IN\s+SOA\s+ns\.dns\.apps\.internal\. hostmaster\.apps\.internal\. \d+ /,
  );
  assert.match(unknown, /flags: qr aa rd; /);
  assert.match(await dig(path, "+noall", "+answer", "sHoP.aPPs.internal"), /^sHoP\.aPPs\.internal\./);
  assert.match(await dig(path, "example.com"), /status: REFUSED[^]*EDE: 20/);
});

test("dig repeats a truncated answer over TCP by itself and then has every address", async (t) => {
  const path = needs(t, "dig");
  if (path === null) return;
  const { table, dig, server } = await startServer(t);
  instances(table, 200);
  const count = (text: string) => text.match(/\sIN\sA\s/g)?.length;
  assert.equal(count(await dig(path, "+noall", "+answer", NAME)), 200);
  assert.equal(server.metrics.truncated, 1);
  assert.equal(server.metrics.queriesTcp, 1);
  const cut = await dig(path, "+ignore", "+noedns", "+noquestion", NAME);
  assert.match(cut, /flags: qr aa tc rd;/);
  assert.equal(count(cut), 29);
});

test("while cold a name is SERVFAIL, never NXDOMAIN", async (t) => {
  const path = needs(t, "dig");
  if (path === null) return;
  const { dig, state } = await startServer(t);
  state.isWarm = false;
  assert.match(await dig(path, "unknown.apps.internal"), /status: SERVFAIL[^]*EDE: 14 \(Not Ready\)/);
  state.isWarm = true;
  assert.match(await dig(path, "unknown.apps.internal"), /status: NXDOMAIN/);
});

test("what is no query gets its code or silence, and the next query its answer", async (t) => {
  const { server, table } = await startServer(t);
  instances(table, 1);
  const { send, receive } = await udpClient(t, server.udpPort);
  const good = aQuery(99);
  const with_ = (offset: number, value: number) => good.map((byte, i) => (i === offset ? value : byte));
  for (const bytes of [new Uint8Array(0), good.subarray(0, 11), with_(2, 0x80), good]) send(bytes);
  // Silence for the first three: the first answer is the last one's.
  assert.equal((await receive()).rcode, RCODE.NOERROR);
  for (const [bytes, rcode] of [
    [with_(5, 2), RCODE.FORMERR],
    [with_(12, 0xc0), RCODE.FORMERR],
    [good.subarray(0, -1), RCODE.FORMERR],
    [with_(2, 4 << 3), RCODE.NOTIMP],
    [aQuery(1, { edns: { udpBytes: 512, version: 1 } }), 0],
  ] as const) {
    send(bytes);
    assert.equal((await receive()).rcode, rcode);
  }
  assert.equal(server.metrics.dropped, 3);
  assert.deepEqual(server.metrics.responses, { NOERROR: 1, FORMERR: 3, NOTIMP: 1, BADVERS: 1 });
});

test("a client's EDNS size is respected up to ours", async (t) => {
  const { server, table } = await startServer(t);
  instances(table, 300);
  const { send, receive } = await udpClient(t, server.udpPort);
  const counts: number[] = [];
  for (const udpBytes of [0, 600, 65_535]) {
    send(aQuery(1, { edns: { udpBytes } }));
    const { answers, truncated } = await receive();
    assert.equal(truncated, true);
    counts.push(answers.length);
  }
  assert.deepEqual(counts, [29, 34, 74]);
});

test("a hundred queries in one segment are answered on one connection, which stays open", async (t) => {
  const { server, table } = await startServer(t);
  instances(table, 75);
  const { socket, receive } = await tcpClient(t, server.tcpPort);
  socket.write(Buffer.concat(Array.from({ length: 100 }, (_, id) => frameMessage(aQuery(id)))));
  for (let id = 0; id < 100; id++) {
    const message = await receive();
    assert.deepEqual([message.id, message.answers.length, message.truncated], [id, 75, false]);
  }
  socket.write(frameMessage(aQuery(1000)));
  assert.equal((await receive()).id, 1000);
});

test("a query in single bytes is answered, and a client that has closed its side still gets its answers", async (t) => {
  const { server, table } = await startServer(t);
  instances(table, 1);
  const { socket, receive, closed } = await tcpClient(t, server.tcpPort);
  socket.setNoDelay(true);
  for (const byte of frameMessage(aQuery(5))) {
    await new Promise<void>((resolve) => socket.write(Uint8Array.of(byte), () => resolve()));
  }
  socket.end(frameMessage(aQuery(6)));
  assert.equal((await receive()).id, 5);
  assert.equal((await receive()).id, 6);
  await closed;
});

for (const length of [0, 11]) {
  test(`a frame of ${length} bytes closes the connection`, async (t) => {
    const { server } = await startServer(t);
    const { socket, closed } = await tcpClient(t, server.tcpPort);
    socket.write(Uint8Array.of(0, length));
    socket.resume();
    await closed;
  });
}

test("a TCP client that asks how long it may be idle is told, a UDP client is not", async (t) => {
  const { server, table } = await startServer(t);
  instances(table, 1);
  const bytes = aQuery(1, { edns: { udpBytes: 1232, options: [{ code: 11, data: new Uint8Array(0) }] } });
  const tcp = await tcpClient(t, server.tcpPort);
  tcp.socket.write(frameMessage(bytes));
  assert.deepEqual([...((await tcp.receive()).additional[0]?.data ?? [])], [0, 11, 0, 2, 0, 100]);
  const udp = await udpClient(t, server.udpPort);
  udp.send(bytes);
  assert.equal((await udp.receive()).additional[0]?.data.length, 0);
});

test("a client that sends no whole query in time is closed, however it dribbles", async (t) => {
  const clock = createManualClock();
  const { server, table } = await startServer(t, {}, { clock });
  instances(table, 1);
  const { socket, receive, closed } = await tcpClient(t, server.tcpPort);
  socket.write(frameMessage(aQuery(1)));
  await receive();
  clock.advance(9_999);
  // A whole query starts the time anew …
  socket.write(frameMessage(aQuery(2)));
  await receive();
  clock.advance(9_999);
  assert.equal(server.metrics.connections, 1);
  // … its first byte as well, but not the further ones. The whole query beside it shows that they have arrived.
  const frame = frameMessage(aQuery(3));
  socket.write(Buffer.concat([frame, frame.subarray(0, 1)]));
  await receive();
  clock.advance(10_000);
  await closed;
  assert.equal(server.metrics.connections, 0);
});

test("a client that does not read its answers is not answered further", async (t) => {
  const clock = createManualClock();
  const { server, table } = await startServer(t, {}, { clock });
  instances(table, 2000);
  const { socket, receive } = await tcpClient(t, server.tcpPort);
  socket.pause();
  const asked = 1000;
  const queries = Buffer.concat(Array.from({ length: asked }, (_, id) => frameMessage(aQuery(id))));
  await new Promise<void>((resolve) => socket.write(queries, () => resolve()));
  // Another client's answer shows that the server has come past the first one's queries.
  const other = await tcpClient(t, server.tcpPort);
  for (let n = 0; n < 3; n++) {
    other.socket.write(frameMessage(aQuery(7)));
    await other.receive();
  }
  // 32 kB an answer: what the sockets' buffers hold, but far from all.
  assert(server.metrics.queriesTcp < asked / 2, String(server.metrics.queriesTcp));
  socket.resume();
  for (let id = 0; id < asked; id++) assert.equal((await receive()).id, id);
});

test("no more connections than allowed, in all and from one address", async (t) => {
  const { server } = await startServer(t, {
    "dns.max_connections": "3",
    "dns.max_connections_per_client": "2",
  });
  const first = await tcpClient(t, server.tcpPort);
  first.socket.write(frameMessage(aQuery(1)));
  await first.receive();
  const second = await tcpClient(t, server.tcpPort);
  const third = await tcpClient(t, server.tcpPort);
  third.socket.resume();
  await third.closed;
  assert.equal(server.metrics.connectionsRefused, 1);
  second.socket.write(frameMessage(aQuery(2)));
  assert.equal((await second.receive()).id, 2);
});

test("a mistake in answering is SERVFAIL for that query, in the log, and nobody else's", async (t) => {
  const logged: string[] = [];
  const log = createLogger({ level: "error", sink: { write: (line) => logged.push(line) } });
  const table = {
    lookupInternal(name: string) {
      if (name.startsWith("bad")) throw new Error("broken table");
      return null;
    },
    hasInternalBelow: () => false,
  };
  const { server } = await startServer(t, {}, { log, table });
  const { send, receive } = await udpClient(t, server.udpPort);
  send(aQuery(1, { name: "bad.apps.internal" }));
  assert.equal((await receive()).rcode, RCODE.SERVFAIL);
  send(aQuery(2, { name: "good.apps.internal" }));
  assert.equal((await receive()).rcode, RCODE.NXDOMAIN);
  assert.equal(server.metrics.failures, 1);
  assert.match(logged[0] ?? "", /broken table/);
});

test("a port that is taken, for UDP or for TCP, is an error that names the setting, and nothing stays open", async (t) => {
  const udp = createSocket("udp4");
  udp.bind(0, "127.0.0.1");
  await once(udp, "listening");
  t.after(() => udp.close());
  const tcp = createServer().listen(0, "127.0.0.1");
  await once(tcp, "listening");
  t.after(() => tcp.close());
  for (const { port } of [udp.address(), tcp.address() as AddressInfo]) {
    await assert.rejects(
      startServer(t, { "dns.port": String(port) }),
      (error) =>
        portTaken.is(error) &&
        error.message.includes(`127.0.0.1:${port}`) &&
        error.message.includes("dns.port"),
    );
  }
});

test("stopping closes the sockets and the clients", async (t) => {
  const { server } = await startServer(t);
  const { socket, closed } = await tcpClient(t, server.tcpPort);
  socket.resume();
  socket.write(frameMessage(aQuery(1)));
  await once(socket, "data");
  await server.stop();
  await closed;
  assert.deepEqual([server.udpPort, server.tcpPort], [0, 0]);
});

test("IPv6 is served as well", async (t) => {
  const hasIpv6 = Object.values(networkInterfaces()).some((list) =>
    list?.some(({ address }) => address === "::1"),
  );
  if (!hasIpv6) {
    t.skip("skipped, this machine has no ::1");
    return;
  }
  const { server, table } = await startServer(t, { "dns.host": "::1" });
  instances(table, 1);
  const socket = connect({ host: "::1", port: server.tcpPort });
  t.after(() => socket.destroy());
  socket.write(frameMessage(encodeQuery({ id: 1, name: "ns.dns.apps.internal", type: TYPE.AAAA })));
  const [bytes] = (await once(socket, "data")) as [Buffer];
  assert.equal(decodeMessage(bytes.subarray(2)).answers[0]?.data.at(-1), 1);
});
