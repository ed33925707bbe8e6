/**
 * Output of instances by app: the newest lines in memory, all of them in files that are put aside by size.
 */
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { StringDecoder } from "node:string_decoder";
import type { LogLine } from "../contracts/index.ts";
import { type Logger, RotatingFile } from "../kernel/index.ts";

/** Unwritten text per app from which its output is no longer read. */
const BACKLOG_CHARS = 1024 * 1024;
/** Apps whose lines are kept in memory; the one that was silent longest is forgotten first. */
const MAX_APPS = 256;

/**
 * Cuts a stream of bytes into lines of at most `maxChars`; a longer one comes in pieces.
 * `end` gives what is left without a line end.
 */
export function createLineSplitter(maxChars: number, emit: (line: string) => void) {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  const emitLong = (line: string) => {
    let from = 0;
    while (line.length - from > maxChars) {
      // A character outside the basic plane is two units; both go to the same piece.
      const isSplitPair = /[\uD800-\uDBFF]/.test(line.charAt(from + maxChars - 1));
      const to = from + maxChars - (isSplitPair && maxChars > 1 ? 1 : 0);
      emit(line.slice(from, to));
      from = to;
    }
    return line.slice(from);
  };
  const takeLines = (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) emit(emitLong(line.endsWith("\r") ? line.slice(0, -1) : line));
    rest = emitLong(rest);
  };
  return {
    push(bytes: Buffer): void {
      takeLines(decoder.write(bytes));
    },
    end(): void {
      takeLines(decoder.end());
      if (rest !== "") emit(rest);
      rest = "";
    },
  };
}

/** What an app said last may be wanted when it is gone, for as long as somebody is on holiday. */
const FILES_ARE_KEPT_MS = 7 * 24 * 3_600_000;
/** Ours beside them have names of their own, such as `access.log`. */
const FILE_OF_APP = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.log(?:\.\d+)?$/;

export interface AppLogsOptions {
  readonly directory: string;
  readonly recentBytes: number;
  readonly fileBytes: number;
  readonly oldFiles: number;
  readonly log: Logger;
}

export class AppLogs {
  readonly #options: AppLogsOptions;
  readonly #apps = new Map<string, { recent: RecentLines; file: RotatingFile }>();

  constructor(options: AppLogsOptions) {
    this.#options = options;
  }

  append(logGuid: string, line: LogLine): void {
    const { recent, file } = this.#of(logGuid);
    recent.push(line);
    file.write(formatLine(line));
  }

  /** Oldest first. */
  recent(logGuid: string, limit: number): readonly LogLine[] {
    return this.#apps.get(logGuid)?.recent.last(limit) ?? [];
  }

  /** Null while the disk keeps up; otherwise resolves when it has. */
  backlog(logGuid: string): Promise<void> | null {
    const file = this.#apps.get(logGuid)?.file;
    return file !== undefined && file.waitingChars > BACKLOG_CHARS ? file.flush() : null;
  }

  /** Everything appended before is in its file. */
  async flush(): Promise<void> {
    await Promise.all([...this.#apps.values()].map(({ file }) => file.flush()));
  }

  /** Removes files that nobody has written to for a week: of apps that are gone, or have nothing to say. */
  async sweep(nowMs: number): Promise<void> {
    const { directory } = this.#options;
    const names = await readdir(directory).catch(() => []);
    for (const name of names.filter((each) => FILE_OF_APP.test(each))) {
      const path = join(directory, name);
      // Put aside, or removed by somebody else meanwhile.
      const about = await stat(path).catch(() => null);
      if (about !== null && nowMs - about.mtimeMs > FILES_ARE_KEPT_MS) await rm(path, { force: true });
    }
  }

  #of(logGuid: string) {
    const known = this.#apps.get(logGuid);
    if (known !== undefined) return known;
    if (this.#apps.size >= MAX_APPS) this.#forgetOldest();
    const { directory, recentBytes, fileBytes, oldFiles, log } = this.#options;
    const path = join(directory, `${logGuid}.log`);
    // A full disk must not take apps down; their newest lines are still in memory.
    const onError = (error: Error) => log.warn({ err: error, file: path }, "app log not written");
    const made = {
      recent: new RecentLines(recentBytes),
      file: new RotatingFile({ path, maxBytes: fileBytes, oldFiles, onError }),
    };
    this.#apps.set(logGuid, made);
    return made;
  }

  #forgetOldest(): void {
    const newestOf = ([, app]: [string, { recent: RecentLines }]) => app.recent.last(1)[0]?.timestampNs ?? "";
    const byAge = [...this.#apps].toSorted((a, b) => (newestOf(a) < newestOf(b) ? -1 : 1));
    const oldest = byAge[0];
    if (oldest !== undefined) this.#apps.delete(oldest[0]);
  }
}

/** `2026-01-01T00:00:00.000Z [APP/PROC/WEB/0] OUT text`, as the cf CLI prints them. */
export function formatLine(line: LogLine): string {
  const time = new Date(Number(BigInt(line.timestampNs) / 1_000_000n)).toISOString();
  return `${time} [${line.source}/${line.instanceIndex}] ${line.stream.toUpperCase()} ${line.text}\n`;
}

/** The newest lines up to a number of bytes. */
class RecentLines {
  readonly #maxBytes: number;
  #lines: LogLine[] = [];
  #first = 0;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  push(line: LogLine): void {
    this.#lines.push(line);
    this.#bytes += sizeOf(line);
    while (this.#bytes > this.#maxBytes && this.#first < this.#lines.length - 1) {
      this.#bytes -= sizeOf(this.#lines[this.#first]);
      this.#first++;
    }
    // Removing from the front one by one would move the whole array for each line.
    if (this.#first > this.#lines.length / 2) {
      this.#lines = this.#lines.slice(this.#first);
      this.#first = 0;
    }
  }

  last(limit: number): readonly LogLine[] {
    return this.#lines.slice(Math.max(this.#first, this.#lines.length - Math.max(0, limit)));
  }
}

/** Text in UTF-16 units plus what a line costs beside it, roughly. */
const sizeOf = (line: LogLine | undefined) => (line === undefined ? 0 : line.text.length * 2 + 64);
