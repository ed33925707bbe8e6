/**
 * A router in a process of its own, so that its memory can be measured. `abuse.test.ts` forks it with the port of an
 * endpoint, and for a TLS listener with the files of its certificate and key; it sends its own port, and a report for
 * every message it gets.
 */
import { readdirSync } from "node:fs";
import { loadConfig, silentLogger, systemClock } from "../../src/kernel/index.ts";
import {
  createHttpRouter,
  createRoutePrograms,
  routerConfigFrom,
  routerSection,
} from "../../src/router/index.ts";
import { createTable } from "../../src/table/index.ts";
import { registrationOf } from "./registration.ts";

export interface Report {
  readonly port: number;
  /** 0 without a TLS listener. */
  readonly tlsPort: number;
  /** What is held after a garbage collection: objects, strings and buffers. RSS also has what the runtime keeps for later. */
  readonly heldBytes: number;
  readonly activeConnections: number;
  readonly activeExchanges: number;
  /** Open ones that are not those of idle connections to endpoints. */
  readonly descriptors: number;
}

const [port, certificate, key] = process.argv.slice(2);
const flags: Record<string, string> = { "router.host": "127.0.0.1", "router.port": "0" };
if (certificate !== undefined && key !== undefined) {
  // Any port: it is replaced below by one that is free.
  flags["router.tls_port"] = "1";
  flags["router.tls_certificate"] = certificate;
  flags["router.tls_key"] = key;
}
const given = routerConfigFrom(loadConfig([routerSection], { flags }).get(routerSection));
const config = { ...given, tls: given.tls === null ? null : { ...given.tls, port: 0 } };
const log = silentLogger;
const table = createTable(createRoutePrograms({ config, log }));
table.register(registrationOf(Number(port)), 0);
const router = createHttpRouter({ config, table, log, clock: systemClock, accessLog: { write() {} } });
await router.start();
process.on("message", report).once("disconnect", () => process.exit());
report();

function report(): void {
  // Buffers that one collection frees are swept beside it, and count as held until then; the next one waits for that.
  globalThis.gc?.();
  globalThis.gc?.();
  const { activeConnections, activeExchanges, idleUpstreamConnections } = router.counters;
  const { heapUsed, external } = process.memoryUsage();
  const heldBytes = heapUsed + external;
  const { port, tlsPort } = router;
  const descriptors = readdirSync("/proc/self/fd").length - idleUpstreamConnections;
  process.send?.({
    port,
    tlsPort,
    heldBytes,
    activeConnections,
    activeExchanges,
    descriptors,
  } satisfies Report);
}
