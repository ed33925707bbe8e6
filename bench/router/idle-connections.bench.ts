/**
 * What does an idle keep-alive connection of a client cost the router in memory, once it has carried a request, and
 * what does a request of others cost beside so many of them?
 *
 *   node bench/router/idle-connections.bench.ts [CONNECTIONS] [--tls]
 *
 * Resident memory of the router's process; what the kernel keeps for a socket is not in it. The number of open files
 * that the machine allows limits how many there can be (`ulimit -n`).
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { parseArgs } from "node:util";
import { writeCertificate } from "../support/certificate.ts";
import { createChildren, freePort } from "../support/children.ts";
import { perRequest } from "../support/report.ts";
import { cpuUsOf, residentBytesOf } from "../support/process-tree.ts";

const { values, positionals } = parseArgs({
  options: { tls: { type: "boolean", default: false } },
  allowPositionals: true,
});
const CONNECTIONS = Number(positionals[0] ?? "10000");
/** Opened at a time: fewer than the backlog holds. */
const BATCH = 500;
const IDLE_S = 2;
const REQUEST = "GET / HTTP/1.1\r\nHost: unknown.example.com\r\n\r\n";
/** Of the others, each a request at a time: enough for the clock of `/proc` to tell one per cent. */
const OTHERS = 16;
const REQUESTS_OF_EACH = 1_500;

const children = createChildren();
try {
  const port = await freePort();
  const program = join(import.meta.dirname, "../support/router-process.ts");
  const tls = values.tls ? writeCertificate(children.folder) : null;
  const files = [join(children.folder, "access.log"), ...(tls === null ? [] : [tls.certificate, tls.key])];
  const command = [process.execPath, program, String(port), "1", ...files];
  // The first start fills the compile cache, as in production; the second one is measured.
  await (await children.start("first", command, null, port)).stop();
  const { pid } = await children.start("router", command, null, port);

  // The first requests make code and buffers that stay.
  const sockets = await open(port, BATCH);
  const before = residentBytesOf(pid);
  while (sockets.length < CONNECTIONS + BATCH) {
    sockets.push(...(await open(port, Math.min(BATCH, CONNECTIONS + BATCH - sockets.length))));
  }
  const after = residentBytesOf(pid);
  const idleFrom = cpuUsOf(pid);
  await sleep(IDLE_S * 1_000);
  const cpuPercent = (cpuUsOf(pid) - idleFrom) / (IDLE_S * 10_000);
  // After the memory: many requests let the heap grow, and idle connections would find room there.
  const others = sockets.splice(0, OTHERS);
  await cpuPerRequest(pid, others);
  const cpuBeside = await cpuPerRequest(pid, others);
  await close(sockets);
  const cpuAlone = await cpuPerRequest(pid, others);
  console.log(
    `${CONNECTIONS} idle connections: ${((after - before) / CONNECTIONS / 1_000).toFixed(1)} kB each, ` +
      `${(before / 1e6).toFixed(0)} → ${(after / 1e6).toFixed(0)} MB resident, ${cpuPercent.toFixed(1)} % of a core while idle; ` +
      `a request of others ${cpuBeside.toFixed(1)} CPU µs, without them ${cpuAlone.toFixed(1)}`,
  );
  await close(others);
} finally {
  await children.stopAll();
}

/** Connections that have had their first answer. */
function open(port: number, count: number): Promise<Socket[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const socket = values.tls
        ? connectTls({ port, rejectUnauthorized: false })
        : connect(port, "127.0.0.1");
      socket.write(REQUEST);
      await once(socket, "data");
      return socket;
    }),
  );
}

async function close(sockets: readonly Socket[]): Promise<void> {
  await Promise.all(sockets.map((socket) => once(socket.end().resume(), "close")));
}

async function cpuPerRequest(pid: number, sockets: readonly Socket[]): Promise<number> {
  const before = cpuUsOf(pid);
  await Promise.all(
    sockets.map(async (socket) => {
      for (let i = 0; i < REQUESTS_OF_EACH; i++) {
        socket.write(REQUEST);
        await once(socket, "data");
      }
    }),
  );
  return perRequest(before, cpuUsOf(pid), sockets.length * REQUESTS_OF_EACH);
}
