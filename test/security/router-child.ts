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
  /** After a garbage collection. */
  readonly rssBytes: number;
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
  const rssBytes = process.memoryUsage.rss();
  process.send?.({ port: router.port, rssBytes, activeConnections, activeExchanges } satisfies Report);
}
