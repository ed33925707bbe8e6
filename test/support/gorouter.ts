/** A router in gorouter's place, in this process: started from the text of a configuration file, followed by its log. */
import { EventEmitter } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type RouterRoleOptions, runRouterRole } from "../../src/app/router-role.ts";
import { followLog } from "./follow-log.ts";

/** @param text  YAML or JSON, or what makes it of a folder of the test's own. */
export function startGorouter(
  t: TestContext,
  text: string | ((folder: string) => string),
  more: Pick<RouterRoleOptions, "clock"> = {},
) {
  const folder = mkdtempSync(join(tmpdir(), "viaduct-gorouter-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const configPath = join(folder, "gorouter.yml");
  writeFileSync(configPath, typeof text === "string" ? text : text(folder));
  const log = followLog();
  const signals = new EventEmitter();
  const exit = runRouterRole({ configPath, sink: log, signals, ...more });
  t.after(async () => {
    signals.emit("SIGTERM");
    await exit;
  });
  const ended = async (): Promise<never> => {
    throw new Error(`the router ended with ${await exit}: ${JSON.stringify(log.lines.at(-1))}`);
  };
  return {
    folder,
    log,
    signals,
    exit,
    /** Its line when it serves; fails when it ends instead. */
    started: () => Promise.race([log.line("gorouter.started"), ended()]),
  };
}
