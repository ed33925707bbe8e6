/** Pieces of Prometheus' text format. */
import type { StatusCounts } from "./counters.ts";

/** Writes one family: its type, name, help, and its samples as lines. */
export type AddFamily = (type: string, name: string, help: string, lines: readonly string[]) => void;

/** The value of a label, without its quotes. */
export const label = (text: string) =>
  text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");

/** @param labels  Others beside the group; "" for none. */
export function statusGroups(name: string, counts: StatusCounts, labels = ""): readonly string[] {
  const before = labels === "" ? "" : `${labels},`;
  return [
    `${name}{${before}status_group="1xx"} ${counts.responses1xx}`,
    `${name}{${before}status_group="2xx"} ${counts.responses2xx}`,
    `${name}{${before}status_group="3xx"} ${counts.responses3xx}`,
    `${name}{${before}status_group="4xx"} ${counts.responses4xx}`,
    `${name}{${before}status_group="5xx"} ${counts.responses5xx}`,
    `${name}{${before}status_group="xxx"} ${counts.responsesNone}`,
  ];
}
