/**
 * What disappears with what, and the news of it. The database cascades where a row means nothing without its
 * parent; these are the parents, whose end others must hear of.
 *
 *   organization ─► spaces ─► apps (processes, destinations), routes (destinations, shares, bindings)
 *                └► private domains ─► routes
 */
import type { RowOf } from "../store/index.ts";
import type { Writer } from "./context.ts";
import { deleteMetadata } from "./metadata.ts";
import type { News } from "./news.ts";
import { uncountRoutes } from "./route-counts.ts";

/** Rows per statement; below the parameter limits of both engines. */
const CHUNK = 500;

export async function deleteRoutes(db: Writer, news: News, guids: readonly string[]): Promise<void> {
  for (const chunk of chunks(guids)) {
    // Asked before they go: the processes carry the names of their routes.
    for (const process of await processesOfRoutes(db, chunk)) news.process(process);
    await deleteMetadata(db, "route", chunk);
    const bindings = await db
      .selectFrom("service_route_bindings")
      .select("guid")
      .where("route_guid", "in", chunk)
      .execute();
    await deleteMetadata(db, "service_route_binding", guidsOf(bindings));
    await uncountRoutes(db, chunk);
    await db.deleteFrom("routes").where("guid", "in", chunk).execute();
    for (const guid of chunk) news.route(guid);
  }
}

/** The processes that routes point to. */
export const processesOfRoutes = (
  db: Writer,
  routeGuids: readonly string[],
): Promise<readonly Pick<RowOf<"processes">, "guid" | "version">[]> =>
  processesBehind(db, routeGuids).execute();

/** For a look together with others. */
export const processesBehind = (db: Writer, routeGuids: readonly string[]) =>
  db
    .selectFrom("processes")
    .innerJoin("destinations", (join) =>
      join
        .onRef("destinations.app_guid", "=", "processes.app_guid")
        .onRef("destinations.process_type", "=", "processes.type"),
    )
    .select(["processes.guid", "processes.version"])
    .distinct()
    .where("destinations.route_guid", "in", routeGuids);

export async function deleteApps(db: Writer, news: News, guids: readonly string[]): Promise<void> {
  for (const chunk of chunks(guids)) {
    const processes = await db
      .selectFrom("processes")
      .select(["guid", "version"])
      .where("app_guid", "in", chunk)
      .execute();
    for (const process of processes) news.process(process);
    const leaving = await db
      .selectFrom("deployments")
      .select(["process_guid as guid", "previous_version as version"])
      .where("app_guid", "in", chunk)
      .where("status_value", "=", "ACTIVE")
      .execute();
    for (const version of leaving) news.process(version);
    const routes = await db
      .selectFrom("destinations")
      .select("route_guid")
      .distinct()
      .where("app_guid", "in", chunk)
      .execute();
    for (const route of routes) news.route(route.route_guid);
    await deleteMetadata(
      db,
      "process",
      processes.map((process) => process.guid),
    );
    await deleteMetadata(db, "app", chunk);
    await deleteMetadataBelow(db, chunk);
    await db.deleteFrom("apps").where("guid", "in", chunk).execute();
  }
}

/** What goes with its app by itself, and may have labels. */
async function deleteMetadataBelow(db: Writer, appGuids: readonly string[]): Promise<void> {
  const tables = {
    package: "packages",
    build: "builds",
    droplet: "droplets",
    deployment: "deployments",
    service_credential_binding: "service_credential_bindings",
  } as const;
  for (const [type, table] of Object.entries(tables)) {
    const rows = await db.selectFrom(table).select("guid").where("app_guid", "in", appGuids).execute();
    for (const part of chunks(guidsOf(rows))) await deleteMetadata(db, type, part);
  }
}

/** Routes that go through one of them lose their service. */
export async function deleteServiceInstances(
  db: Writer,
  news: News,
  guids: readonly string[],
): Promise<void> {
  for (const chunk of chunks(guids)) {
    const bindings = await db
      .selectFrom("service_route_bindings")
      .select(["guid", "route_guid"])
      .where("service_instance_guid", "in", chunk)
      .execute();
    const routes = bindings.map((binding) => binding.route_guid);
    for (const part of chunks(routes)) {
      for (const process of await processesOfRoutes(db, part)) news.process(process);
    }
    for (const route of routes) news.route(route);
    await db.deleteFrom("service_route_bindings").where("service_instance_guid", "in", chunk).execute();
    for (const part of chunks(guidsOf(bindings))) await deleteMetadata(db, "service_route_binding", part);
    await deleteMetadata(db, "service_instance", chunk);
    await db.deleteFrom("service_instances").where("guid", "in", chunk).execute();
  }
}

export async function deleteSpace(db: Writer, news: News, guid: string): Promise<void> {
  const apps = await db.selectFrom("apps").select("guid").where("space_guid", "=", guid).execute();
  await deleteApps(db, news, guidsOf(apps));
  const routes = await db.selectFrom("routes").select("guid").where("space_guid", "=", guid).execute();
  await deleteRoutes(db, news, guidsOf(routes));
  const instances = await db
    .selectFrom("service_instances")
    .select("guid")
    .where("space_guid", "=", guid)
    .execute();
  await deleteServiceInstances(db, news, guidsOf(instances));
  await deleteMetadata(db, "space", [guid]);
  await db.deleteFrom("spaces").where("guid", "=", guid).execute();
}

export async function deleteDomain(db: Writer, news: News, guid: string): Promise<void> {
  const routes = await db.selectFrom("routes").select("guid").where("domain_guid", "=", guid).execute();
  await deleteRoutes(db, news, guidsOf(routes));
  await deleteMetadata(db, "domain", [guid]);
  await db.deleteFrom("domains").where("guid", "=", guid).execute();
}

export async function deleteOrganization(db: Writer, news: News, guid: string): Promise<void> {
  const spaces = await db.selectFrom("spaces").select("guid").where("organization_guid", "=", guid).execute();
  for (const space of spaces) await deleteSpace(db, news, space.guid);
  const domains = await db
    .selectFrom("domains")
    .select("guid")
    .where("organization_guid", "=", guid)
    .execute();
  for (const domain of domains) await deleteDomain(db, news, domain.guid);
  await db.deleteFrom("quotas").where("kind", "=", "space").where("organization_guid", "=", guid).execute();
  await deleteMetadata(db, "organization", [guid]);
  await db.deleteFrom("organizations").where("guid", "=", guid).execute();
}

const guidsOf = (rows: readonly { readonly guid: string }[]) => rows.map((row) => row.guid);

function* chunks(guids: readonly string[]): Generator<readonly string[]> {
  for (let i = 0; i < guids.length; i += CHUNK) yield guids.slice(i, i + CHUNK);
}
