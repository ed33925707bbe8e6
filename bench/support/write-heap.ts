/**
 * Loaded into a process besides its program (`--import`): appends what V8 and the kernel say of its memory, in bytes,
 * to the file `heap` of its folder, a line of JSON each time.
 */
import { appendFileSync } from "node:fs";
import { getHeapSpaceStatistics } from "node:v8";

const WRITE_MS = 100;

export interface HeapLine {
  readonly residentBytes: number;
  /** Of the old generation's ordinary pages: objects, garbage that has not been collected yet among them. */
  readonly usedBytes: number;
  /** The pages themselves. */
  readonly committedBytes: number;
}

setInterval(() => {
  const old = getHeapSpaceStatistics().find(({ space_name: name }) => name === "old_space");
  const line: HeapLine = {
    residentBytes: process.memoryUsage.rss(),
    usedBytes: old?.space_used_size ?? 0,
    committedBytes: old?.space_size ?? 0,
  };
  appendFileSync("heap", `${JSON.stringify(line)}\n`);
}, WRITE_MS).unref();
