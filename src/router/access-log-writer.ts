/**
 * Collects access-log lines and writes many at once, never making an exchange wait. A writer that cannot keep up
 * costs lines, which are counted, not latency.
 */
import { closeSync, openSync, write } from "node:fs";
import { type LineSink, RotatingFile, type RotatingFileOptions } from "../kernel/index.ts";

/**
 * Lines are copied into a page as they come: kept as texts until they are written, they would outlive the collector's
 * young generation, and that cost more than making them. A full page is written at once, else at the next tick. Each
 * write is another thread's, which may take the core from the event loop until it is done: 0.2 ms at most for this much, 0.6
 * to 1 for four times of it, where every page of the file is memory that the system has to find first.
 */
const PAGE_BYTES = 64 * 1024;
/** Full pages that wait for a slow file: about a second of a busy router. */
const MAX_FULL_PAGES = 256;

/** Where batches go. */
export interface BatchSink {
  /**
   * Takes some whole lines; calls back when it may be given more, and is through with the bytes. `lost` is how many of
   * the lines could not be written, as a whole.
   */
  write(lines: Buffer, done: (lost: number) => void): void;
  /** Not called while it writes. */
  reopen(): void;
  close(): void;
}

export class AccessLogWriter {
  readonly #sink: BatchSink;
  readonly #onDrop: (lines: number) => void;
  #page: Buffer = newPage(PAGE_BYTES);
  #used = 0;
  /** Whole lines, oldest first, each the used part of a page. */
  readonly #full: Buffer[] = [];
  /** Written and free again: two pages are all that a sink that keeps up needs. */
  #spare: Buffer | null = null;
  #isWriting = false;
  #mustReopen = false;
  #whenIdle: (() => void) | null = null;

  constructor(sink: BatchSink, onDrop: (lines: number) => void) {
    this.#sink = sink;
    this.#onDrop = onDrop;
  }

  /** @param line  One character per byte. */
  add(line: string): void {
    if (this.#used + line.length >= this.#page.length) {
      if (this.#full.length >= MAX_FULL_PAGES) {
        this.#onDrop(1);
        return;
      }
      this.#turnPage(line.length + 1);
      this.flush();
    }
    const end = this.#used + this.#page.write(line, this.#used, "latin1");
    this.#page[end] = LF;
    this.#used = end + 1;
  }

  flush(): void {
    if (this.#isWriting) return;
    if (this.#full.length === 0 && this.#used > 0) this.#turnPage(PAGE_BYTES);
    const lines = this.#full.shift();
    if (lines === undefined) {
      this.#whenIdle?.();
      this.#whenIdle = null;
      return;
    }
    this.#isWriting = true;
    this.#sink.write(lines, (lost) => {
      this.#isWriting = false;
      if (lost > 0) this.#onDrop(lost);
      if (this.#mustReopen) this.#sink.reopen();
      this.#mustReopen = false;
      if (lines.buffer.byteLength === PAGE_BYTES) this.#spare = Buffer.from(lines.buffer);
      if (this.#whenIdle !== null || this.#full.length > 0) this.flush();
    });
  }

  /** What is written after the batch that is on its way goes to a file of the name that the log has now. */
  reopen(): void {
    if (this.#isWriting) this.#mustReopen = true;
    else this.#sink.reopen();
  }

  /** Resolves when everything added before has been written. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#whenIdle = resolve;
      this.flush();
    });
    this.#sink.close();
  }

  #turnPage(leastBytes: number): void {
    if (this.#used > 0) this.#full.push(this.#page.subarray(0, this.#used));
    this.#used = 0;
    if (leastBytes > PAGE_BYTES || this.#spare === null) {
      this.#page = newPage(Math.max(leastBytes, PAGE_BYTES));
    } else {
      this.#page = this.#spare;
      this.#spare = null;
    }
  }
}

const LF = 10;
/** Memory of its own, so that it can be used again; the system gives it when it is written to. */
const newPage = (bytes: number) => Buffer.allocUnsafeSlow(bytes);

/** Hands each batch to a sink that takes it at once. */
export function lineBatchSink(sink: LineSink): BatchSink {
  return {
    write(lines, done) {
      sink.write(lines.toString("latin1"));
      done(0);
    },
    reopen() {},
    close() {},
  };
}

/** What happens to a file of lines. */
export interface FileTrouble {
  /** It cannot be written; told once, until a batch has been written again. */
  onError(error: Error): void;
  onRecovery(): void;
}

/** Appends whole lines to a file, which other processes may do too; created when it is missing. */
export function fileBatchSink(path: string, { onError, onRecovery }: FileTrouble): BatchSink {
  const open = () => openSync(path, "a", 0o640);
  let file = open();
  let isInTrouble = false;
  /** A full disk took the beginning of a line: the next one begins on a line of its own. */
  let isTorn = false;
  const trouble = (error: Error) => {
    if (!isInTrouble) onError(error);
    isInTrouble = true;
  };
  return {
    write(lines, done) {
      const batch = isTorn ? Buffer.concat([Buffer.from("\n"), lines]) : lines;
      const writeFrom = (at: number) => {
        write(file, batch, at, batch.length - at, null, (error, written) => {
          if (error !== null) {
            isTorn = at === 0 ? isTorn : batch[at - 1] !== LF;
            trouble(error);
            return done(linesIn(batch.subarray(at)));
          }
          if (at + written < batch.length) return writeFrom(at + written);
          isTorn = false;
          if (isInTrouble) onRecovery();
          isInTrouble = false;
          return done(0);
        });
      };
      writeFrom(0);
    },
    reopen() {
      const old = file;
      try {
        file = open();
        closeSync(old);
        isTorn = false;
      } catch (error) {
        // The file that was moved away is better than none.
        onError(error as Error);
      }
    },
    close: () => closeSync(file),
  };
}

function linesIn(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(LF); at !== -1; at = bytes.indexOf(LF, at + 1)) lines++;
  return lines;
}

/**
 * The same, of a file that is put aside at a size. It is opened by its name for every batch, so there is nothing to
 * reopen.
 */
export function rotatingBatchSink(
  options: Omit<RotatingFileOptions, "encoding" | "onLoss"> & FileTrouble,
): BatchSink {
  let lost = 0;
  const onLoss = (text: string) => {
    lost += linesIn(Buffer.from(text, "latin1"));
  };
  const file = new RotatingFile({ ...options, encoding: "latin1", onLoss });
  return {
    write(lines, done) {
      lost = 0;
      file.write(lines.toString("latin1"));
      void file.flush().then(() => done(lost));
    },
    reopen() {},
    close() {},
  };
}
