/**
 * How one version of a process takes the place of another without a gap: as many instances leave as serve already.
 *
 *   DEPLOYING ──► every instance of the new version serves ──► DEPLOYED
 *       └ cancel ─► CANCELING: the same the other way round ─► CANCELED
 *   another deployment of the app ─► SUPERSEDED       stop, start, restart of the app ─► CANCELED, at once
 *
 * Both versions are LRPs of the same process, so routes feel only that endpoints come and go. The row says how many of
 * each are to run; every step is computed from it and from what Diego reports, so any step may come twice or late.
 */
import { newGuid } from "../kernel/index.ts";
import type { RowChange, RowOf } from "../store/index.ts";
import type { Context, Database, Writer } from "./context.ts";
import { type News, lrpGuid } from "./news.ts";

type Deployment = RowOf<"deployments">;

/** The deployment that replaces a process right now, if one does. */
export async function activeDeployment(db: Database, processGuid: string): Promise<Deployment | null> {
  const row = await db
    .selectFrom("deployments")
    .selectAll()
    .where("process_guid", "=", processGuid)
    .where("status_value", "=", "ACTIVE")
    .executeTakeFirst();
  return row ?? null;
}

/** Another version of a process, at once: what runs goes, what is to run comes. */
export async function renewVersion(
  db: Writer,
  news: News,
  context: Context,
  process: Pick<RowOf<"processes">, "guid" | "version">,
): Promise<string> {
  const version = newGuid();
  news.process(process);
  news.process({ guid: process.guid, version });
  await db
    .updateTable("processes")
    .set({ version, updated_at: context.now() })
    .where("guid", "=", process.guid)
    .execute();
  return version;
}

/**
 * Ends what is on its way for an app; the versions that were leaving are gone then.
 * @returns the versions that were leaving, with their sizes, for a deployment that takes over
 */
export async function endDeployments(
  db: Writer,
  news: News,
  context: Context,
  appGuid: string,
  reason: "CANCELED" | "SUPERSEDED",
): Promise<readonly Deployment[]> {
  const active = await db
    .selectFrom("deployments")
    .selectAll()
    .where("app_guid", "=", appGuid)
    .where("status_value", "=", "ACTIVE")
    .execute();
  for (const deployment of active) {
    await setStatus(db, context, deployment, { status_value: "FINALIZED", status_reason: reason });
    news.process({ guid: deployment.process_guid, version: deployment.previous_version });
  }
  return active;
}

/** Begins to replace the web process of an app that runs. The app has its new droplet already. */
export async function beginDeployment(
  db: Writer,
  news: News,
  context: Context,
  about: {
    readonly guid: string;
    readonly app: Pick<RowOf<"apps">, "guid" | "current_droplet_guid">;
    readonly previousDropletGuid: string | null;
    readonly process: RowOf<"processes">;
    readonly maxInFlight: number;
  },
): Promise<void> {
  const { guid, app, process, maxInFlight } = about;
  const [superseded] = await endDeployments(db, news, context, app.guid, "SUPERSEDED");
  // Two versions at a time: of three, the smaller of the older two leaves at once.
  const leaving =
    superseded !== undefined && superseded.previous_instances > superseded.new_instances
      ? { version: superseded.previous_version, instances: superseded.previous_instances }
      : { version: process.version, instances: superseded?.new_instances ?? process.instances };
  await renewVersion(db, news, context, process);
  news.process({ guid: process.guid, version: leaving.version });
  const now = context.now();
  await db
    .insertInto("deployments")
    .values({
      guid,
      created_at: now,
      updated_at: now,
      app_guid: app.guid,
      process_guid: process.guid,
      strategy: "rolling",
      status_value: "ACTIVE",
      status_reason: "DEPLOYING",
      status_changed_at: now,
      droplet_guid: app.current_droplet_guid,
      previous_droplet_guid: about.previousDropletGuid,
      previous_version: leaving.version,
      previous_instances: leaving.instances,
      new_instances: Math.min(maxInFlight, process.instances),
      max_in_flight: maxInFlight,
    })
    .execute();
}

/** Turns round: the version that was leaving comes back, its droplet is the app's again. */
export async function cancelDeployment(
  db: Writer,
  news: News,
  context: Context,
  deployment: Deployment,
): Promise<void> {
  const process = await processOf(db, deployment);
  if (process === undefined) return;
  await db
    .updateTable("processes")
    .set({ version: deployment.previous_version, updated_at: context.now() })
    .where("guid", "=", process.guid)
    .execute();
  await db
    .updateTable("apps")
    .set({ current_droplet_guid: deployment.previous_droplet_guid, updated_at: context.now() })
    .where("guid", "=", deployment.app_guid)
    .execute();
  await setStatus(db, context, deployment, {
    status_reason: "CANCELING",
    previous_version: process.version,
    previous_instances: deployment.new_instances,
    new_instances: deployment.previous_instances,
  });
  news.process(process);
  news.process({ guid: process.guid, version: deployment.previous_version });
}

/** Goes as far as what serves now allows, with every deployment. */
export async function advanceDeployments(context: Context): Promise<void> {
  const active = await context.store.db
    .selectFrom("deployments")
    .select(["guid", "process_guid"])
    .where("status_value", "=", "ACTIVE")
    .execute();
  for (const { guid, process_guid: processGuid } of active) {
    const lrps = await servingOf(context, processGuid);
    await context.write((db, news) => advance(db, news, context, guid, lrps));
  }
}

/** The instances of a process's own version that routers may send to; asked before the transaction, which must not wait. */
async function servingOf(context: Context, processGuid: string) {
  const process = await context.store.db
    .selectFrom("processes")
    .select(["guid", "version"])
    .where("guid", "=", processGuid)
    .executeTakeFirst();
  if (process === undefined) return { version: "", count: 0 };
  const lrps = await context.bbs.actualLrps({ processGuid: lrpGuid(process) });
  const serving = lrps.filter((lrp) => lrp.state === "RUNNING" && lrp.routable);
  return { version: process.version, count: serving.length };
}

async function advance(
  db: Writer,
  news: News,
  context: Context,
  guid: string,
  serving: { readonly version: string; readonly count: number },
): Promise<void> {
  const deployment = await db
    .selectFrom("deployments")
    .selectAll()
    .where("guid", "=", guid)
    .where("status_value", "=", "ACTIVE")
    .executeTakeFirst();
  const process = deployment && (await processOf(db, deployment));
  if (deployment === undefined || process === undefined || process.version !== serving.version) return;
  const old = { guid: process.guid, version: deployment.previous_version };
  if (serving.count >= process.instances) {
    const isCanceling = deployment.status_reason === "CANCELING";
    await setStatus(db, context, deployment, {
      status_value: "FINALIZED",
      status_reason: isCanceling ? "CANCELED" : "DEPLOYED",
      previous_instances: 0,
      new_instances: process.instances,
    });
    news.process(process);
    news.process(old);
    if (!isCanceling) await renewOthers(db, news, context, process);
    return;
  }
  const next = {
    new_instances: Math.max(
      deployment.new_instances,
      Math.min(process.instances, serving.count + deployment.max_in_flight),
    ),
    previous_instances: Math.min(deployment.previous_instances, process.instances - serving.count),
  };
  if (
    next.new_instances === deployment.new_instances &&
    next.previous_instances === deployment.previous_instances
  ) {
    return;
  }
  await db
    .updateTable("deployments")
    .set({ ...next, updated_at: context.now() })
    .where("guid", "=", guid)
    .execute();
  news.process(process);
  news.process(old);
}

/** Nothing is routed to the app's other processes, so they are restarted as they are. */
async function renewOthers(db: Writer, news: News, context: Context, web: RowOf<"processes">): Promise<void> {
  const others = await db
    .selectFrom("processes")
    .select(["guid", "version"])
    .where("app_guid", "=", web.app_guid)
    .where("guid", "<>", web.guid)
    .execute();
  for (const other of others) await renewVersion(db, news, context, other);
}

const processOf = (db: Database, { process_guid: guid }: Deployment) =>
  db.selectFrom("processes").selectAll().where("guid", "=", guid).executeTakeFirst();

async function setStatus(
  db: Writer,
  context: Context,
  deployment: Deployment,
  change: RowChange<"deployments">,
): Promise<void> {
  const now = context.now();
  await db
    .updateTable("deployments")
    .set({ ...change, updated_at: now, status_changed_at: now })
    .where("guid", "=", deployment.guid)
    .execute();
}
