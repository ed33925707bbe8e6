/**
 * The Cloud Controller on a database that is there already, with the route table and the BBS in the same process as
 * `viaduct up` has them, but without a cell or a router. It says where it listens, and answers every message with
 * what it holds in memory and has used; «collect» collects first, twice: what the first one finds in the middle of
 * a collection of its own is kept by it, and emptied pages go back to the system after it.
 *
 *   fork(api-process.ts, [STORE_LOCATION_AS_JSON, PASSWORD])      execArgv: --expose-gc
 */
import { setTimeout } from "node:timers/promises";
import { createTokenIssuer, createTokenVerifier } from "../../src/auth/index.ts";
import { cloudControllerSection, createCloudController } from "../../src/cloud-controller/index.ts";
import { createBbs } from "../../src/diego/index.ts";
import { createLogger, loadConfig, systemClock } from "../../src/kernel/index.ts";
import { createRouteTable } from "../../src/routing-api/index.ts";
import { openStore, type StoreLocation } from "../../src/store/index.ts";
import { watchTurns } from "./turns.ts";

export interface ApiState {
  readonly heapBytes: number;
  readonly residentBytes: number;
  readonly longestTurnMs: number;
  /** Of the whole process, since it started. */
  readonly cpuMs: number;
}

const SETTLING_MS = 200;
/** Longer than any run. */
const TOKEN_TTL_MS = 12 * 3_600_000;

const [location = "", password = ""] = process.argv.slice(2);
const clock = systemClock;
const log = createLogger({ level: "warn" });
const store = await openStore(JSON.parse(location) as StoreLocation, { log, clock });
const issuer = createTokenIssuer({
  store,
  clock,
  issuer: "http://bench/uaa/oauth/token",
  accessTokenTtlMs: TOKEN_TTL_MS,
  refreshTokenTtlMs: TOKEN_TTL_MS,
});
const routeTable = createRouteTable({ store, clock, log });
const bbs = createBbs({ store, clock, log });
const api = createCloudController({
  config: loadConfig([cloudControllerSection], {
    flags: { "cloud-controller.admin_password": password },
  }).get(cloudControllerSection),
  store,
  issuer,
  verifier: createTokenVerifier({ issuer }),
  bbs,
  routeTable,
  operator: { maxResponseTimeoutMs: 900_000 },
  log,
  clock,
});
const startedMs = performance.now();
await routeTable.start();
await bbs.start();
await api.start();
const turns = watchTurns();
process.send?.({ port: api.port, startMs: performance.now() - startedMs });

process.on("message", async (wish) => {
  if (wish === "collect") {
    globalThis.gc?.();
    await setTimeout(SETTLING_MS);
    globalThis.gc?.();
    await setTimeout(SETTLING_MS);
  }
  const state: ApiState = {
    heapBytes: process.memoryUsage().heapUsed,
    residentBytes: process.memoryUsage.rss(),
    longestTurnMs: turns.read().longestTurnMs,
    cpuMs: (process.cpuUsage().user + process.cpuUsage().system) / 1_000,
  };
  process.send?.(state);
});
process.once("disconnect", () => process.exit());
