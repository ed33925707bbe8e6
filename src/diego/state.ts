/**
 * The BBS as a value: which LRPs are desired, what fills each slot, and what every call changes. No sockets, no
 * database, no timers: a call returns the events it caused, the slots that need a cell and the instances to stop.
 *
 *              ┌────────────── unclaim, crash 1–2, restart ─────────────┐
 *              ▼                                                        │
 *   (none) → UNCLAIMED ──claim──► CLAIMED ──start──► RUNNING ──crash ≥3──► CRASHED
 *              │                     └────crash ≥3──────────────────────────▲
 *              └──────────start──────────────────────►
 */
import { isDeepStrictEqual } from "node:util";
import type {
  ActualLrp,
  DesiredLrp,
  DesiredLrpUpdate,
  LrpEvent,
  LrpState,
  PortMapping,
} from "../contracts/index.ts";
import { actualLrpNotFound, actualLrpRefused, lrpExists, lrpNotFound } from "../kernel/errors/diego.ts";
import type { Clock } from "../kernel/index.ts";

/** Crashes up to this count restart at once. */
const IMMEDIATE_RESTARTS = 2;
/** Nobody restarts an instance that crashed this often. */
const MAX_CRASHES = 200;
const MIN_BACKOFF_MS = 30_000;
/** 30 s × 2⁵ = 16 min is the longest wait. */
const MAX_BACKOFF_EXPONENT = 5;
/** An instance that ran for longer than this begins to count anew. */
const CRASH_RESET_MS = 5 * 60_000;
/** A slot that no cell has taken for this long is offered again. */
const REAUCTION_MS = 30_000;
const MAX_REASON_BYTES = 1024;
const TRUNCATED = "(truncated)";

/** From → to: always, only by the instance that holds the record, or never. */
export const TRANSITIONS: Readonly<
  Record<LrpState, Readonly<Record<LrpState, "always" | "same-instance" | "never">>>
> = {
  UNCLAIMED: { UNCLAIMED: "always", CLAIMED: "always", RUNNING: "always", CRASHED: "never" },
  // The first instance to be up wins, whoever claimed: CLAIMED → RUNNING asks for no key.
  CLAIMED: { UNCLAIMED: "always", CLAIMED: "same-instance", RUNNING: "always", CRASHED: "same-instance" },
  RUNNING: {
    UNCLAIMED: "always",
    CLAIMED: "same-instance",
    RUNNING: "same-instance",
    CRASHED: "same-instance",
  },
  CRASHED: { UNCLAIMED: "always", CLAIMED: "same-instance", RUNNING: "same-instance", CRASHED: "never" },
};

const NO_INSTANCE = { instanceGuid: "", cellId: "" } as const;
const NO_NET = { address: "", instanceAddress: "", ports: [] } as const;
const FRESH = {
  ...NO_INSTANCE,
  ...NO_NET,
  state: "UNCLAIMED",
  crashCount: 0,
  crashReason: "",
  placementError: "",
  routable: false,
  availabilityZone: "",
} as const;

export interface SlotKey {
  readonly processGuid: string;
  readonly index: number;
}

export interface InstanceKey {
  readonly instanceGuid: string;
  readonly cellId: string;
}

/** Where an instance is reached. */
export interface NetInfo {
  readonly address: string;
  readonly instanceAddress: string;
  readonly ports: readonly PortMapping[];
}

/** What a call caused. To be carried out in this order: tell, stop, place. */
export interface Outcome {
  readonly events: readonly LrpEvent[];
  /** Instances their cells must stop. */
  readonly stops: readonly ActualLrp[];
  /** UNCLAIMED slots that need a cell. */
  readonly placements: readonly SlotKey[];
}

/** Every slot of a desired LRP has a record after each call; there is at most one record per slot. */
export interface LrpStates {
  readonly desired: ReadonlyMap<string, DesiredLrp>;
  /** Every record, in no particular order. */
  actual(processGuid?: string): readonly ActualLrp[];
  find(slot: SlotKey): ActualLrp | undefined;
  /** @throws lrpExists when another LRP has the GUID; an equal one changes nothing. */
  desire(lrp: DesiredLrp): Outcome;
  /** @throws lrpNotFound */
  update(processGuid: string, update: DesiredLrpUpdate): Outcome;
  remove(processGuid: string): Outcome;
  /** @throws actualLrpNotFound, actualLrpRefused */
  claim(slot: SlotKey, instance: InstanceKey): Outcome;
  /**
   * Says that an instance is up, or that its readiness changed. An identical repeat causes nothing.
   * @throws actualLrpRefused when the slot is not desired, on its way out, or runs in another instance.
   */
  start(
    slot: SlotKey,
    instance: InstanceKey,
    net: NetInfo,
    about: { routable: boolean; zone: string },
  ): Outcome;
  /** @throws actualLrpNotFound, actualLrpRefused */
  crash(slot: SlotKey, instance: InstanceKey, reason: string): Outcome;
  /** Remembers why nobody took the slot. @throws actualLrpNotFound, actualLrpRefused unless UNCLAIMED. */
  fail(slot: SlotKey, placementError: string): Outcome;
  /** The instance is gone and was not to stay. @throws actualLrpNotFound, actualLrpRefused */
  removeActual(slot: SlotKey, instance: InstanceKey): Outcome;
  /** Stops one instance; the slot is filled again when it is still desired. @throws actualLrpNotFound */
  retire(slot: SlotKey): Outcome;
  /** What time alone brings: restarts that are due, slots nobody took, leftovers. */
  converge(): Outcome;
  /** Milliseconds until the next crashed instance is due; null when none waits. */
  nextRestartInMs(): number | null;
}

/** How long a crashed instance waits for its restart; null means for ever. */
export function restartDelayMs(crashCount: number): number | null {
  if (crashCount <= IMMEDIATE_RESTARTS) return 0;
  if (crashCount >= MAX_CRASHES) return null;
  return MIN_BACKOFF_MS * 2 ** Math.min(crashCount - IMMEDIATE_RESTARTS - 1, MAX_BACKOFF_EXPONENT);
}

/** At most 1024 bytes of UTF-8, with a note when something was cut. */
export function cutReason(reason: string): string {
  if (Buffer.byteLength(reason) <= MAX_REASON_BYTES) return reason;
  const head = Buffer.from(reason).subarray(0, MAX_REASON_BYTES - TRUNCATED.length);
  // Cutting inside a character leaves a replacement character at the end, which would be longer than what it replaces.
  return head.toString("utf8").replace(/\uFFFD+$/, "") + TRUNCATED;
}

/** One slot: the record others see and what only the BBS needs to know. */
interface Slot {
  record: ActualLrp;
  /** Monotonic time of the last change of state. */
  changedAtMs: number;
  /** Monotonic time since when it runs; readiness may flip meanwhile. */
  runningSinceMs: number;
  /** Its cell was told to stop it: it takes no more traffic and does not come back by itself. */
  isStopping: boolean;
}

export function createLrpStates(clock: Clock): LrpStates {
  const desired = new Map<string, DesiredLrp>();
  const slots = new Map<string, Map<number, Slot>>();

  const slotsOf = (processGuid: string) => [...(slots.get(processGuid)?.values() ?? [])];
  const find = ({ processGuid, index }: SlotKey) => slots.get(processGuid)?.get(index);
  const demand = (key: SlotKey): Slot => {
    const slot = find(key);
    if (slot === undefined) throw actualLrpNotFound(keyOf(key));
    return slot;
  };
  const isDesired = ({ processGuid, index }: SlotKey) => index < (desired.get(processGuid)?.instances ?? 0);
  const sinceNs = () => String(BigInt(Math.floor(clock.nowMs() * 1000)) * 1000n);

  /** Changes of one call, collected in the order they must be told. */
  class Change implements Outcome {
    readonly events: LrpEvent[] = [];
    readonly stops: ActualLrp[] = [];
    readonly placements: SlotKey[] = [];

    /** An UNCLAIMED record, in place of what the slot held. */
    create({ processGuid, index }: SlotKey, crashes = { crashCount: 0, crashReason: "" }): void {
      const now = clock.monotonicMs();
      const domain = desired.get(processGuid)?.domain ?? "";
      const record: ActualLrp = { ...FRESH, processGuid, index, domain, sinceNs: sinceNs(), ...crashes };
      const ofLrp = slots.get(processGuid) ?? new Map<number, Slot>();
      slots.set(processGuid, ofLrp);
      ofLrp.set(index, { record, changedAtMs: now, runningSinceMs: now, isStopping: false });
      this.events.push({ kind: "actual-created", actual: record });
      this.placements.push({ processGuid, index });
    }

    set(slot: Slot, changes: Partial<ActualLrp>): void {
      const before = slot.record;
      const after: ActualLrp = { ...before, ...changes, sinceNs: sinceNs() };
      slot.record = after;
      slot.changedAtMs = clock.monotonicMs();
      if (after.state === "RUNNING" && before.state !== "RUNNING") slot.runningSinceMs = slot.changedAtMs;
      this.events.push({ kind: "actual-changed", before, after });
    }

    drop(slot: Slot): void {
      const { processGuid, index } = slot.record;
      slots.get(processGuid)?.delete(index);
      if (slots.get(processGuid)?.size === 0) slots.delete(processGuid);
      this.events.push({ kind: "actual-removed", actual: slot.record });
    }

    /** Back to UNCLAIMED: a new record appears, the old one goes, in this order. */
    restart(before: ActualLrp, crashes: { crashCount: number; crashReason: string }): void {
      this.create(before, crashes);
      this.events.push({ kind: "actual-removed", actual: before });
    }

    /** Frees a slot nobody desires any more. */
    end(slot: Slot): void {
      const { record } = slot;
      if (record.state === "UNCLAIMED" || record.state === "CRASHED") {
        this.drop(slot);
        return;
      }
      // Unroutable first, so that nobody sends traffic to a process that has its SIGTERM already.
      if (record.routable) this.set(slot, { routable: false });
      slot.isStopping = true;
      this.stops.push(slot.record);
    }

    /** Ends slots from the highest index down. */
    endAll(ending: readonly Slot[]): void {
      for (const slot of ending.toSorted((a, b) => b.record.index - a.record.index)) this.end(slot);
    }

    createMissing(lrp: DesiredLrp): void {
      for (let index = 0; index < lrp.instances; index++) {
        const key = { processGuid: lrp.processGuid, index };
        if (find(key) === undefined) this.create(key);
      }
    }
  }

  return {
    desired,
    actual(processGuid) {
      const chosen = processGuid === undefined ? [...slots.keys()].flatMap(slotsOf) : slotsOf(processGuid);
      return chosen.map((slot) => slot.record);
    },

    find: (key) => find(key)?.record,

    desire(lrp) {
      const change = new Change();
      const present = desired.get(lrp.processGuid);
      if (present !== undefined) {
        const differs = differences(present, lrp);
        if (differs.length > 0) throw lrpExists({ processGuid: lrp.processGuid, differs });
        return change;
      }
      desired.set(lrp.processGuid, lrp);
      change.events.push({ kind: "desired-created", desired: lrp });
      change.createMissing(lrp);
      return change;
    },

    update(processGuid, update) {
      const change = new Change();
      const before = desired.get(processGuid);
      if (before === undefined) throw lrpNotFound({ processGuid });
      const after = applyUpdate(before, update);
      if (isDeepStrictEqual(before, after)) return change;
      desired.set(processGuid, after);
      // Growing: the slots are there before the LRP says so. Shrinking: routes go before the processes do.
      change.createMissing(after);
      change.events.push({ kind: "desired-changed", before, after });
      change.endAll(slotsOf(processGuid).filter((slot) => !isDesired(slot.record) && !slot.isStopping));
      return change;
    },

    remove(processGuid) {
      const change = new Change();
      const lrp = desired.get(processGuid);
      if (lrp === undefined) return change;
      desired.delete(processGuid);
      change.events.push({ kind: "desired-removed", desired: lrp });
      change.endAll(slotsOf(processGuid).filter((slot) => !slot.isStopping));
      return change;
    },

    claim(key, instance) {
      const change = new Change();
      const slot = demand(key);
      const refusal = refuse(slot, "CLAIMED", instance);
      if (refusal !== null) throw actualLrpRefused({ ...keyOf(key), action: "claimed", why: refusal });
      if (slot.record.state === "CLAIMED") return change;
      change.set(slot, { state: "CLAIMED", ...instance, ...NO_NET, routable: false, placementError: "" });
      return change;
    },

    start(key, instance, net, { routable, zone }) {
      const change = new Change();
      const refused = (why: string) => actualLrpRefused({ ...keyOf(key), action: "started", why });
      if (!isDesired(key)) throw refused("nobody desires it");
      const slot = demand(key);
      const refusal = refuse(slot, "RUNNING", instance);
      if (refusal !== null) throw refused(refusal);
      const running = { ...instance, ...net, routable, availabilityZone: zone };
      const isRepeat = isDeepStrictEqual(slot.record, { ...slot.record, ...running, state: "RUNNING" });
      if (!isRepeat) change.set(slot, { ...running, state: "RUNNING", placementError: "" });
      return change;
    },

    crash(key, instance, reason) {
      const change = new Change();
      const slot = demand(key);
      const before = slot.record;
      const refusal = refuse(slot, "CRASHED", instance);
      if (refusal !== null) throw actualLrpRefused({ ...keyOf(key), action: "crashed", why: refusal });
      const ranForMs = before.state === "RUNNING" ? clock.monotonicMs() - slot.runningSinceMs : 0;
      const crashCount = ranForMs > CRASH_RESET_MS ? 1 : before.crashCount + 1;
      const crashReason = cutReason(reason);
      const crashed: ActualLrp = {
        ...before,
        ...NO_NET,
        state: "CRASHED",
        crashCount,
        crashReason,
        routable: false,
        sinceNs: sinceNs(),
      };
      change.events.push({ kind: "actual-crashed", actual: crashed, reason: crashReason });
      if (!isDesired(key)) {
        change.drop(slot);
      } else if (restartDelayMs(crashCount) === 0) {
        change.restart(before, { crashCount, crashReason });
      } else {
        slot.isStopping = false;
        change.set(slot, { ...crashed, ...NO_INSTANCE });
      }
      return change;
    },

    fail(key, placementError) {
      const change = new Change();
      const slot = demand(key);
      if (slot.record.state !== "UNCLAIMED") {
        throw actualLrpRefused({ ...keyOf(key), action: "failed", why: `it is ${slot.record.state}` });
      }
      const cut = cutReason(placementError);
      if (slot.record.placementError !== cut) change.set(slot, { placementError: cut });
      return change;
    },

    removeActual(key, instance) {
      const change = new Change();
      const slot = demand(key);
      if (!isSameInstance(slot.record, instance)) {
        throw actualLrpRefused({ ...keyOf(key), action: "removed", why: "another instance holds it" });
      }
      change.drop(slot);
      if (isDesired(key)) change.create(key);
      return change;
    },

    retire(key) {
      const change = new Change();
      const slot = demand(key);
      if (slot.record.state === "UNCLAIMED" || slot.record.state === "CRASHED") {
        change.drop(slot);
        if (isDesired(key)) change.create(key);
        return change;
      }
      // Its removal is told at once, although the process may take a while to exit, and again when it has. In
      // between the record is unroutable, so that a full sync does not bring the route back.
      change.events.push({ kind: "actual-removed", actual: slot.record });
      slot.record = { ...slot.record, routable: false };
      slot.isStopping = true;
      change.stops.push(slot.record);
      return change;
    },

    converge() {
      const change = new Change();
      const now = clock.monotonicMs();
      for (const slot of [...slots.keys()].flatMap(slotsOf)) {
        const { record } = slot;
        if (!isDesired(record)) {
          change.end(slot);
          continue;
        }
        const ageMs = now - slot.changedAtMs;
        if (record.state === "CRASHED") {
          const delayMs = restartDelayMs(record.crashCount);
          if (delayMs !== null && ageMs > delayMs) {
            const { crashCount, crashReason } = record;
            change.restart(record, { crashCount, crashReason });
          }
        } else if (record.state === "UNCLAIMED" && ageMs > REAUCTION_MS) {
          change.placements.push(keyOf(record));
        }
      }
      return change;
    },

    nextRestartInMs() {
      let next: number | null = null;
      for (const slot of [...slots.keys()].flatMap(slotsOf)) {
        const delayMs = slot.record.state === "CRASHED" ? restartDelayMs(slot.record.crashCount) : null;
        if (delayMs === null) continue;
        const inMs = Math.max(0, slot.changedAtMs + delayMs - clock.monotonicMs());
        if (next === null || inMs < next) next = inMs;
      }
      return next;
    },
  };
}

/** Only the two fields: callers pass whole records as keys. */
const keyOf = ({ processGuid, index }: SlotKey): SlotKey => ({ processGuid, index });

const isSameInstance = (a: InstanceKey, b: InstanceKey) =>
  a.instanceGuid === b.instanceGuid && a.cellId === b.cellId;

/** Why the record may not go to `to` by this instance, or null when it may. */
function refuse(slot: Slot, to: LrpState, instance: InstanceKey): string | null {
  const { record, isStopping } = slot;
  const rule = TRANSITIONS[record.state][to];
  if (rule === "never") return `it is ${record.state}`;
  if (rule === "same-instance" && !isSameInstance(record, instance)) {
    return `it is ${record.state} in instance ${record.instanceGuid || "(none)"} on cell ${record.cellId || "(none)"}`;
  }
  if (isStopping && to !== "CRASHED") return "it is being stopped";
  return null;
}

export function applyUpdate(lrp: DesiredLrp, update: DesiredLrpUpdate): DesiredLrp {
  const { instances, routes, annotation, metricTags } = update;
  return {
    ...lrp,
    ...(instances === undefined ? {} : { instances }),
    ...(routes === undefined ? {} : { routes }),
    ...(annotation === undefined ? {} : { annotation }),
    ...(metricTags === undefined ? {} : { metricTags }),
  };
}

function differences(a: DesiredLrp, b: DesiredLrp): readonly string[] {
  const keys = Object.keys(a) as (keyof DesiredLrp)[];
  return keys.filter((key) => !isDeepStrictEqual(a[key], b[key]));
}
