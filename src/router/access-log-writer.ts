/**
 * Collects access-log lines and writes many at once, never making an exchange wait. A writer that cannot keep up
 * costs lines, which are counted, not latency.
 */
import { closeSync, openSync, write } from "node:fs";
import type { LineSink } from "../kernel/index.ts";

/**
 * Written at once when so much has come together; else at the next tick. Each write wakes another thread: with a
 * quarter of this the switching cost as much as formatting the lines.
 */
const BATCH_CHARACTERS = 256 * 1024;
/** Lines that wait for a slow file: about a second of a busy router. */
const MAX_WAITING_CHARACTERS = 16 * 1024 * 1024;

/** Where batches go. Lines have one character per byte: write them as latin1. */
export interface BatchSink {
  /** Takes some whole lines; calls back when it may be given more. */
  write(lines: string, done: () => void): void;
  close(): void;
}

export class AccessLogWriter {
  readonly #sink: BatchSink;
  readonly #onDrop: (lines: number) => void;
  #waiting = "";
  #isWriting = false;
  #whenIdle: (() => void) | null = null;

  constructor(sink: BatchSink, onDrop: (lines: number) => void) {
    this.#sink = sink;
    this.#onDrop = onDrop;
  }

  add(line: string): void {
    if (this.#waiting.length > MAX_WAITING_CHARACTERS) {
      this.#onDrop(1);
      return;
    }
    this.#waiting += line;
    this.#waiting += "\n";
    if (this.#waiting.length >= BATCH_CHARACTERS) this.flush();
  }

  flush(): void {
    if (this.#isWriting) return;
    if (this.#waiting === "") {
      this.#whenIdle?.();
      this.#whenIdle = null;
      return;
    }
    const lines = this.#waiting;
    this.#waiting = "";
    this.#isWriting = true;
    this.#sink.write(lines, this.#written);
  }

  /** Resolves when everything added before has been written. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#whenIdle = resolve;
      this.flush();
    });
    this.#sink.close();
  }

  readonly #written = () => {
    this.#isWriting = false;
    if (this.#whenIdle !== null || this.#waiting.length >= BATCH_CHARACTERS) this.flush();
  };
}

/** Hands each batch to a sink that takes it at once. */
export function lineBatchSink(sink: LineSink): BatchSink {
  return {
    write(lines, done) {
      sink.write(lines);
      done();
    },
    close() {},
  };
}

/** Appends to a file; created when it is missing. */
export function fileBatchSink(path: string, onError: (error: Error) => void): BatchSink {
  const file = openSync(path, "a", 0o640);
  return {
    write(lines, done) {
      const bytes = Buffer.from(lines, "latin1");
      const writeFrom = (at: number) => {
        write(file, bytes, at, bytes.length - at, null, (error, written) => {
          if (error !== null) onError(error);
          else if (at + written < bytes.length) return writeFrom(at + written);
          return done();
        });
      };
      writeFrom(0);
    },
    close: () => closeSync(file),
  };
}
