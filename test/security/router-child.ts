/**
 * A router in a process of its own, so that its memory can be measured. `abuse.test.ts` forks it with the port of an
 * endpoint; it sends its own port, and a report for every message it gets.
 */
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
  /** What is held after a garbage collection: objects, strings and buffers. RSS also has what the runtime keeps for later. */
  readonly heldBytes: number;
  readonly activeConnections: number;
  readonly activeExchanges: number;
}

const flags = { "router.host": "127.0.0.1", "router.port": "0" };
const config = routerConfigFrom(loadConfig([routerSection], { flags }).get(routerSection));
const log = silentLogger;
const table = createTable(createRoutePrograms({ config, log }));
table.register(registrationOf(Number(process.argv[2])), 0);
const router = createHttpRouter({ config, table, log, clock: systemClock, accessLog: { write() {} } });
await router.start();
process.on("message", report).once("disconnect", () => process.exit());
report();

function report(): void {
  globalThis.gc?.();
  const { activeConnections, activeExchanges } = router.counters;
  const { heapUsed, external } = process.memoryUsage();
  const heldBytes = heapUsed + external;
  process.send?.({ port: router.port, heldBytes, activeConnections, activeExchanges } satisfies Report);
}
