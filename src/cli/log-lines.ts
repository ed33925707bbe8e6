/** What the instances of an app printed. */
import type { Answer } from "./answer.ts";
import type { ApiClient } from "./client.ts";
import { type Output, printable } from "./output.ts";

/** The newest lines, oldest first; null where the API keeps none. */
export async function recentLogs(client: ApiClient, appGuid: string): Promise<readonly Answer[] | null> {
  return (await client.getIfThere(`/v3/viaduct/apps/${appGuid}/recent_logs`))?.list("resources") ?? null;
}

/** `2026-01-01T00:00:00.000Z [APP/PROC/WEB/0] OUT text`, as the cf CLI prints them. */
export function formatLogLine(line: Answer, paint: Output["paint"]): string {
  const at = new Date(Number(BigInt(line.text("timestamp")) / 1_000_000n)).toISOString();
  const isError = line.find("stream") === "err";
  const source = `[${line.text("source")}/${line.number("instance_index")}]`;
  return `${paint("quiet", `${at} ${source}`)} ${isError ? paint("bad", "ERR") : "OUT"} ${printable(line.text("text"))}`;
}
