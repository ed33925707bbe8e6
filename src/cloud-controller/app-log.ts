/**
 * What is said about an app, by whom: its instances and their cell (`APP/PROC/WEB`, `CELL`; Diego keeps them), the
 * platform (`API`, `STG`; kept here) and the routers (`RTR`; kept beside the access log). In memory and bounded.
 */
import type { Bbs, LogLine } from "../contracts/index.ts";
import type { Clock } from "../kernel/index.ts";

/** Per app; a push leaves about ten. */
const MAX_LINES = 200;
/** The app that was silent longest is forgotten first. */
const MAX_APPS = 1_000;

/** The newest lines of the access log that name an app, oldest first. */
export type AccessLines = (appGuid: string, limit: number) => readonly LogLine[];

export interface AppLog {
  say(appGuid: string, source: "API" | "STG", text: string, stream?: LogLine["stream"]): void;
  /** The newest lines of all sources, oldest first. */
  read(appGuid: string, limit: number): Promise<readonly LogLine[]>;
}

export function createAppLog(options: {
  readonly bbs: Bbs;
  readonly clock: Clock;
  readonly accessLines?: AccessLines | undefined;
}): AppLog {
  const { bbs, clock, accessLines } = options;
  const apps = new Map<string, LogLine[]>();
  return {
    say(appGuid, source, text, stream = "out") {
      const lines = apps.get(appGuid) ?? [];
      // Again at the end: a map keeps the order in which keys came.
      apps.delete(appGuid);
      apps.set(appGuid, lines);
      const timestampNs = String(BigInt(Math.floor(clock.nowMs() * 1000)) * 1000n);
      lines.push({ timestampNs, stream, source, instanceIndex: 0, text });
      if (lines.length > MAX_LINES) lines.shift();
      const [oldest] = apps.keys();
      if (apps.size > MAX_APPS && oldest !== undefined) apps.delete(oldest);
    },
    async read(appGuid, limit) {
      const lines = [
        ...(apps.get(appGuid) ?? []),
        ...(await bbs.recentLogs(appGuid, limit)),
        ...(accessLines?.(appGuid, limit) ?? []),
      ];
      // Sorting is stable, and nanoseconds in decimal have the same number of digits until the year 2286.
      lines.sort((a, b) => (a.timestampNs < b.timestampNs ? -1 : a.timestampNs > b.timestampNs ? 1 : 0));
      return lines.slice(Math.max(0, lines.length - limit));
    },
  };
}
