/** A process with a BBS and a cell that runs one command, to be killed by a test: `testing-cell.ts FOLDER COMMAND`. */
import { join } from "node:path";
import { loadConfig, silentLogger, systemClock } from "../kernel/index.ts";
import { openStore } from "../store/index.ts";
import { createBbs, createLocalCell, diegoSection } from "./index.ts";
import { lrp } from "./testing.ts";

const [folder = "", command = ""] = process.argv.slice(2);
const log = silentLogger;
const clock = systemClock;
const store = await openStore({ kind: "sqlite", path: join(folder, "diego.db") }, { log, clock });
const bbs = createBbs({ store, clock, log });
const config = loadConfig([diegoSection], {}).get(diegoSection);
const cell = createLocalCell({ bbs, config, log, clock, dataDir: folder });
await bbs.start();
await cell.start();
const healthCheck = { type: "process", endpoint: "" } as const;
if (command !== "") await bbs.desireLrp(lrp({ command, healthCheck, instances: 2 }));
process.stdin.resume();
