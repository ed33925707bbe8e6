import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { createManualClock, silentLogger } from "../kernel/index.ts";
import { logRecord } from "./access-log-samples.ts";
import { createSyslogStream } from "./access-log-syslog.ts";
import { createSyslogSender, type SyslogSettings } from "./syslog.ts";

const HEADER = /^<14>1 2026-01-01T00:00:00\.000Z [!-~]+ vcap\.gorouter \d+ - - /;

async function udpServer(t: TestContext) {
  const socket = createSocket("udp4");
  const received: string[] = [];
  let wake = () => {};
  socket.on("message", (bytes) => {
    received.push(bytes.toString("latin1"));
    wake();
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  t.after(() => socket.close());
  const next = async (): Promise<string> => {
    for (;;) {
      const message = received.shift();
      if (message !== undefined) return message;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  return { port: socket.address().port, next };
}

async function tcpServer(t: TestContext, port = 0) {
  const server = createServer();
  const sockets: Socket[] = [];
  let text = "";
  let wake = () => {};
  server.on("connection", (socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1");
      wake();
    });
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const close = () => {
    for (const socket of sockets) socket.destroy();
    if (server.listening) server.close();
  };
  t.after(close);
  const line = async (): Promise<string> => {
    for (;;) {
      const end = text.indexOf("\n");
      if (end !== -1) {
        const found = text.slice(0, end);
        text = text.slice(end + 1);
        return found;
      }
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  return { server, port: (server.address() as AddressInfo).port, line, close };
}

function openSender(t: TestContext, settings: Partial<SyslogSettings>) {
  const clock = createManualClock();
  const drops: number[] = [];
  const errors: string[] = [];
  const log = { ...silentLogger, error: (_fields: object, message: string) => void errors.push(message) };
  const parts = {
    settings: {
      network: "udp",
      host: "127.0.0.1",
      port: 1,
      appName: "vcap.gorouter",
      maxLineBytes: 0,
      ...settings,
    },
    clock,
    log,
    onDrop: (lines: number) => void drops.push(lines),
  } as const;
  const sender = createSyslogSender(parts);
  t.after(() => sender.close());
  return { sender, clock, errors, parts, dropped: () => drops.reduce((sum, lines) => sum + lines, 0) };
}

/** Looks after every turn of the event loop. */
async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

test("over UDP a line is a datagram of RFC 5424, also when it came before the address was known", async (t) => {
  const server = await udpServer(t);
  const { sender, dropped } = openSender(t, { port: server.port });
  sender.add("first \xc3\xa9");
  sender.add("second");
  const [first, second] = [await server.next(), await server.next()];
  assert.match(first, HEADER);
  assert.deepEqual(
    [first.replace(HEADER, ""), second.replace(HEADER, "")],
    ["first \xc3\xa9", "second"],
    "byte for byte",
  );
  assert.equal(dropped(), 0);
});

test("over TCP lines end in a line feed and leave together at the flush", async (t) => {
  const server = await tcpServer(t);
  const { sender } = openSender(t, { network: "tcp", port: server.port });
  sender.add("first");
  sender.add("second");
  const first = await server.line();
  assert.match(first, HEADER);
  assert.deepEqual(
    [first, await server.line()].map((line) => line.replace(HEADER, "")),
    ["first", "second"],
  );
  sender.add("third");
  sender.flush();
  assert.equal((await server.line()).replace(HEADER, ""), "third");
});

test("a line longer than syslog_truncate is cut there, its header not counted", async (t) => {
  const server = await udpServer(t);
  const { sender } = openSender(t, { port: server.port, maxLineBytes: 5 });
  sender.add("12345678");
  assert.equal((await server.next()).replace(HEADER, ""), "12345");
});

test("what closes has handed over what was added", async (t) => {
  const udp = await udpServer(t);
  const tcp = await tcpServer(t);
  const byUdp = openSender(t, { port: udp.port });
  const byTcp = openSender(t, { network: "tcp", port: tcp.port });
  byUdp.sender.add("one");
  byTcp.sender.add("one");
  await Promise.all([udp.next(), tcp.line()]);
  byUdp.sender.add("two");
  byTcp.sender.add("two");
  await Promise.all([byUdp.sender.close(), byTcp.sender.close()]);
  assert.equal((await udp.next()).replace(HEADER, ""), "two");
  assert.equal((await tcp.line()).replace(HEADER, ""), "two");
});

test("a stream that is away is tried again every second; lines wait for it, and its absence is said once", async (t) => {
  const gone = await tcpServer(t);
  gone.close();
  await once(gone.server, "close");
  const { sender, clock, errors, dropped } = openSender(t, { network: "tcp", port: gone.port });
  await eventually(() => errors.length > 0);
  sender.add("patient");
  // Tried anew: refused again, and not said again.
  clock.advance(1_000);
  const back = await tcpServer(t, gone.port);
  let isThere = false;
  const line = back.line().then((text) => {
    isThere = true;
    return text;
  });
  await eventually(() => {
    clock.advance(1_000);
    return isThere;
  });
  assert.equal((await line).replace(HEADER, ""), "patient");
  assert.equal(errors[0], "syslog-not-reached");
  assert.equal(dropped(), 0);
});

test("a stream that does not read costs lines, which are counted, and never memory without bound", async (t) => {
  const gone = await tcpServer(t);
  gone.close();
  const { sender, dropped } = openSender(t, { network: "tcp", port: gone.port });
  for (let i = 0; i < 5_000; i++) sender.add("x".repeat(1_000));
  const lost = dropped();
  assert.ok(lost > 500 && lost < 1_500, `${lost} of 5,000: 4 MiB are kept`);
  await sender.close();
  assert.equal(dropped(), 5_000, "nobody took the rest either");
});

test("datagrams that wait for an address are bounded too", async (t) => {
  const { sender, dropped } = openSender(t, { host: "no-such-host.invalid" });
  for (let i = 0; i < 1_030; i++) sender.add("x");
  assert.equal(dropped(), 6);
});

test("a line too long for a datagram is made anew of cut texts, one for a stream is not", async (t) => {
  const udp = await udpServer(t);
  const tcp = await tcpServer(t);
  const record = logRecord({
    target: `/${"a".repeat(70_000)}`,
    userAgent: "u".repeat(12_000),
    requestHeader: () => "h".repeat(9_000),
  });
  const line = "x".repeat(65_401);
  const config = {
    accessLogFormat: "classic",
    accessLogOptions: { extraHeaders: ["h1", "h2", "h3", "h4", "h5", "h6"] },
  } as const;
  for (const { network, server } of [
    { network: "udp", server: udp },
    { network: "tcp", server: tcp },
  ] as const) {
    const { parts } = openSender(t, { network, port: server.port });
    const log = createSyslogStream(config, parts);
    t.after(() => log.close());
    log.add(line, record);
  }
  assert.equal((await tcp.line()).replace(HEADER, ""), line);
  const cut = (await udp.next()).replace(HEADER, "");
  const target = `/${"a".repeat(19_999)}...REQUEST-URI-TOO-LONG-TO-LOG--TRUNCATED`;
  assert.ok(cut.includes(`"GET ${target} HTTP/1.1"`), "20,000 bytes of the target");
  assert.ok(cut.includes(` "${"u".repeat(3_000)}" `), "12,000 bytes halved until they are at most 5,000");
  assert.match(cut, / h1:"h{4500}" /);
  const [, extra = ""] = cut.split(' x_cf_routererror:"-"');
  assert.ok(extra.endsWith("...EXTRA-REQUEST-HEADERS-TOO-LONG-TO-LOG--TRUNCATED"));
  assert.equal(extra.indexOf("...EXTRA"), 20_000);
  assert.ok(cut.length < 65_400);
});
