/**
 * What does an idle keep-alive connection of a client cost the router in memory, once it has carried a request?
 *
 *   node bench/router/idle-connections.bench.ts [CONNECTIONS]
 *
 * Resident memory of the router's process; what the kernel keeps for a socket is not in it. The number of open files
 * that the machine allows limits how many there can be (`ulimit -n`).
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createChildren, freePort } from "../support/children.ts";
import { cpuUsOf, residentBytesOf } from "../support/process-tree.ts";

const CONNECTIONS = Number(process.argv[2] ?? "10000");
/** Opened at a time: fewer than the backlog holds. */
const BATCH = 500;
const IDLE_S = 2;
const REQUEST = "GET / HTTP/1.1\r\nHost: unknown.example.com\r\n\r\n";

const children = createChildren();
try {
  const port = await freePort();
  const program = join(import.meta.dirname, "../support/router-process.ts");
  const command = [process.execPath, program, String(port), "1", join(children.folder, "access.log")];
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
  const cpuBefore = cpuUsOf(pid);
  await sleep(IDLE_S * 1_000);
  const cpuPercent = (cpuUsOf(pid) - cpuBefore) / (IDLE_S * 10_000);
  console.log(
    `${CONNECTIONS} idle connections: ${((after - before) / CONNECTIONS / 1_000).toFixed(1)} kB each, ` +
      `${(before / 1e6).toFixed(0)} → ${(after / 1e6).toFixed(0)} MB resident, ${cpuPercent.toFixed(1)} % of a core while idle`,
  );
  for (const socket of sockets) socket.destroy();
} finally {
  await children.stopAll();
}

/** Connections that have had their first answer. */
function open(port: number, count: number): Promise<Socket[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const socket = connect(port, "127.0.0.1");
      socket.write(REQUEST);
      await once(socket, "data");
      return socket;
    }),
  );
}
