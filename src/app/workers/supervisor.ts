/**
 * Keeps a number of workers running, each in a slot of its own.
 *
 *            ┌──────────── pause, doubling ◄────────────┐
 *            ▼                                          │ ended unasked
 *   launch ─► starting ──ready──► serving ──────────────┘
 *                                    │ restart: a successor in the same slot is ready
 *                                    ▼
 *                                 leaving ──► ended
 *
 * Not here: what a worker is.
 */
import type { Clock, Logger, Timer } from "../../kernel/index.ts";

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;
/** A worker that served this long did not end because of how it started. */
const STEADY_AFTER_MS = 10_000;
/** Endings in a row that are called a loop. */
const LOOP_AFTER = 5;

export interface Worker<Message> {
  readonly pid: number;
  /** Resolves when it serves. @throws whatever kept it from that; it has ended then */
  readonly ready: Promise<void>;
  /** Resolves when its process has ended, with how. */
  readonly ended: Promise<string>;
  send(message: Message): void;
  kill(): void;
}

export interface SupervisorParts<Message, W extends Worker<Message>> {
  readonly slots: number;
  launch(slot: number): W;
  /** Nobody is in the slot any more, and for a while nobody will be. */
  onVacant(slot: number): void;
  /** Tells a worker that its successor serves. */
  readonly handOver: Message;
  /** Longest time that a worker may take for it. */
  readonly handOverLimitMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Slot<W> {
  readonly number: number;
  serving: W | null;
  starting: W | null;
  servingSinceMs: number;
  /** Endings that nobody asked for, since one that served for long. */
  endings: number;
  pause: Timer | null;
}

export class Supervisor<Message, W extends Worker<Message>> {
  readonly #parts: SupervisorParts<Message, W>;
  readonly #slots: readonly Slot<W>[];
  readonly #leaving = new Set<W>();
  #isRestarting = false;
  #isEnding = false;

  constructor(parts: SupervisorParts<Message, W>) {
    this.#parts = parts;
    this.#slots = Array.from({ length: parts.slots }, (_, number) => ({
      number,
      serving: null,
      starting: null,
      servingSinceMs: 0,
      endings: 0,
      pause: null,
    }));
  }

  /** Workers that take connections. */
  get serving(): readonly W[] {
    return this.#slots.flatMap(({ serving }) => serving ?? []);
  }

  /** Workers are being replaced, or replaced ones have not ended yet. */
  get isRestarting(): boolean {
    return this.#isRestarting || this.#leaving.size > 0;
  }

  /**
   * Resolves when all serve.
   * @throws what the first that cannot start says; all others have ended then
   */
  async start(): Promise<void> {
    try {
      await Promise.all(this.#slots.map((slot) => this.#fill(slot)));
    } catch (error) {
      this.#stopFilling();
      for (const worker of this.#all()) worker.kill();
      await Promise.all(this.#all().map((worker) => worker.ended));
      throw error;
    }
  }

  /**
   * Replaces every worker by a new one, slot by slot: the new one serves before the old one leaves. At the first that
   * cannot start it stops, and the rest stay as they are.
   * @returns how many were replaced, and what went wrong
   */
  async restart(): Promise<{ readonly replaced: number; readonly problem: Error | null }> {
    this.#isRestarting = true;
    let replaced = 0;
    try {
      for (const slot of this.#slots) {
        // It is being filled with what is to be replaced.
        if (slot.starting !== null) await slot.starting.ready.catch(() => {});
        // An empty slot gets a new one anyway.
        if (slot.serving === null) continue;
        try {
          await this.#fill(slot);
        } catch (error) {
          // The one before it ended meanwhile.
          if (slot.serving === null && !this.#isEnding) this.#fillLater(slot);
          return { replaced, problem: error as Error };
        }
        replaced++;
      }
      return { replaced, problem: null };
    } finally {
      this.#isRestarting = false;
    }
  }

  /** Says something to all that serve or will. */
  tell(message: Message): void {
    for (const { serving, starting } of this.#slots) {
      serving?.send(message);
      starting?.send(message);
    }
  }

  /** Tells all workers to end, and kills who has not after `limitMs`. */
  async end(message: Message, limitMs: number): Promise<void> {
    this.#stopFilling();
    for (const worker of this.#all()) worker.send(message);
    await this.#killAfter(this.#all(), limitMs);
  }

  /** A new worker for the slot; the one before it leaves when it is ready. */
  async #fill(slot: Slot<W>): Promise<void> {
    const worker = this.#parts.launch(slot.number);
    slot.starting = worker;
    try {
      await worker.ready;
    } finally {
      slot.starting = null;
    }
    const before = slot.serving;
    slot.serving = worker;
    slot.servingSinceMs = this.#parts.clock.monotonicMs();
    void worker.ended.then((how) => this.#onEnded(slot, worker, how));
    this.#parts.log.info({ worker: slot.number, pid: worker.pid }, "worker-started");
    if (before !== null) this.#leave(slot, before);
  }

  #leave(slot: Slot<W>, worker: W): void {
    const { log, handOver, handOverLimitMs } = this.#parts;
    this.#leaving.add(worker);
    worker.send(handOver);
    void this.#killAfter([worker], handOverLimitMs).then(() => {
      this.#leaving.delete(worker);
      log.info({ worker: slot.number, pid: worker.pid }, "worker-replaced");
    });
  }

  #onEnded(slot: Slot<W>, worker: W, how: string): void {
    if (this.#isEnding || slot.serving !== worker) return;
    const { clock, log } = this.#parts;
    slot.serving = null;
    if (clock.monotonicMs() - slot.servingSinceMs >= STEADY_AFTER_MS) slot.endings = 0;
    // Otherwise a successor is on its way, and takes over what waits in the slot.
    if (slot.starting === null) this.#fillLater(slot);
    log.error({ worker: slot.number, pid: worker.pid, ended: how }, "worker-ended");
  }

  #fillLater(slot: Slot<W>): void {
    const { clock, log, onVacant } = this.#parts;
    // First of all, before a line is written: until then clients are queued for nobody.
    onVacant(slot.number);
    const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** slot.endings);
    slot.endings++;
    if (slot.endings >= LOOP_AFTER) {
      log.error({ worker: slot.number, endings: slot.endings, pause: `${pauseMs}ms` }, "worker-crash-loop");
    }
    slot.pause = clock.setTimeout(() => {
      slot.pause = null;
      this.#fill(slot).catch((error: Error) => {
        if (this.#isEnding) return;
        this.#fillLater(slot);
        log.error({ worker: slot.number, error: error.message }, "worker-not-started");
      });
    }, pauseMs);
  }

  #stopFilling(): void {
    this.#isEnding = true;
    for (const { pause } of this.#slots) pause?.clear();
  }

  #all(): W[] {
    return [...this.#slots.flatMap(({ serving, starting }) => [serving, starting]), ...this.#leaving].filter(
      (worker) => worker !== null,
    );
  }

  async #killAfter(workers: readonly W[], limitMs: number): Promise<void> {
    const timers = workers.map((worker) => {
      const timer = this.#parts.clock.setTimeout(() => worker.kill(), limitMs);
      return worker.ended.then(() => timer.clear());
    });
    await Promise.all(timers);
  }
}
