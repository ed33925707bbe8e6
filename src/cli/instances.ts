/**
 * The instances of an app, starting them, and waiting until they all run.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { appFailedToStart, waitExpired } from "../kernel/errors/cli.ts";
import type { Answer } from "./answer.ts";
import type { ApiClient } from "./client.ts";
import type { Context, timeoutFlag } from "./command.ts";
import type { Output, Tone } from "./output.ts";
import { formatLogLine, recentLogs } from "./log-lines.ts";
import { parseTimeout } from "./parse.ts";
import { findApp, named } from "./resources.ts";

const POLL_MS = 150;
/** Of what a failed instance printed; the whole is in `viaduct logs`. */
const LAST_LINES = 10;

export interface Instance {
  readonly index: number;
  /** RUNNING, STARTING, CRASHED, DOWN */
  readonly state: string;
  /** `127.0.0.1:61001`; "" while it has none. */
  readonly address: string;
  readonly uptimeS: number;
  /** Why it is not running, when somebody knows. */
  readonly details: string;
}

export const STATE_TONES: Readonly<Record<string, Tone>> = {
  RUNNING: "good",
  STARTED: "good",
  STARTING: "warn",
  STOPPED: "quiet",
  CRASHED: "bad",
  DOWN: "bad",
};

/** The process that routes point to unless they say otherwise. */
export async function webProcess(client: ApiClient, appGuid: string): Promise<Answer> {
  return client.get(`/v3/apps/${appGuid}/processes/web`);
}

export async function listInstances(client: ApiClient, processGuid: string): Promise<readonly Instance[]> {
  const stats = await client.get(`/v3/processes/${processGuid}/stats`);
  return stats
    .list("resources")
    .map(readInstance)
    .toSorted((a, b) => a.index - b.index);
}

function readInstance(stat: Answer): Instance {
  const port = stat.has("instance_ports") ? stat.list("instance_ports")[0] : undefined;
  const external = port?.find("external");
  return {
    index: stat.number("index"),
    state: stat.text("state"),
    address: stat.has("host") && typeof external === "number" ? `${stat.text("host")}:${external}` : "",
    uptimeS: Number(stat.find("uptime") ?? 0),
    details: String(stat.find("details") ?? ""),
  };
}

/**
 * Waits until as many instances run as are wanted, and says how it goes on stderr.
 * @throws appFailedToStart when one crashes, waitExpired
 */
export async function waitUntilRunning(
  client: ApiClient,
  out: Output,
  app: { readonly name: string; readonly guid: string },
  timeoutMs: number,
): Promise<void> {
  const process = await webProcess(client, app.guid);
  const wanted = process.number("instances");
  const deadline = performance.now() + timeoutMs;
  let said = "";
  for (;;) {
    const instances = await listInstances(client, process.text("guid"));
    const running = instances.filter(({ state }) => state === "RUNNING").length;
    const line = `${app.name}: ${running} of ${wanted} instances running`;
    if (line !== said) out.note(line);
    said = line;
    if (running >= wanted) return;
    const crashed = instances.find(({ state }) => state === "CRASHED");
    if (crashed !== undefined) {
      await showLastLines(client, out, app.guid, crashed.index);
      const reason = crashed.details === "" ? "it crashed" : crashed.details;
      throw appFailedToStart({ app: app.name, reason: `instance ${crashed.index}: ${reason}` });
    }
    if (performance.now() > deadline) {
      const late = instances.find(({ state }) => state !== "RUNNING");
      if (late !== undefined) await showLastLines(client, out, app.guid, late.index);
      throw waitExpired({
        what: `the start of ${app.name}`,
        afterMs: timeoutMs,
        state: `${running} of ${wanted} instances running; an instance runs when it listens on $PORT`,
      });
    }
    await sleep(POLL_MS);
  }
}

/** What the instance printed last, on stderr: nearly always it says itself what is wrong. */
async function showLastLines(client: ApiClient, out: Output, appGuid: string, index: number): Promise<void> {
  const lines = (await recentLogs(client, appGuid)) ?? [];
  const own = lines.filter(
    (line) => line.find("instance_index") === index && String(line.find("source")).startsWith("APP"),
  );
  for (const line of own.slice(-LAST_LINES)) out.note(`  ${formatLogLine(line, out.paint)}`);
}

/** Starts or restarts an app by name. @throws nameUnknown, appFailedToStart, waitExpired */
export async function bringUp(
  { args: [name = ""], flags, out, client }: Context<typeof timeoutFlag>,
  action: "start" | "restart",
): Promise<number> {
  const timeoutMs = await parseTimeout(flags.timeout);
  const api = await client();
  const app = named(await findApp(api, name));
  await api.post(`/v3/apps/${app.guid}/actions/${action}`);
  await waitUntilRunning(api, out, app, timeoutMs);
  return 0;
}

/** `1d 2h`, `3m 20s`. */
export function uptimeText(seconds: number): string {
  const units: readonly (readonly [string, number])[] = [
    ["d", 86_400],
    ["h", 3_600],
    ["m", 60],
  ];
  for (const [index, [unit, size]] of units.entries()) {
    if (seconds < size) continue;
    const [nextUnit, nextSize] = units[index + 1] ?? ["s", 1];
    return `${Math.floor(seconds / size)}${unit} ${Math.floor((seconds % size) / nextSize)}${nextUnit}`;
  }
  return `${Math.floor(seconds)}s`;
}
