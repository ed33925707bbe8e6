/** Instances that crash, in the audit trail: under both names that upstream has for it, of the app and of the process. */
import type { ActualLrp } from "../contracts/index.ts";
import type { Part } from "../kernel/index.ts";
import { recordEvent } from "./audit.ts";
import type { Context } from "./context.ts";
import { processOfLrp } from "./news.ts";
import { LRP_DOMAIN } from "./sync/desired-lrps.ts";

export function createCrashEvents(context: Context): Part {
  const { bbs, log } = context;
  const writing = new Set<Promise<void>>();
  let unsubscribe = () => {};
  return {
    name: "crash-events",
    async start() {
      unsubscribe = bbs.subscribe((event) => {
        if (event.kind !== "actual-crashed" || event.actual.domain !== LRP_DOMAIN) return;
        const write = record(context, event.actual)
          .catch((error: unknown) => log.error({ err: error }, "a crash is not in the audit trail"))
          .finally(() => writing.delete(write));
        writing.add(write);
      });
    },
    async stop() {
      unsubscribe();
      await Promise.all(writing);
    },
  };
}

async function record(context: Context, crashed: ActualLrp): Promise<void> {
  await context.write(async (db) => {
    const row = await db
      .selectFrom("processes")
      .innerJoin("apps", "apps.guid", "processes.app_guid")
      .select(["processes.guid", "processes.type", "processes.version"])
      .select(["apps.guid as appGuid", "apps.name", "apps.space_guid"])
      .where("processes.guid", "=", processOfLrp(crashed.processGuid))
      .executeTakeFirst();
    // Deleted while it ran.
    if (row === undefined) return;
    const target = { guid: row.appGuid, name: row.name, space_guid: row.space_guid };
    const data = {
      instance: crashed.instanceGuid,
      index: crashed.index,
      cell_id: crashed.cellId,
      reason: "CRASHED",
      exit_description: crashed.crashReason,
    };
    await recordEvent(
      db,
      { context, itself: { guid: row.guid, name: row.type } },
      {
        type: "audit.app.process.crash",
        target,
        data: { ...data, crash_count: crashed.crashCount, version: row.version },
      },
    );
    await recordEvent(db, { context, itself: target }, { type: "app.crash", target, data });
  });
}
