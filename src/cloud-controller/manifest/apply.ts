/**
 * Makes apps what a manifest says. One transaction for all of it: upstream leaves behind what came before the mistake,
 * here a manifest is in force or nothing has happened.
 */
import { newGuid } from "../../kernel/index.ts";
import { notUnique } from "../../kernel/errors/cloud-controller.ts";
import { decodeJson, encodeJson, type RowChange, type RowOf } from "../../store/index.ts";
import { withinQuotas } from "../app-quotas.ts";
import { insertBinding } from "../app-services.ts";
import { recordEvent, recordProcess } from "../audit.ts";
import type { Writer } from "../context.ts";
import { DEFAULT_LIFECYCLE } from "../lifecycle.ts";
import { type MetadataInput, writeMetadata } from "../metadata.ts";
import type { News } from "../news.ts";
import { newProcess, newWebProcess } from "../process-defaults.ts";
import { refuse, unlessTaken } from "../refuse.ts";
import { unpointRoutes } from "../resources/destinations.ts";
import { mergeHealthCheck } from "../resources/processes.ts";
import type { ManifestApp, ManifestProcess } from "./document.ts";
import { applyRoute, inventRoute, named, type Place } from "./routes.ts";

/** What of a process is scaled, where all else is updated. */
const SIZES: ReadonlySet<string> = new Set([
  "instances",
  "memory_in_mb",
  "disk_in_mb",
  "log_rate_limit_in_bytes_per_second",
]);

/** @throws unprocessable naming the application */
export async function applyManifest(
  db: Writer,
  news: News,
  place: Place,
  applications: readonly ManifestApp[],
): Promise<void> {
  for (const wanted of applications) {
    try {
      await applyApp(db, news, place, wanted);
    } catch (error) {
      throw named(error, (problem) => `For application '${wanted.name}': ${problem}`);
    }
  }
}

async function applyApp(db: Writer, news: News, place: Place, wanted: ManifestApp): Promise<void> {
  const { space } = place;
  const existing = await db
    .selectFrom("apps")
    .selectAll()
    .where("space_guid", "=", space.guid)
    .where("name", "=", wanted.name)
    .executeTakeFirst();
  const app = existing ?? (await createApp(db, place, wanted));
  await updateApp(db, place, app, wanted);
  await withinQuotas(db, app, async () => {
    for (const process of wanted.processes) await applyProcess(db, news, place, app, process);
  });
  await writeMetadata(db, "app", app.guid, wanted.metadata as MetadataInput | undefined);
  await applyRoutes(db, news, place, app, wanted);
  for (const service of wanted.services) await bindService(db, place, app, service);
  await recordEvent(db, place, {
    type: "audit.app.apply_manifest",
    target: app,
    // The text of it may hold any secret of the app.
    data: { request: { manifest: "" } },
  });
}

async function createApp(db: Writer, place: Place, { name }: ManifestApp): Promise<RowOf<"apps">> {
  const { context, space } = place;
  const guid = newGuid();
  const now = context.now();
  const row = {
    guid,
    created_at: now,
    updated_at: now,
    name,
    space_guid: space.guid,
    state: "STOPPED",
    lifecycle: encodeJson(DEFAULT_LIFECYCLE),
    environment: encodeJson({}),
  } as const;
  await unlessTaken(
    db
      .insertInto("apps")
      .values(row)
      .execute()
      .then(() => {}),
    (cause) => notUnique({ problem: `App with the name '${name}' already exists.` }, cause),
  );
  await db
    .insertInto("processes")
    .values(newWebProcess(guid, now, context.config))
    .execute();
  await recordEvent(db, place, {
    type: "audit.app.create",
    target: row,
    data: { manifest_triggered: true, request: { name } },
  });
  return { ...row, current_droplet_guid: null };
}

async function updateApp(
  db: Writer,
  place: Place,
  app: RowOf<"apps">,
  { environment, buildpacks, stack }: ManifestApp,
): Promise<void> {
  const change: RowChange<"apps"> = {};
  if (environment !== undefined) {
    change.environment = encodeJson({ ...decodeJson(app.environment), ...environment });
  }
  const lifecycle = decodeJson(app.lifecycle);
  if (lifecycle.type === "buildpack" && (buildpacks !== undefined || stack !== undefined)) {
    const data = { ...(buildpacks !== undefined && { buildpacks }), ...(stack !== undefined && { stack }) };
    change.lifecycle = encodeJson({ ...lifecycle, data: { ...lifecycle.data, ...data } });
  }
  if (Object.keys(change).length === 0) return;
  await db
    .updateTable("apps")
    .set({ ...change, updated_at: place.context.now() })
    .where("guid", "=", app.guid)
    .execute();
  const request = {
    ...(environment !== undefined && { environment_variables: environment }),
    ...(buildpacks !== undefined && { buildpacks }),
    ...(stack !== undefined && { stack }),
  };
  await recordEvent(db, place, {
    type: "audit.app.update",
    target: app,
    data: { manifest_triggered: true, request },
  });
}

async function applyProcess(
  db: Writer,
  news: News,
  place: Place,
  app: RowOf<"apps">,
  wanted: ManifestProcess,
): Promise<void> {
  const { context } = place;
  let process = await findProcess(db, app, wanted.type);
  if (process === undefined) {
    const made = newProcess(app.guid, wanted.type, context.now(), context.config);
    await db
      .insertInto("processes")
      .values({ ...made, instances: 1 })
      .execute();
    process = await findProcess(db, app, wanted.type);
    await recordProcess(db, place, app, made, "create", { manifest_triggered: true });
  }
  if (process === undefined) return;
  const change = {
    command: wanted.command === undefined ? process.command : wanted.command,
    instances: wanted.instances ?? process.instances,
    memory_in_mb: wanted.memoryMb ?? process.memory_in_mb,
    disk_in_mb: wanted.diskMb ?? process.disk_in_mb,
    log_rate_limit_in_bytes_per_second: wanted.logRateBytes ?? process.log_rate_limit_in_bytes_per_second,
    health_check: mergeHealthCheck(process.health_check, wanted.healthCheck),
    readiness_health_check: mergeHealthCheck(process.readiness_health_check, wanted.readinessHealthCheck),
  };
  const changed = Object.entries(change).filter(
    ([key, value]) => process?.[key as keyof typeof change] !== value,
  );
  if (changed.length === 0) return;
  await db
    .updateTable("processes")
    .set({ ...change, updated_at: context.now() })
    .where("guid", "=", process.guid)
    .execute();
  news.process(process);
  for (const what of ["update", "scale"] as const) {
    const ofThat = changed.filter(([key]) => SIZES.has(key) === (what === "scale"));
    if (ofThat.length === 0) continue;
    // Health checks are texts of JSON in their columns.
    const request = Object.fromEntries(
      ofThat.map(([key, value]) => [key, key.endsWith("health_check") ? JSON.parse(String(value)) : value]),
    );
    await recordProcess(db, place, app, process, what, { manifest_triggered: true, request });
  }
}

const findProcess = (db: Writer, app: RowOf<"apps">, type: string) =>
  db
    .selectFrom("processes")
    .selectAll()
    .where("app_guid", "=", app.guid)
    .where("type", "=", type)
    .executeTakeFirst();

async function applyRoutes(
  db: Writer,
  news: News,
  place: Place,
  app: RowOf<"apps">,
  { name, routes, noRoute, randomRoute, defaultRoute }: ManifestApp,
): Promise<void> {
  if (noRoute) {
    await unpointRoutes(db, news, place, app.guid);
    return;
  }
  for (const route of routes ?? []) await applyRoute(db, news, place, app.guid, route);
  if (routes !== undefined || !(randomRoute || defaultRoute)) return;
  const pointed = await db
    .selectFrom("destinations")
    .select("guid")
    .where("app_guid", "=", app.guid)
    .limit(1)
    .executeTakeFirst();
  if (pointed !== undefined) return;
  const invented = await inventRoute(db, name, randomRoute ? "random" : "default");
  await applyRoute(db, news, place, app.guid, invented);
}

async function bindService(db: Writer, place: Place, app: RowOf<"apps">, name: string): Promise<void> {
  const { space } = place;
  const service = await db
    .selectFrom("service_instances")
    .select(["guid", "space_guid"])
    .where("space_guid", "=", space.guid)
    .where("name", "=", name)
    .executeTakeFirst();
  if (service === undefined) refuse(`For service '${name}': Service instance '${name}' not found`);
  const bound = await db
    .selectFrom("service_credential_bindings")
    .select("guid")
    .where("app_guid", "=", app.guid)
    .where("service_instance_guid", "=", service.guid)
    .executeTakeFirst();
  if (bound === undefined) {
    await insertBinding(db, place, { app: app.guid, instance: service, name: null });
  }
}
