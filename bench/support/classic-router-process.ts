/**
 * A router on a NATS bus, as `viaduct router` is, which tells its parent how it fared when it is asked.
 *
 *   fork(classic-router-process.ts, [NATS_PORT, PORT])
 */
import { connectNats } from "../../src/bus/index.ts";
import { createLogger, loadConfig, systemClock } from "../../src/kernel/index.ts";
import {
  CLASSIC_FEED_DEFAULTS,
  createClassicFeed,
  createHttpRouter,
  createRoutePrograms,
  routerConfigFrom,
  routerSection,
} from "../../src/router/index.ts";
import { createTable } from "../../src/table/index.ts";
import { watchTurns } from "./turns.ts";

const [natsPort = "", port = "0"] = process.argv.slice(2);
// Every new endpoint is a line at this level, as upstream's default has it.
const log = createLogger({ level: "info" });
const clock = systemClock;
const flags = { "router.host": "127.0.0.1", "router.port": port };
const config = routerConfigFrom(loadConfig([routerSection], { flags }).get(routerSection));
const table = createTable(createRoutePrograms({ config, log }));
const bus = await connectNats({
  servers: [`127.0.0.1:${natsPort}`],
  user: "",
  pass: "",
  name: "bench",
  pingIntervalMs: 20_000,
  log,
  clock,
});
const feed = createClassicFeed({
  bus,
  table,
  log,
  clock,
  config: CLASSIC_FEED_DEFAULTS,
});
const router = createHttpRouter({ config, table, log, clock, accessLog: { write() {} } });
await feed.start();
await router.start();
const turns = watchTurns();

process.on("message", () => {
  const heard = [...feed.counts.registered.values()].reduce(
    (sum, { new: fresh, updated, unchanged }) => sum + fresh + updated + unchanged,
    0,
  );
  process.send?.({ heard, ...turns.read() });
});
// The compile cache is written at the end of a process.
process.once("disconnect", () => process.exit());
