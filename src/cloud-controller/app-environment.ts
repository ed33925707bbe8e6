/** `VCAP_APPLICATION`: what an app may know of itself. */
import type { RowOf } from "../store/index.ts";
import { shownTime } from "./present.ts";
import { routeUrl } from "./route-address.ts";
import type { Context, Database } from "./context.ts";

const MAX_OPEN_FILES = 16_384;

export interface AppSurroundings {
  readonly app: Pick<RowOf<"apps">, "guid" | "name">;
  readonly space: Pick<RowOf<"spaces">, "guid" | "name">;
  readonly organization: Pick<RowOf<"organizations">, "guid" | "name">;
  /** `shop.localhost`, `shop.localhost/v2`, … */
  readonly uris: readonly string[];
}

/** Of the app, or of one of its processes. */
export function vcapApplication(
  about: AppSurroundings,
  apiUrl: string,
  process?: Pick<
    RowOf<"processes">,
    "guid" | "type" | "memory_in_mb" | "disk_in_mb" | "version" | "updated_at"
  >,
): Readonly<Record<string, unknown>> {
  const { app, space, organization, uris } = about;
  return {
    cf_api: apiUrl,
    limits: {
      fds: MAX_OPEN_FILES,
      ...(process !== undefined && { mem: process.memory_in_mb, disk: process.disk_in_mb }),
    },
    application_id: app.guid,
    application_name: app.name,
    application_uris: uris,
    name: app.name,
    uris,
    organization_id: organization.guid,
    organization_name: organization.name,
    space_id: space.guid,
    space_name: space.name,
    ...(process !== undefined && {
      process_id: process.guid,
      process_type: process.type,
      version: process.version,
      application_version: process.version,
      started_at: shownTime(process.updated_at),
    }),
    users: null,
  };
}

/** For the API: of an app that need not run. */
export async function loadSystemEnvironment(
  db: Database,
  context: Context,
  app: RowOf<"apps">,
): Promise<Readonly<Record<string, unknown>>> {
  const { space_guid: spaceGuid } = app;
  const space = await db
    .selectFrom("spaces")
    .innerJoin("organizations", "organizations.guid", "spaces.organization_guid")
    .select([
      "spaces.name",
      "organizations.guid as organizationGuid",
      "organizations.name as organizationName",
    ])
    .where("spaces.guid", "=", spaceGuid)
    .executeTakeFirstOrThrow();
  const routes = await db
    .selectFrom("routes")
    .innerJoin("domains", "domains.guid", "routes.domain_guid")
    .select(["routes.host", "routes.path", "routes.port", "domains.name"])
    .where(
      "routes.guid",
      "in",
      db.selectFrom("destinations").select("route_guid").where("app_guid", "=", app.guid),
    )
    .orderBy("routes.created_at")
    .execute();
  return vcapApplication(
    {
      app,
      space: { guid: spaceGuid, name: space.name },
      organization: { guid: space.organizationGuid, name: space.organizationName },
      uris: routes.map((route) => routeUrl(route, route.name)),
    },
    context.externalUrl(),
  );
}
