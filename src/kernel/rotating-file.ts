/**
 * A log file that cannot fill the disk: at a size it is put aside (`FILE.1`, `FILE.2`, …) and begun anew, and only so
 * many are kept. Lines are written together, in the background, and never make anybody wait.
 *
 * Every batch opens the file by its name. So whoever moves or removes it under us, another rotation tool or an
 * operator who needs the space, has done all there is to do.
 */
import { appendFileSync, type Stats } from "node:fs";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { LineSink } from "./log.ts";

/** Text that may wait for a disk that is behind; what comes on top is lost, and said to be. */
const MAX_WAITING_CHARS = 16 * 1024 * 1024;
/** Readable by the owner and the group, as log files of other servers are. */
const MODE = 0o640;

export interface RotatingFileOptions {
  /** Its folder is made when it is missing. */
  readonly path: string;
  /** The file is put aside by the batch that makes it as large as this. */
  readonly maxBytes: number;
  /** Files kept beside the current one; 0 keeps none. */
  readonly oldFiles: number;
  /** `latin1` for texts with one character per byte. */
  readonly encoding?: "utf8" | "latin1";
  /** Told once per trouble: again only after a batch was written. */
  readonly onError: (error: Error) => void;
  /** A batch was written, after trouble. */
  readonly onRecovery?: () => void;
  /** What of the texts given is not in the file, each time. */
  readonly onLoss?: (text: string) => void;
}

export class RotatingFile implements LineSink {
  readonly #options: RotatingFileOptions;
  #waiting: string[] = [];
  #waitingChars = 0;
  #inFlight = "";
  #writing: Promise<void> | null = null;
  #isInTrouble = false;

  constructor(options: RotatingFileOptions) {
    this.#options = options;
  }

  /** Characters that are not yet on their way to the file. */
  get waitingChars(): number {
    return this.#waitingChars;
  }

  /** @throws what keeps the file from being written, before anybody relies on it */
  async check(): Promise<void> {
    await (await this.#open()).close();
  }

  write(text: string): void {
    if (this.#waitingChars > MAX_WAITING_CHARS) {
      this.#trouble(new Error("the disk is behind; lines are lost"));
      this.#options.onLoss?.(text);
      return;
    }
    this.#waiting.push(text);
    this.#waitingChars += text.length;
    this.#writing ??= this.#writeAll();
  }

  /** Resolves when everything given before is in the file, or could not be written. */
  flush(): Promise<void> {
    return this.#writing ?? Promise.resolve();
  }

  /**
   * For the last words of a process that is about to end: writes at once what has not been confirmed to be written.
   * Lines on their way may so come twice, which is better than not at all. Never throws.
   */
  flushSync(): void {
    const { path, encoding = "utf8" } = this.#options;
    try {
      appendFileSync(path, this.#inFlight + this.#take(), { encoding, mode: MODE });
    } catch (error) {
      this.#trouble(error as Error);
    }
  }

  #take(): string {
    const text = this.#waiting.join("");
    this.#waiting = [];
    this.#waitingChars = 0;
    return text;
  }

  async #writeAll(): Promise<void> {
    // Lines of the same turn go together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      this.#inFlight = this.#take();
      try {
        await this.#append(this.#inFlight);
        if (this.#isInTrouble) this.#options.onRecovery?.();
        this.#isInTrouble = false;
      } catch (error) {
        this.#trouble(error as Error);
        this.#options.onLoss?.(this.#inFlight);
      }
      this.#inFlight = "";
    }
    // Here and not in a `finally` of the caller: a line that came a microtask later would wait for the next one.
    this.#writing = null;
  }

  #trouble(error: Error): void {
    if (!this.#isInTrouble) this.#options.onError(error);
    this.#isInTrouble = true;
  }

  async #append(text: string): Promise<void> {
    const { encoding, maxBytes } = this.#options;
    const file = await this.#open();
    let written: Stats;
    try {
      await file.appendFile(text, { encoding: encoding ?? "utf8" });
      written = await file.stat();
    } finally {
      await file.close();
    }
    if (written.size >= maxBytes) await this.#putAside(written.ino);
  }

  async #open() {
    const { path } = this.#options;
    try {
      return await open(path, "a", MODE);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      await mkdir(dirname(path), { recursive: true });
      return open(path, "a", MODE);
    }
  }

  /**
   * Other processes may append to the same file and find it large at the same moment. One of them puts it aside, and
   * only while its name still stands for what was found large; otherwise the next file would take its place.
   */
  async #putAside(inode: number): Promise<void> {
    const { path, oldFiles } = this.#options;
    const lock = `${path}.rotating`;
    if (!(await takeLock(lock))) return;
    try {
      const named = await stat(path).catch(() => null);
      if (named?.ino !== inode) return;
      for (let age = oldFiles; age > 1; age--) {
        // A gap in the row is no failure.
        await rename(`${path}.${age - 1}`, `${path}.${age}`).catch(() => {});
      }
      if (oldFiles > 0) await rename(path, `${path}.1`);
      else await rm(path);
    } finally {
      await rm(lock, { force: true });
    }
  }
}

/** Whoever has it needs milliseconds; one that is older was left by a process that was killed. */
const LOCK_LIMIT_MS = 10_000;

async function takeLock(path: string): Promise<boolean> {
  try {
    await (await open(path, "wx", MODE)).close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    // Removed now, taken at the next batch.
    const made = await stat(path).catch(() => null);
    if (made !== null && Date.now() - made.mtimeMs > LOCK_LIMIT_MS) await rm(path, { force: true });
    return false;
  }
}
