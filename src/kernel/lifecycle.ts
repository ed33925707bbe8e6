/**
 * Start, drain, stop, in order.
 *
 *   start: a → b → c          (each waits for the one before it)
 *   drain: c → b → a          (stop taking work, finish what is in flight)
 *   stop:  c → b → a          (release everything)
 *
 * When a start fails, what had started is stopped again, and the failure is thrown.
 */
import type { Logger } from "./log.ts";

export interface Part {
  readonly name: string;
  /** Resolves when the part is ready to be used by the next one. */
  start(): Promise<void>;
  /** Finishes work in flight, for at most `deadlineMs`; new work is refused. */
  drain?(deadlineMs: number): Promise<void>;
  stop(): Promise<void>;
}

export interface Lifecycle {
  start(): Promise<void>;
  /** Drains, then stops. Safe to call twice; the second call waits for the first. */
  shutdown(drainMs: number): Promise<void>;
}

export function createLifecycle(parts: readonly Part[], log: Logger): Lifecycle {
  const running: Part[] = [];
  let ending: Promise<void> | null = null;

  const backwards = async (step: (part: Part) => Promise<void> | undefined, verb: string) => {
    for (const part of running.toReversed()) {
      try {
        await step(part);
      } catch (error) {
        // One part that cannot end must not keep the others from ending.
        log.error({ part: part.name, err: error }, `${verb} failed`);
      }
    }
  };

  const end = async (drainMs: number) => {
    if (drainMs > 0) await backwards((part) => part.drain?.(drainMs), "drain");
    await backwards((part) => part.stop(), "stop");
    running.length = 0;
  };

  return {
    async start() {
      for (const part of parts) {
        try {
          await part.start();
        } catch (error) {
          await end(0);
          throw error;
        }
        running.push(part);
        log.debug({ part: part.name }, "started");
      }
    },
    shutdown(drainMs) {
      ending ??= end(drainMs);
      return ending;
    },
  };
}
