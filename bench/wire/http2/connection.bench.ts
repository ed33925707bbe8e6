/**
 * What does HTTP/2 cost for one small request and its response? First the codec alone: both ends of a connection in memory,
 * CPU per request and response. Then a server process on a loopback socket, ours and Node's, with the same client: CPU of the
 * server per request.
 * Run: `node scripts/pinned.mjs bench/wire/http2/connection.bench.ts`. Each kind runs in processes of its own, in alternating
 * order, so that neither profits from what the other made the engine learn.
 */
import { type ChildProcess, execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import { createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import {
  DEFAULT_HTTP2_LIMITS,
  type FieldList,
  Http2Connection,
  type Http2Handler,
  type Http2Role,
} from "../../../src/wire/http2/index.ts";

/** Whoever reads is not to be asked again for the rest. */
const LIMITS = { ...DEFAULT_HTTP2_LIMITS, maxHeadsAtOnce: Number.POSITIVE_INFINITY };
const PAIRS = 200_000;
const ROUNDS_PER_PROCESS = 5;
const PROCESSES = 3;
const STREAMS = 32;
const REQUESTS = 60_000;

const request = (path: string, ...more: FieldList): FieldList => [
  ":method",
  "GET",
  ":scheme",
  "https",
  ":authority",
  "shop.example.com",
  ":path",
  path,
  ...more,
];
const BROWSER: readonly string[] = [
  "user-agent",
  "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
  "accept",
  "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
  "accept-language",
  "en-US,en;q=0.5",
  "accept-encoding",
  "gzip, deflate, br, zstd",
  "referer",
  "https://shop.example.com/catalogue",
  "cookie",
  "JSESSIONID=0123456789abcdef0123456789abcdef; __VCAP_ID__=9a2f4784-879d-4068-761d-a994",
  "te",
  "trailers",
];
const RESPONSE: FieldList = [
  ":status",
  "200",
  "content-type",
  "text/html; charset=utf-8",
  "content-length",
  "5",
  "date",
  "Sat, 21 Nov 2026 12:00:00 GMT",
  "server",
  "nginx",
];

const CASES: Readonly<Record<string, (n: number) => FieldList>> = {
  small: () => request("/"),
  "browser, a new path each time": (n) => request(`/catalogue/items?page=${n}`, ...BROWSER),
};

const silent: Http2Handler = {
  head() {},
  trailers() {},
  data() {},
  reset() {},
  refused() {},
  writable() {},
  goaway() {},
  settled() {},
  failed(error) {
    throw error;
  },
};

function openConnection(role: Http2Role, handler: Partial<Http2Handler>): Http2Connection {
  return new Http2Connection(role, { ...silent, ...handler }, LIMITS);
}

function answer(connection: Http2Connection, id: number): void {
  connection.sendHead(id, RESPONSE, false);
  connection.sendText(id, "hello", true);
}

/** Hands what one end wrote to the other. */
function pass(from: Http2Connection, to: Http2Connection): void {
  const output = from.takeOutput();
  if (output !== null) to.receive(output, output.length, 0);
}

/** CPU nanoseconds per request and response, both ends together. */
function measureCodec(next: (n: number) => FieldList): number {
  let answers = 0;
  const server: Http2Connection = openConnection("server", { head: (id) => answer(server, id) });
  const client: Http2Connection = openConnection("client", {
    data(id, _bytes, from, to) {
      answers++;
      client.consumed(id, to - from);
    },
  });
  pass(client, server);
  pass(server, client);
  pass(client, server);
  const startedAt = process.cpuUsage();
  for (let n = 0; n < PAIRS; n++) {
    client.openStream(next(n), true);
    pass(client, server);
    pass(server, client);
  }
  const { user, system } = process.cpuUsage(startedAt);
  if (answers !== PAIRS) throw new Error(`${answers} answers for ${PAIRS} requests`);
  return ((user + system) * 1_000) / PAIRS;
}

// === servers, each in a process of its own ===

function serveOurs(socket: Socket): void {
  socket.setNoDelay(true);
  const connection: Http2Connection = openConnection("server", { head: (id) => answer(connection, id) });
  attach(connection, socket);
}

function attach(connection: Http2Connection, socket: Socket): () => void {
  const flush = () => {
    const output = connection.takeOutput();
    if (output !== null) socket.write(output);
  };
  socket.on("error", () => {});
  socket.on("data", (bytes: Buffer) => {
    connection.receive(bytes, bytes.length, 0);
    flush();
  });
  flush();
  return flush;
}

const HEADERS = Object.fromEntries(
  RESPONSE.flatMap((name, i) => (i % 2 === 0 && i > 0 ? [[name, RESPONSE[i + 1]]] : [])),
);

function startServer(kind: string): void {
  const server =
    kind === "ours"
      ? createServer(serveOurs)
      : createHttp2Server().on("stream", (stream: ServerHttp2Stream) => {
          stream.respond({ ":status": 200, ...HEADERS });
          stream.end("hello");
        });
  server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
  process.on("message", () => process.send?.(process.cpuUsage()));
}

/** CPU microseconds of the server per request: `STREAMS` at a time on one connection, by the same client. */
async function measureServer(kind: string): Promise<number> {
  const child = fork(process.argv[1] as string, ["serve", kind]);
  const [port] = (await once(child, "message")) as [number];
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  await load(socket, REQUESTS / 4);
  const again = connect({ port, host: "127.0.0.1", noDelay: true });
  await once(again, "connect");
  const before = await cpuOf(child);
  await load(again, REQUESTS);
  const after = await cpuOf(child);
  child.kill();
  await once(child, "exit");
  return (after - before) / REQUESTS;
}

async function cpuOf(child: ChildProcess): Promise<number> {
  child.send("cpu");
  const [usage] = (await once(child, "message")) as [NodeJS.CpuUsage];
  return usage.user + usage.system;
}

function load(socket: Socket, requests: number): Promise<void> {
  return new Promise((resolve) => {
    let opened = 0;
    let answered = 0;
    const client: Http2Connection = openConnection("client", {
      data(id, _bytes, from, to, ends) {
        client.consumed(id, to - from);
        if (!ends) return;
        answered++;
        if (opened < requests) open();
        else if (answered === requests) {
          socket.destroy();
          resolve();
        }
      },
    });
    const open = () => client.openStream(request(`/items/${opened++}`, ...BROWSER), true);
    const flush = attach(client, socket);
    while (opened < STREAMS) open();
    flush();
  });
}

// === runs ===

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
const spread = (values: readonly number[]) => Math.max(...values) - Math.min(...values);

const [, script = "", mode, kind = ""] = process.argv;
if (mode === "serve") startServer(kind);
else if (mode === "codec") {
  const rounds = Object.entries(CASES).map(([name, next]) => [
    name,
    Array.from({ length: ROUNDS_PER_PROCESS }, () => measureCodec(next)),
  ]);
  console.log(JSON.stringify(Object.fromEntries(rounds)));
} else {
  const codec = new Map<string, number[]>();
  const servers = new Map<string, number[]>();
  for (let round = 0; round < PROCESSES; round++) {
    const output = execFileSync(process.execPath, [script, "codec"], { encoding: "utf8" });
    for (const [name, values] of Object.entries(JSON.parse(output) as Record<string, number[]>)) {
      codec.set(name, [...(codec.get(name) ?? []), ...values]);
    }
    for (const each of round % 2 === 0 ? ["ours", "node:http2"] : ["node:http2", "ours"]) {
      servers.set(each, [...(servers.get(each) ?? []), await measureServer(each)]);
    }
  }
  for (const [name, values] of codec) {
    console.log(
      `codec, ${name}: median ${median(values).toFixed(0)} ns CPU per request and response, spread ${spread(values).toFixed(0)}`,
    );
  }
  for (const [name, values] of servers) {
    console.log(
      `server, ${name}: median ${median(values).toFixed(1)} µs CPU per request, spread ${spread(values).toFixed(1)}`,
    );
  }
}
