/**
 * Builds: what turns a package into a droplet. Here that is unpacking it and looking for how it starts, so a build is
 * over when the call that asks for it answers.
 */
import { type Static, Type } from "typebox";
import { newGuid } from "../../kernel/index.ts";
import { zipInvalid } from "../../kernel/errors/bits.ts";
import { resourceNotFound } from "../../kernel/errors/cloud-controller.ts";
import { type Author, decodeJson, encodeJson, type RowOf } from "../../store/index.ts";
import { bitsOf } from "../app-droplet.ts";
import { recordEvent } from "../audit.ts";
import { detectProcesses, type ProcessTypes } from "../bits/detect.ts";
import type { Context, Writer } from "../context.ts";
import { type Call, created, defineEndpoint, type Endpoint } from "../endpoint.ts";
import { DEFAULT_LIFECYCLE } from "../lifecycle.ts";
import { column, findRow, type Listing, listEndpoint, presentNow, showEndpoint } from "../list.ts";
import { Metadata, writeMetadata } from "../metadata.ts";
import { head, link, toOneData, withMetadata } from "../present.ts";
import { refuse } from "../refuse.ts";
import { message } from "../schema.ts";
import {
  linksTo,
  LogRate,
  MetadataShape,
  oneOf,
  orNull,
  part,
  Quantity,
  Related,
  resource,
  type Shown,
  ToOne,
} from "../shape.ts";
import { appFilters, appVisible } from "./app-rows.ts";
import { appListing, demandApp, LifecycleShape } from "./apps.ts";
import { deleteDroplet } from "./droplets.ts";
import { demandBits, KEPT_PER_APP, packageListing } from "./packages.ts";

// --- messages ---

const CreateBuild = message({
  package: message({ guid: Type.String() }),
  // How a real stager would do it; there is one way here.
  lifecycle: Type.Optional(Type.Unknown()),
  staging_memory_in_mb: Type.Optional(Type.Integer({ minimum: 1 })),
  staging_disk_in_mb: Type.Optional(Type.Integer({ minimum: 1 })),
  staging_log_rate_limit_bytes_per_second: Type.Optional(Type.Integer({ minimum: -1 })),
  metadata: Type.Optional(Metadata),
});

// --- actions ---

type Staged =
  | { readonly types: ProcessTypes; readonly by: string; readonly error: null }
  | { readonly types: null; readonly by: ""; readonly error: string };

async function createBuild(call: Call<Static<typeof CreateBuild>>): Promise<string> {
  const { context, body } = call;
  const bits = demandBits(context);
  if (!context.config.localLifecycle) {
    refuse("Apps may not run on this platform's cell; an operator may set cloud-controller.local_lifecycle.");
  }
  const source = await findPackage(call, body.package.guid);
  const sha256 = bitsOf(source);
  if (source.state !== "READY" || sha256 === null) refuse("Cannot stage package whose state is not ready.");
  const app = await findRow(call, appListing, source.app_guid);
  await demandApp(call, "app.write", app);
  const { appLog } = context;
  appLog.say(app.guid, "STG", `Staging package ${source.guid}`);
  const guid = newGuid();
  await bits.using(sha256, async () => {
    const staged = await stage(context, sha256, app.guid);
    await context.write(async (db) => {
      const droplet = staged.types === null ? null : await insertDroplet(context, db, source, staged);
      const now = context.now();
      await db
        .insertInto("builds")
        .values({
          guid,
          created_at: now,
          updated_at: now,
          app_guid: app.guid,
          package_guid: source.guid,
          droplet_guid: droplet,
          state: droplet === null ? "FAILED" : "STAGED",
          error: staged.error,
          created_by: encodeJson(await authorOf(db, call.caller.userGuid)),
        })
        .execute();
      await writeMetadata(db, "build", guid, body.metadata);
      const data = { build_guid: guid, package_guid: source.guid };
      await recordEvent(db, call, { type: "audit.app.build.create", target: app, data });
      if (droplet === null) {
        const failed = { ...data, error_message: staged.error };
        await recordEvent(db, call, { type: "audit.app.build.failed", target: app, data: failed });
        return;
      }
      await recordEvent(db, call, { type: "audit.app.build.staged", target: app, data });
      await recordEvent(db, call, {
        type: "audit.app.droplet.create",
        target: app,
        data: { droplet_guid: droplet, package_guid: source.guid },
      });
    });
    if (staged.error === null) {
      appLog.say(
        app.guid,
        "STG",
        staged.by === "" ? "Staged" : `Staged; how to start was read from ${staged.by}`,
      );
    } else appLog.say(app.guid, "STG", staged.error, "err");
  });
  // The droplets that had to make room leave bits behind.
  void bits.sweep().catch(() => {});
  return guid;
}

async function authorOf(db: Writer, guid: string): Promise<Author> {
  const user = await db
    .selectFrom("users")
    .select(["username", "email"])
    .where("guid", "=", guid)
    .executeTakeFirst();
  return { guid: guid === "" ? null : guid, name: user?.username ?? null, email: user?.email ?? null };
}

async function findPackage(call: Call<unknown>, guid: string): Promise<RowOf<"packages">> {
  try {
    return await findRow(call, packageListing, guid);
  } catch (error) {
    if (!resourceNotFound.is(error)) throw error;
    return refuse("Unable to use package. Ensure that the package exists and you have access to it.", error);
  }
}

async function stage(context: Context, sha256: string, appGuid: string): Promise<Staged> {
  let found: Awaited<ReturnType<typeof detectProcesses>>;
  try {
    found = await detectProcesses(await demandBits(context).stage(sha256));
  } catch (error) {
    if (!zipInvalid.is(error)) throw error;
    return { types: null, by: "", error: `StagingError - ${error.message}` };
  }
  const process = await context.store.db
    .selectFrom("processes")
    .select("guid")
    .where("app_guid", "=", appGuid)
    .where("command", "is not", null)
    .executeTakeFirst();
  if (Object.keys(found.types).length > 0 || process !== undefined) return { ...found, error: null };
  return {
    types: null,
    by: "",
    error:
      'NoAppDetectedError - nothing says how the app starts: add a Procfile with a line "web: COMMAND", a package.json with a script "start", a server.js, or a single executable file; or give the command with -c or in the manifest',
  };
}

async function insertDroplet(
  context: Context,
  db: Writer,
  source: RowOf<"packages">,
  staged: Staged & { readonly types: ProcessTypes },
): Promise<string> {
  const guid = newGuid();
  const now = context.now();
  await db
    .insertInto("droplets")
    .values({
      guid,
      created_at: now,
      updated_at: now,
      app_guid: source.app_guid,
      package_guid: source.guid,
      state: "STAGED",
      error: null,
      process_types: encodeJson(staged.types),
      data: encodeJson({ sha256: bitsOf(source), by: staged.by }),
    })
    .execute();
  await expireDroplets(db, source.app_guid);
  return guid;
}

/** The current droplet stays, and whatever a deployment may have to go back to. */
async function expireDroplets(db: Writer, appGuid: string): Promise<void> {
  const old = await db
    .selectFrom("droplets")
    .select("guid")
    .where("app_guid", "=", appGuid)
    .orderBy("created_at", "desc")
    .offset(KEPT_PER_APP)
    .limit(100)
    .execute();
  const app = await db
    .selectFrom("apps")
    .select("current_droplet_guid")
    .where("guid", "=", appGuid)
    .executeTakeFirst();
  const returns = await db
    .selectFrom("deployments")
    .select("previous_droplet_guid")
    .where("app_guid", "=", appGuid)
    .where("status_value", "=", "ACTIVE")
    .execute();
  const kept = [app?.current_droplet_guid, ...returns.map((each) => each.previous_droplet_guid)];
  for (const { guid } of old) {
    if (!kept.includes(guid)) await deleteDroplet(db, guid);
  }
}

// --- presenter ---

const Author = part({
  guid: orNull(Type.String()),
  name: orNull(Type.String()),
  email: orNull(Type.String()),
});

const Build = resource("Build", {
  created_by: Author,
  state: oneOf<string>("STAGING", "STAGED", "FAILED"),
  staging_memory_in_mb: Quantity,
  staging_disk_in_mb: Quantity,
  staging_log_rate_limit_bytes_per_second: LogRate,
  error: orNull(Type.String()),
  lifecycle: LifecycleShape,
  package: Related,
  droplet: orNull(Related),
  relationships: part({ app: ToOne }),
  metadata: MetadataShape,
  links: linksTo(["self", "app"], ["droplet"]),
});

async function presentBuilds(
  context: Context,
  rows: readonly RowOf<"builds">[],
): Promise<Shown<typeof Build>[]> {
  return withMetadata(context, "build", rows, (row, metadata) => ({
    ...head(row),
    created_by: decodeJson(row.created_by),
    state: row.state,
    staging_memory_in_mb: context.config.defaultMemoryMb,
    staging_disk_in_mb: context.config.defaultDiskMb,
    staging_log_rate_limit_bytes_per_second: -1,
    error: row.error,
    lifecycle: DEFAULT_LIFECYCLE,
    package: { guid: row.package_guid },
    droplet: row.droplet_guid === null ? null : { guid: row.droplet_guid },
    relationships: { app: toOneData(row.app_guid) },
    metadata,
    links: {
      self: link(context, `/v3/builds/${row.guid}`),
      app: link(context, `/v3/apps/${row.app_guid}`),
      ...(row.droplet_guid !== null && { droplet: link(context, `/v3/droplets/${row.droplet_guid}`) }),
    },
  }));
}

const buildListing: Listing<"builds", typeof Build> = {
  table: "builds",
  resource: "Build",
  shape: Build,
  labelled: "build",
  filters: {
    ...appFilters("builds"),
    states: column("builds.state"),
    package_guids: column("builds.package_guid"),
  },
  visible: (call) => appVisible(call, "builds"),
  present: ({ context }, rows) => presentBuilds(context, rows),
};

// --- endpoints ---

export const builds: readonly Endpoint[] = [
  listEndpoint("/v3/builds", "Lists builds.", buildListing),
  showEndpoint("/v3/builds/:guid", "Shows a build.", buildListing),
  listEndpoint("/v3/apps/:guid/builds", "Lists an app's builds.", buildListing, async (call) => {
    const app = await findRow(call, appListing, call.params["guid"] ?? "");
    return column("builds.app_guid")([app.guid], call);
  }),
  defineEndpoint({
    method: "POST",
    path: "/v3/builds",
    summary: "Makes a droplet of a package.",
    access: "write",
    answers: { 201: Build },
    body: CreateBuild,
    handle: async (call) => created(await presentNow(call, buildListing, await createBuild(call))),
  }),
];
