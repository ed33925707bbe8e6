/**
 * What the emitter knows of Diego: desired LRPs and the instances that fill their slots. Built from events, put right
 * by full lists. Events may be late, repeated or missing; instances are told apart by their GUIDs, which are never
 * used twice, and dated by `sinceNs`.
 */
import type { ActualLrp, DesiredLrp, LrpEvent } from "../contracts/index.ts";

interface Known {
  desired: DesiredLrp | null;
  /** By slot and instance GUID: a slot may be filled twice while one instance replaces another. */
  readonly actuals: Map<string, ActualLrp>;
}

/** What events touched while a list was being fetched: the list may be older than they are. */
interface Touched {
  readonly desired: Set<string>;
  readonly actuals: Set<string>;
}

export class Lrps {
  readonly #known = new Map<string, Known>();
  /** Instances that are gone for good, so that a late event or a list cannot bring one back. */
  readonly #gone = new Set<string>();
  #touched: Touched | null = null;

  /** @returns the process GUID of the LRP whose endpoints may have changed */
  apply(event: LrpEvent): string {
    switch (event.kind) {
      case "desired-created":
        return this.#setDesired(event.desired.processGuid, event.desired);
      case "desired-changed":
        return this.#setDesired(event.after.processGuid, event.after);
      case "desired-removed":
        return this.#setDesired(event.desired.processGuid, null);
      case "actual-created":
        return this.#setActual(event.actual);
      case "actual-changed":
        if (keyOf(event.before) !== keyOf(event.after)) this.#removeActual(event.before);
        return this.#setActual(event.after);
      case "actual-removed":
      case "actual-crashed":
        return this.#removeActual(event.actual);
      default:
        return event satisfies never;
    }
  }

  /** From now on, remembers what events touch; {@link endSync} lets those win over the lists. */
  beginSync(): void {
    this.#touched = { desired: new Set(), actuals: new Set() };
  }

  endSync(desired: readonly DesiredLrp[], actuals: readonly ActualLrp[]): void {
    const touched = this.#touched ?? { desired: new Set<string>(), actuals: new Set<string>() };
    this.#touched = null;
    const before = new Map(this.#known);
    this.#known.clear();

    for (const lrp of desired)
      if (!touched.desired.has(lrp.processGuid)) this.#at(lrp.processGuid).desired = lrp;
    for (const guid of touched.desired) {
      this.#at(guid).desired = before.get(guid)?.desired ?? null;
    }

    const listed = new Set<string>();
    for (const actual of actuals) {
      listed.add(actual.instanceGuid);
      const key = keyOf(actual);
      if (key === null || this.#gone.has(actual.instanceGuid) || touched.actuals.has(key)) continue;
      this.#at(actual.processGuid).actuals.set(key, actual);
    }
    for (const [guid, { actuals: known }] of before) {
      for (const [key, actual] of known) {
        if (touched.actuals.has(key)) this.#at(guid).actuals.set(key, actual);
      }
    }
    for (const guid of touched.desired) this.#forgetEmpty(guid);
    // What no list knows any more, no list will bring back.
    for (const instance of this.#gone) if (!listed.has(instance)) this.#gone.delete(instance);
  }

  /** A sync that failed: what is known stays. */
  abandonSync(): void {
    this.#touched = null;
  }

  guids(): IterableIterator<string> {
    return this.#known.keys();
  }

  desired(guid: string): DesiredLrp | null {
    return this.#known.get(guid)?.desired ?? null;
  }

  /** Instances that may be routed to: desired, running, routable, with an address. */
  routable(guid: string): readonly ActualLrp[] {
    const known = this.#known.get(guid);
    const instances = known?.desired?.instances ?? 0;
    return [...(known?.actuals.values() ?? [])].filter(
      (actual) =>
        actual.index < instances && actual.state === "RUNNING" && actual.routable && actual.address !== "",
    );
  }

  #at(guid: string): Known {
    const known = this.#known.get(guid) ?? { desired: null, actuals: new Map() };
    this.#known.set(guid, known);
    return known;
  }

  #setDesired(guid: string, desired: DesiredLrp | null): string {
    this.#touched?.desired.add(guid);
    this.#at(guid).desired = desired;
    this.#forgetEmpty(guid);
    return guid;
  }

  #setActual(actual: ActualLrp): string {
    const key = keyOf(actual);
    if (key === null || this.#gone.has(actual.instanceGuid)) return actual.processGuid;
    const { actuals } = this.#at(actual.processGuid);
    const held = actuals.get(key);
    if (held !== undefined && BigInt(actual.sinceNs) < BigInt(held.sinceNs)) return actual.processGuid;
    this.#touched?.actuals.add(key);
    actuals.set(key, actual);
    return actual.processGuid;
  }

  #removeActual(actual: ActualLrp): string {
    const key = keyOf(actual);
    if (key === null) return actual.processGuid;
    this.#gone.add(actual.instanceGuid);
    this.#known.get(actual.processGuid)?.actuals.delete(key);
    this.#forgetEmpty(actual.processGuid);
    return actual.processGuid;
  }

  #forgetEmpty(guid: string): void {
    const known = this.#known.get(guid);
    if (known !== undefined && known.desired === null && known.actuals.size === 0) this.#known.delete(guid);
  }
}

/** Null for a slot that nothing fills. */
function keyOf({ processGuid, index, instanceGuid }: ActualLrp): string | null {
  return instanceGuid === "" ? null : `${processGuid} ${index} ${instanceGuid}`;
}
