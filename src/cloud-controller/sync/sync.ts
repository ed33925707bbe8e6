/**
 * Makes the route table and Diego agree with the rows: entry by entry as the outbox tells, and as a whole at a
 * start. What they shall hold is always computed from the newest rows, so doing it again changes nothing.
 */
import type { Bbs, DesiredLrp, RouteTableWriter } from "../../contracts/index.ts";
import { type Logger, ViaductError } from "../../kernel/index.ts";
import type { OutboxEntry, Store } from "../../store/index.ts";
import { ALL_TOPIC, LRP_TOPIC, processOfLrp, ROUTE_TOPIC } from "../news.ts";
import { LRP_DOMAIN, loadDesiredLrps } from "./desired-lrps.ts";
import { loadReservations } from "./reservations.ts";

export interface SyncOptions {
  readonly store: Store;
  readonly bbs: Bbs;
  readonly routeTable: Pick<RouteTableWriter, "putReservation" | "deleteReservation" | "replaceReservations">;
  /** Base of the API's links, for `VCAP_APPLICATION`. */
  readonly apiUrl: () => string;
  /** Where a droplet lies, by the hash of its bits; left out, droplets do not run. */
  readonly dropletPath?: ((sha256: string) => string) | undefined;
  readonly log: Logger;
}

/** Delivers entries of the outbox. Routes before LRPs: a route is known before its app answers. */
export type Sync = (entries: readonly OutboxEntry[]) => Promise<void>;

export function createSync(options: SyncOptions): Sync {
  const { store, bbs, routeTable, apiUrl, log, dropletPath = () => null } = options;
  /** What is refused for good must not keep what comes after it waiting; what failed comes again. */
  const refusable = async (what: object, work: () => Promise<unknown>) => {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ViaductError) || error.retry !== "never") throw error;
      log.error({ ...what, err: error }, "a change was refused and is left out");
    }
  };

  const syncRoutes = async (guids: readonly string[]) => {
    const reservations = new Map(
      (await loadReservations(store.db, guids)).map((reservation) => [reservation.guid, reservation]),
    );
    // All at once: the route table takes them in the order of the calls, and may write many together.
    await Promise.all(
      guids.map((guid) =>
        refusable({ route: guid }, () => {
          const reservation = reservations.get(guid);
          return reservation === undefined
            ? routeTable.deleteReservation(guid)
            : routeTable.putReservation(reservation);
        }),
      ),
    );
  };

  const syncLrps = async (lrpGuids: readonly string[]) => {
    const processGuids = [...new Set(lrpGuids.map(processOfLrp))];
    const wanted = await loadDesiredLrps(store.db, apiUrl(), processGuids, dropletPath);
    const wantedGuids = wanted.map((lrp) => lrp.processGuid);
    const known = await bbs.desiredLrps({ processGuids: [...new Set([...lrpGuids, ...wantedGuids])] });
    await converge(wanted, known);
  };

  const syncAll = async () => {
    const reservations = await loadReservations(store.db, null);
    await routeTable.replaceReservations(reservations);
    const wanted = await loadDesiredLrps(store.db, apiUrl(), null, dropletPath);
    await converge(wanted, await bbs.desiredLrps({ domain: LRP_DOMAIN }));
    log.info({ routes: reservations.length, processes: wanted.length }, "route table and Diego are in step");
  };

  /** Old versions go before new ones come, as a restart means. */
  const converge = async (wanted: readonly DesiredLrp[], known: readonly DesiredLrp[]) => {
    const wantedGuids = new Set(wanted.map((lrp) => lrp.processGuid));
    const knownBy = new Map(known.map((lrp) => [lrp.processGuid, lrp]));
    for (const { processGuid } of known) {
      if (!wantedGuids.has(processGuid)) await bbs.removeDesiredLrp(processGuid);
    }
    for (const lrp of wanted) {
      const existing = knownBy.get(lrp.processGuid);
      if (existing?.annotation === lrp.annotation) continue;
      const { processGuid, instances, routes, metricTags, annotation } = lrp;
      await refusable({ lrp: processGuid }, () =>
        existing === undefined
          ? bbs.desireLrp(lrp)
          : bbs.updateDesiredLrp(processGuid, { instances, routes, metricTags, annotation }),
      );
    }
  };

  return async (entries) => {
    const keysOf = (topic: string) =>
      entries.filter((entry) => entry.topic === topic).map((entry) => entry.key);
    if (keysOf(ALL_TOPIC).length > 0) return syncAll();
    const [routes, lrps] = [keysOf(ROUTE_TOPIC), keysOf(LRP_TOPIC)];
    if (routes.length > 0) await syncRoutes(routes);
    if (lrps.length > 0) await syncLrps(lrps);
  };
}
