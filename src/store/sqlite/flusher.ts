/**
 * Puts the write-ahead log on disk without stopping the thread. SQLite's `synchronous = full` does it inside the
 * commit: 4 ms on a cloud disk in which a process that also routes requests answers nobody. So SQLite only writes
 * (`synchronous = normal`), and whoever committed waits here for one `fdatasync` of the log in the runtime's thread
 * pool, which is the same call on the same file. All who commit while one runs share the next.
 *
 *   write A ─► sync 1 ───────► A acknowledged
 *       write B ─┬► (waits) ─► sync 2 ─► B and C acknowledged
 *       write C ─┘
 */
import { closeSync, fdatasync, openSync } from "node:fs";
import { promisify } from "node:util";

export interface Flusher {
  /** Resolves when everything written before the call is on disk; rejects, for good, once the disk has refused. */
  flush(): Promise<void>;
  /** Waits for the sync that runs. */
  close(): Promise<void>;
}

/**
 * @param sync  Puts on disk what is written when it is called.
 * @param release  Called once, when no sync runs any more.
 */
export function createFlusher(sync: () => Promise<void>, release = () => {}): Flusher {
  let running: Promise<void> | null = null;
  let next: Promise<void> | null = null;
  let failure: unknown = null;

  const run = async () => {
    // After a failed sync the system may have dropped the pages, and the next one would succeed over a hole.
    if (failure !== null) throw failure;
    running = sync();
    try {
      await running;
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      running = null;
    }
  };

  return {
    flush() {
      if (running === null) return run();
      // The one that runs may have begun before our write.
      next ??= running
        .catch(() => {})
        .then(() => {
          next = null;
          return run();
        });
      return next;
    },
    async close() {
      await (next ?? running)?.catch(() => {});
      release();
    },
  };
}

/** For the log of the database at `path`. SQLite makes the file, and keeps it as long as the database is open. */
export function createLogFlusher(path: string): Flusher {
  const datasync = promisify(fdatasync);
  let log: number | null = null;
  return createFlusher(
    () => {
      log ??= openSync(`${path}-wal`, "r+");
      return datasync(log);
    },
    () => {
      if (log !== null) closeSync(log);
    },
  );
}

/** For a database in memory. */
export const noFlusher: Flusher = { flush: async () => {}, close: async () => {} };
