/**
 * The newest lines of the access log, for whoever asks what requests an app got. The log comes in batches; they are kept
 * as they are and searched when somebody asks, so that a request costs nothing more.
 */
import type { LogLine } from "../contracts/index.ts";
import type { LineSink } from "../kernel/index.ts";

/** Of all apps together; some thousand requests. */
const MAX_CHARS = 1024 * 1024;

export class RecentAccess implements LineSink {
  readonly #next: LineSink;
  #batches: string[] = [];
  #chars = 0;

  /** @param next  Gets every batch as it came. */
  constructor(next: LineSink) {
    this.#next = next;
  }

  write(lines: string): void {
    this.#next.write(lines);
    this.#batches.push(lines);
    this.#chars += lines.length;
    while (this.#chars > MAX_CHARS && this.#batches.length > 1) {
      this.#chars -= this.#batches.shift()?.length ?? 0;
    }
  }

  /** Oldest first. */
  linesOf(appGuid: string, limit: number): readonly LogLine[] {
    const found: LogLine[] = [];
    const marks = [`app_id:"${appGuid}"`, `"app_id":"${appGuid}"`];
    for (const batch of this.#batches.toReversed()) {
      if (!batch.includes(appGuid)) continue;
      for (const text of batch.split("\n").toReversed()) {
        if (found.length >= limit) return found.toReversed();
        if (marks.some((mark) => text.includes(mark))) found.push(lineOf(text));
      }
    }
    return found.toReversed();
  }
}

function lineOf(text: string): LogLine {
  const [at = ""] = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z/.exec(text) ?? [];
  const milliseconds = Date.parse(at);
  const nanoseconds = Number.isNaN(milliseconds) ? 0n : BigInt(milliseconds) * 1_000_000n;
  const [, index = "0"] = /app_index"?:"(\d+)"/.exec(text) ?? [];
  return {
    timestampNs: String(nanoseconds),
    stream: "out",
    source: "RTR",
    instanceIndex: Number(index),
    // The log is latin1, one character per byte.
    text: Buffer.from(text, "latin1").toString("utf8"),
  };
}
