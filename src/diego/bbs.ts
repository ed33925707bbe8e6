/**
 * The BBS: desired LRPs live in the database, actual LRPs in memory (after a restart everything desired is
 * UNCLAIMED and placed again). Rules are in `state.ts`; here are durability, order, cells and time.
 */
import { isDeepStrictEqual } from "node:util";
import type { ActualLrp, Bbs, DesiredLrp, LogLine, LrpEvent } from "../contracts/index.ts";
import { lrpInvalid } from "../kernel/errors/diego.ts";
import type { Clock, Logger, Part, Timer } from "../kernel/index.ts";
import type { DesiredLrpRows } from "./desired-lrps.ts";
import {
  applyUpdate,
  createLrpStates,
  type InstanceKey,
  type LrpStates,
  type NetInfo,
  type Outcome,
  type SlotKey,
} from "./state.ts";

/** Period of convergence; a restart that is due earlier is not kept waiting for it. */
const CONVERGE_EVERY_MS = 30_000;
/** Each has a record here before it runs, and events of its own. */
const MAX_INSTANCES = 100_000;
const GUID = /^[a-zA-Z0-9_-]+$/;
const NO_CELL = "no cell has joined; start the diego role on a machine that may run apps";

/** A machine (or a part of this one) that runs instances. What it does is told through {@link CellBbs}. */
export interface Cell {
  readonly id: string;
  readonly zone: string;
  /** Instances it holds now; the cell with the fewest is asked first. */
  readonly load: number;
  /** Takes the slot: claims it, runs it, reports. Returns at once. */
  placeInstance(lrp: DesiredLrp, index: number): void;
  /** Ends the instance in its own time, then removes its record. Repeats are harmless. */
  stopInstance(actual: ActualLrp): void;
  recentLogs(logGuid: string, limit: number): readonly LogLine[];
}

/** What cells ask of the BBS. In one process the events are out when a call returns. */
export interface CellBbs {
  /** Slots that waited for a cell are placed at once. Returns how to leave. */
  join(cell: Cell): () => void;
  /** @throws actualLrpNotFound, actualLrpRefused, as all of these: the cell then gives its instance up. */
  claimActualLrp(slot: SlotKey, instance: InstanceKey): void;
  startActualLrp(
    slot: SlotKey,
    instance: InstanceKey,
    net: NetInfo,
    about: { routable: boolean; zone: string },
  ): void;
  crashActualLrp(slot: SlotKey, instance: InstanceKey, reason: string): void;
  removeActualLrp(slot: SlotKey, instance: InstanceKey): void;
}

export interface BbsOptions {
  readonly rows: DesiredLrpRows;
  readonly clock: Clock;
  readonly log: Logger;
}

export class LrpBbs implements Bbs, CellBbs, Part {
  readonly name = "diego";
  readonly #rows: DesiredLrpRows;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #states: LrpStates;
  readonly #cells = new Map<string, Cell>();
  readonly #subscribers = new Set<(event: LrpEvent) => void>();
  readonly #untold: LrpEvent[] = [];
  #isTelling = false;
  #timer: Timer | null = null;
  #lastWrite: Promise<unknown> = Promise.resolve();

  constructor({ rows, clock, log }: BbsOptions) {
    this.#rows = rows;
    this.#clock = clock;
    this.#log = log;
    this.#states = createLrpStates(clock);
  }

  // --- life ---

  async start(): Promise<void> {
    for (const lrp of await this.#rows.all()) this.#carryOut(this.#states.desire(lrp));
    this.#armConvergence();
  }

  async stop(): Promise<void> {
    this.#timer?.clear();
    this.#timer = null;
    await this.#lastWrite;
  }

  // --- for the cloud controller and the emitter ---

  desireLrp(lrp: DesiredLrp): Promise<void> {
    return this.#afterOtherWrites(async () => {
      check(lrp);
      if (!this.#states.desired.has(lrp.processGuid)) await this.#rows.insert(lrp);
      this.#carryOut(this.#states.desire(lrp));
    });
  }

  updateDesiredLrp(processGuid: string, update: Parameters<Bbs["updateDesiredLrp"]>[1]): Promise<void> {
    return this.#afterOtherWrites(async () => {
      const before = this.#states.desired.get(processGuid);
      if (before !== undefined) {
        const after = applyUpdate(before, update);
        if (isDeepStrictEqual(before, after)) return;
        check(after);
        await this.#rows.update(after);
      }
      this.#carryOut(this.#states.update(processGuid, update));
    });
  }

  removeDesiredLrp(processGuid: string): Promise<void> {
    return this.#afterOtherWrites(async () => {
      await this.#rows.delete(processGuid);
      this.#carryOut(this.#states.remove(processGuid));
    });
  }

  async desiredLrps(filter: { domain?: string; processGuids?: readonly string[] } = {}) {
    const { domain, processGuids } = filter;
    const { desired } = this.#states;
    const chosen =
      processGuids === undefined
        ? [...desired.values()]
        : processGuids.map((guid) => desired.get(guid)).filter((lrp) => lrp !== undefined);
    return domain === undefined ? chosen : chosen.filter((lrp) => lrp.domain === domain);
  }

  async actualLrps(filter: { processGuid?: string } = {}): Promise<readonly ActualLrp[]> {
    return this.#states.actual(filter.processGuid);
  }

  async retireActualLrp(processGuid: string, index: number): Promise<void> {
    this.#carryOut(this.#states.retire({ processGuid, index }));
  }

  subscribe(handler: (event: LrpEvent) => void): () => void {
    this.#subscribers.add(handler);
    return () => void this.#subscribers.delete(handler);
  }

  async recentLogs(logGuid: string, limit: number): Promise<readonly LogLine[]> {
    const lines = [...this.#cells.values()].flatMap((cell) => cell.recentLogs(logGuid, limit));
    // Nanoseconds in decimal have the same number of digits until the year 2286, so text order is time order.
    lines.sort((a, b) => (a.timestampNs < b.timestampNs ? -1 : a.timestampNs > b.timestampNs ? 1 : 0));
    return lines.slice(Math.max(0, lines.length - limit));
  }

  // --- for cells ---

  join(cell: Cell): () => void {
    this.#cells.set(cell.id, cell);
    for (const actual of this.#states.actual()) if (actual.state === "UNCLAIMED") this.#place(actual);
    return () => void this.#cells.delete(cell.id);
  }

  claimActualLrp(slot: SlotKey, instance: InstanceKey): void {
    this.#carryOut(this.#states.claim(slot, instance));
  }

  startActualLrp(...call: Parameters<CellBbs["startActualLrp"]>): void {
    this.#carryOut(this.#states.start(...call));
  }

  crashActualLrp(slot: SlotKey, instance: InstanceKey, reason: string): void {
    this.#carryOut(this.#states.crash(slot, instance, reason));
    this.#armConvergence();
  }

  removeActualLrp(slot: SlotKey, instance: InstanceKey): void {
    this.#carryOut(this.#states.removeActual(slot, instance));
  }

  // --- inside ---

  /** Desires come from several callers; the row and the state must change in the same order. */
  #afterOtherWrites(write: () => Promise<void>): Promise<void> {
    const done = this.#lastWrite.then(write);
    this.#lastWrite = done.catch(() => {});
    return done;
  }

  #carryOut(outcome: Outcome): void {
    this.#tell(outcome.events);
    for (const actual of outcome.stops) this.#cells.get(actual.cellId)?.stopInstance(actual);
    for (const slot of outcome.placements) this.#place(slot);
  }

  /** One event reaches every subscriber before the next does, also when a handler calls the BBS again. */
  #tell(events: readonly LrpEvent[]): void {
    this.#untold.push(...events);
    if (this.#isTelling) return;
    this.#isTelling = true;
    for (let event = this.#untold.shift(); event !== undefined; event = this.#untold.shift()) {
      this.#note(event);
      for (const handler of this.#subscribers) {
        try {
          handler(event);
        } catch (error) {
          // The others, and the BBS itself, must not suffer from one subscriber's mistake.
          this.#log.error({ err: error, event: event.kind }, "a subscriber of LRP events failed");
        }
      }
    }
    this.#isTelling = false;
  }

  /** What somebody wants to read who is woken by an alert: which instance of which app began or ended to serve. */
  #note(event: LrpEvent): void {
    if (event.kind === "actual-crashed") {
      const { crashCount } = event.actual;
      this.#log.warn({ ...this.#named(event.actual), crashCount, reason: event.reason }, "instance crashed");
    } else if (event.kind === "actual-changed" && event.after.state !== event.before.state) {
      if (event.after.state !== "RUNNING") return;
      const { address, ports } = event.after;
      const port = ports[0]?.hostPort;
      this.#log.info({ ...this.#named(event.after), address, port }, "instance runs");
    } else if (event.kind === "actual-removed" && event.actual.state === "RUNNING") {
      // A crashed one that starts again makes room for its successor; its crash was said.
      if (this.#states.find(event.actual) !== undefined) return;
      this.#log.info(this.#named(event.actual), "instance ended");
    }
  }

  #named({ processGuid, index, instanceGuid }: ActualLrp) {
    const app = this.#states.desired.get(processGuid)?.metricTags["app_name"];
    return { app, processGuid, index, instanceGuid };
  }

  #place(slot: SlotKey): void {
    const lrp = this.#states.desired.get(slot.processGuid);
    // A subscriber may have changed the slot on hearing of it.
    if (lrp === undefined || this.#states.find(slot)?.state !== "UNCLAIMED") return;
    const [first, ...others] = this.#cells.values();
    if (first === undefined) {
      this.#tell(this.#states.fail(slot, NO_CELL).events);
      return;
    }
    const cell = others.reduce((best, next) => (next.load < best.load ? next : best), first);
    cell.placeInstance(lrp, slot.index);
  }

  #armConvergence(): void {
    this.#timer?.clear();
    // A restart is due when its delay is exceeded, not when it is reached.
    const restartInMs = (this.#states.nextRestartInMs() ?? Infinity) + 1;
    this.#timer = this.#clock.setTimeout(
      () => {
        this.#carryOut(this.#states.converge());
        this.#armConvergence();
      },
      Math.min(CONVERGE_EVERY_MS, restartInMs),
    );
  }
}

function check(lrp: DesiredLrp): void {
  const problems: string[] = [];
  const hasNul = (text: string) => text.includes("\0");
  if (!GUID.test(lrp.processGuid)) problems.push("process guid is not made of letters, digits, - and _");
  // It becomes a file name.
  if (!GUID.test(lrp.logGuid)) problems.push("log guid is not made of letters, digits, - and _");
  if (!Number.isInteger(lrp.instances) || lrp.instances < 0 || lrp.instances > MAX_INSTANCES) {
    problems.push(`instances is ${lrp.instances}; write a whole number from 0 to ${MAX_INSTANCES}`);
  }
  if (lrp.command.trim() === "" || hasNul(lrp.command)) problems.push("command is empty or holds a NUL");
  if (!lrp.directory.startsWith("/") || hasNul(lrp.directory)) {
    problems.push(`directory ${JSON.stringify(lrp.directory)} is no absolute path`);
  }
  if (lrp.ports.some((port) => !Number.isInteger(port) || port < 1 || port > 65_535)) {
    problems.push(`ports are ${lrp.ports.join(", ")}; write numbers from 1 to 65535`);
  }
  if (lrp.healthCheck.type !== "process" && lrp.ports.length === 0) {
    problems.push(`a ${lrp.healthCheck.type} health check needs a port; add one or choose process`);
  }
  for (const [name, value] of Object.entries(lrp.environment)) {
    if (name === "" || /[=\0]/.test(name) || hasNul(value)) {
      problems.push(`environment variable ${JSON.stringify(name)} has a name or value no process can have`);
    }
  }
  if (problems.length > 0) throw lrpInvalid({ processGuid: lrp.processGuid, problems });
}
