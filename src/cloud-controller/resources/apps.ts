/** Apps: a name in a space, an environment, a state, and processes that run. */
import { type Static, Type } from "typebox";
import { newGuid } from "../../kernel/index.ts";
import {
  featureDisabled,
  notAuthorized,
  notUnique,
  resourceNotFound,
  unprocessable,
} from "../../kernel/errors/cloud-controller.ts";
import { decodeJson, encodeJson, type RowOf } from "../../store/index.ts";
import { setDroplet } from "../app-droplet.ts";
import { withinQuotas } from "../app-quotas.ts";
import { recordEvent } from "../audit.ts";
import { loadVcapServices } from "../app-services.ts";
import { loadSystemEnvironment } from "../app-environment.ts";
import type { Context, Writer } from "../context.ts";
import { deleteApps } from "../deletions.ts";
import { endDeployments, renewVersion } from "../deployment-steps.ts";
import { loadEnvironmentGroup } from "../environment-groups.ts";
import { type Call, created, defineEndpoint, type Endpoint, ok } from "../endpoint.ts";
import { demandEnabled } from "../feature-flags.ts";
import { asJob, JOB } from "../jobs.ts";
import { checkLifecycle, currentDroplet, DEFAULT_LIFECYCLE, whyNotRunnable } from "../lifecycle.ts";
import { column, findAgain, findRow, type Listing, listEndpoint, presentNow, showEndpoint } from "../list.ts";
import { Metadata, writeMetadata } from "../metadata.ts";
import { demand, may, type Operation, spaceVisible } from "../permissions.ts";
import { head, link, toOneData, withMetadata } from "../present.ts";
import { newWebProcess } from "../process-defaults.ts";
import { refuse, unlessTaken } from "../refuse.ts";
import { message, nameOf, nullable, toOne, toOneOrNone } from "../schema.ts";
import {
  AnyObject,
  linksTo,
  MetadataShape,
  oneOf,
  orNull,
  part,
  resource,
  shape,
  type Shown,
  Texts,
  ToOne,
  ToOneOrNone,
} from "../shape.ts";
import { findSpace, organizationOf, placeOf, spaceInOrganizations, spaceOf } from "./spaces.ts";

// --- messages ---

const Name = nameOf(255);
const Lifecycle = message({
  type: Type.String(),
  data: Type.Record(Type.String(), Type.Unknown()),
});
const Variables = Type.Record(Type.String(), Type.Unknown());

const CreateApp = message({
  name: Name,
  lifecycle: Type.Optional(Lifecycle),
  environment_variables: Type.Optional(nullable(Variables)),
  relationships: message({
    space: toOne("space"),
    current_droplet: Type.Optional(toOneOrNone("current_droplet")),
  }),
  metadata: Type.Optional(Metadata),
});
const UpdateApp = message({
  name: Type.Optional(Name),
  lifecycle: Type.Optional(
    message({ type: Type.Optional(Type.String()), data: Type.Record(Type.String(), Type.Unknown()) }),
  ),
  metadata: Type.Optional(Metadata),
});
const UpdateVariables = message({ var: Variables });
const AssignDroplet = toOne("current_droplet");

/** @param nulls  Whether null, which removes, is a value. */
export function variableProblems(
  label: string,
  variables: Readonly<Record<string, unknown>>,
  nulls: "allowed" | "refused",
): string[] {
  return Object.entries(variables).flatMap(([key, value]) => {
    if (key === "") return [`${label} key must be a minimum length of 1`];
    if (/^VCAP_/i.test(key)) return [`${label} cannot start with VCAP_`];
    if (/^VMC/i.test(key)) return [`${label} cannot start with VMC_`];
    if (/^PORT$/i.test(key)) return [`${label} cannot set PORT`];
    if (key.includes("=")) return [`${label} key '${key}' cannot contain '='`];
    if (value === null && nulls === "allowed") return [];
    if (typeof value === "string") return [];
    return [`Non-string value in environment variable for key '${key}', value '${JSON.stringify(value)}'`];
  });
}

// --- actions ---

async function createApp(call: Call<Static<typeof CreateApp>>): Promise<string> {
  const { context, caller, body } = call;
  const { db } = context.store;
  const space = await findSpace(call, body.relationships.space.data.guid);
  await demand(db, caller, "app.write", placeOf(space));
  const guid = newGuid();
  await unlessNameTaken(
    body.name,
    context.write(async (db) => {
      const now = context.now();
      await db
        .insertInto("apps")
        .values({
          guid,
          created_at: now,
          updated_at: now,
          name: body.name,
          space_guid: space.guid,
          state: "STOPPED",
          lifecycle: encodeJson(body.lifecycle ?? DEFAULT_LIFECYCLE),
          environment: encodeJson((body.environment_variables ?? {}) as Record<string, string>),
        })
        .execute();
      await db
        .insertInto("processes")
        .values(newWebProcess(guid, now, context.config))
        .execute();
      await writeMetadata(db, "app", guid, body.metadata);
      const target = { guid, name: body.name, space_guid: space.guid };
      await recordEvent(db, call, { type: "audit.app.create", target, data: { request: body } });
    }),
  );
  return guid;
}

async function updateApp(call: Call<Static<typeof UpdateApp>>, app: RowOf<"apps">): Promise<void> {
  const { context, body } = call;
  await demandApp(call, "app.write", app);
  await unlessNameTaken(
    body.name ?? app.name,
    context.write(async (db, news) => {
      const current = await findAgain(db, appListing, app.guid);
      const { name = current.name } = body;
      const lifecycle = mergeLifecycle(decodeJson(current.lifecycle), body.lifecycle);
      const problems = checkLifecycle(lifecycle, context.config);
      if (problems.length > 0) throw unprocessable({ problems });
      await db
        .updateTable("apps")
        .set({ name, lifecycle: encodeJson(lifecycle), updated_at: context.now() })
        .where("guid", "=", app.guid)
        .execute();
      await writeMetadata(db, "app", app.guid, body.metadata);
      const target = { ...current, name };
      await recordEvent(db, call, { type: "audit.app.update", target, data: { request: body } });
      // Its name is in the tags of everything it logs and serves.
      if (name !== current.name) for (const process of await processesOf(db, app.guid)) news.process(process);
    }),
  );
}

function mergeLifecycle(
  current: Static<typeof Lifecycle>,
  change: Static<typeof UpdateApp>["lifecycle"],
): Static<typeof Lifecycle> {
  if (change === undefined) return current;
  const { type = current.type } = change;
  if (type !== current.type) refuse("Lifecycle type cannot be changed");
  return { type, data: { ...current.data, ...change.data } };
}

/**
 * Starts what is stopped; `isRestart` replaces what runs, too. Every start is a new version, which is how changes
 * of command, environment and memory come into force.
 */
async function startApp(call: Call<unknown>, app: RowOf<"apps">, isRestart: boolean): Promise<void> {
  const { context } = call;
  await demandApp(call, "app.operate", app);
  await context.write(async (db, news) => {
    const current = await findAgain(db, appListing, app.guid);
    const processes = await processesOf(db, app.guid);
    const problem = whyNotRunnable(current, processes, await currentDroplet(db, current), context.config);
    if (problem !== null) refuse(problem);
    if (current.state === "STARTED" && !isRestart) return;
    await withinQuotas(db, current, async () => {
      await endDeployments(db, news, context, app.guid, "CANCELED");
      await setState(context, db, app.guid, "STARTED");
    });
    for (const process of processes) await renewVersion(db, news, context, process);
    const type = isRestart ? "audit.app.restart" : "audit.app.start";
    await recordEvent(db, call, { type, target: current, data: {} });
  });
  context.appLog.say(app.guid, "API", `${isRestart ? "Restarted" : "Started"} app ${app.name}`);
}

async function stopApp(call: Call<unknown>, app: RowOf<"apps">): Promise<void> {
  const { context } = call;
  await demandApp(call, "app.operate", app);
  await context.write(async (db, news) => {
    await endDeployments(db, news, context, app.guid, "CANCELED");
    await setState(context, db, app.guid, "STOPPED");
    for (const process of await processesOf(db, app.guid)) news.process(process);
    await recordEvent(db, call, { type: "audit.app.stop", target: app, data: {} });
  });
  context.appLog.say(app.guid, "API", `Stopped app ${app.name}`);
}

async function setState(context: Context, db: Writer, guid: string, state: "STARTED" | "STOPPED") {
  await db.updateTable("apps").set({ state, updated_at: context.now() }).where("guid", "=", guid).execute();
}

const processesOf = (db: Writer, appGuid: string) =>
  db.selectFrom("processes").selectAll().where("app_guid", "=", appGuid).execute();

async function updateVariables(
  call: Call<Static<typeof UpdateVariables>>,
  app: RowOf<"apps">,
): Promise<void> {
  const { context, body } = call;
  await demandApp(call, "app.write", app);
  await context.write(async (db) => {
    const current = await findAgain(db, appListing, app.guid);
    const merged = Object.entries({ ...decodeJson(current.environment), ...body.var });
    const environment = Object.fromEntries(merged.filter(([, value]) => value !== null));
    await db
      .updateTable("apps")
      .set({ environment: encodeJson(environment as Record<string, string>), updated_at: context.now() })
      .where("guid", "=", app.guid)
      .execute();
    const data = { request: { environment_variables: body.var } };
    await recordEvent(db, call, { type: "audit.app.update", target: current, data });
  });
}

async function assignDroplet(call: Call<Static<typeof AssignDroplet>>, app: RowOf<"apps">): Promise<void> {
  const { context, body } = call;
  await demandApp(call, "app.write", app);
  await context.write((db, news) => setDroplet(db, news, call, app, body.data.guid));
}

export async function demandApp(
  call: Call<unknown>,
  operation: Operation,
  app: Pick<RowOf<"apps">, "space_guid">,
): Promise<void> {
  await demand(call.context.store.db, call.caller, operation, await placeOfApp(call.context, app));
}

async function placeOfApp(context: Context, app: Pick<RowOf<"apps">, "space_guid">) {
  const space = await context.store.db
    .selectFrom("spaces")
    .select(["guid", "organization_guid"])
    .where("guid", "=", app.space_guid)
    .executeTakeFirstOrThrow();
  return placeOf(space);
}

/** Variables may be passwords: fewer people see them than see the app. */
export async function demandEnvironment(call: Call<unknown>, app: RowOf<"apps">): Promise<void> {
  if (!(await seesEnvironment(call, app))) throw notAuthorized({});
}

/** Of what belongs to an app and may hold passwords as its variables do: commands. */
export async function seesSecretsOf(call: Call<unknown>, appGuid: string): Promise<boolean> {
  if (call.caller.seesSecrets) return true;
  const app = await call.context.store.db
    .selectFrom("apps")
    .select("space_guid")
    .where("guid", "=", appGuid)
    .executeTakeFirst();
  return app !== undefined && seesEnvironment(call, app);
}

async function seesEnvironment(
  { context, caller }: Call<unknown>,
  app: Pick<RowOf<"apps">, "space_guid">,
): Promise<boolean> {
  if (caller.seesSecrets) return true;
  return may(context.store.db, caller, "app.read-environment", await placeOfApp(context, app));
}

/** A flag each hides them from everybody, and from everybody whose they are. */
async function demandVariables(call: Call<unknown>, app: RowOf<"apps">): Promise<void> {
  const { context, caller } = call;
  await demandEnabled(context.store.db, "env_var_visibility");
  await demandEnvironment(call, app);
  if (!caller.seesSecrets) await demandEnabled(context.store.db, "space_developer_env_var_visibility");
}

/** Who has seen passwords is as good to know as who has changed them. */
async function recordLook(
  call: Call<unknown>,
  app: RowOf<"apps">,
  what: "environment.show" | "environment_variables.show",
): Promise<void> {
  await call.context.write((db) =>
    recordEvent(db, call, { type: `audit.app.${what}`, target: app, data: {} }),
  );
}

const unlessNameTaken = (name: string, write: Promise<void>) =>
  unlessTaken(write, (cause) => notUnique({ problem: `App with the name '${name}' already exists.` }, cause));

// --- presenter ---

/** How an app becomes something that runs; of builds and droplets, too. */
export const LifecycleShape = Type.Unsafe<typeof DEFAULT_LIFECYCLE>({
  anyOf: [
    part({
      type: Type.Literal("buildpack"),
      data: part({
        buildpacks: Type.Optional(Type.Array(Type.String())),
        stack: Type.Optional(orNull(Type.String())),
        credentials: Type.Optional(Type.Unknown()),
      }),
    }),
    part({ type: Type.Literal("local"), data: part({ directory: Type.String() }) }),
  ],
});

export const App = resource("App", {
  name: Type.String(),
  state: oneOf("STOPPED", "STARTED"),
  lifecycle: LifecycleShape,
  relationships: part({ space: ToOne, current_droplet: ToOneOrNone }),
  metadata: MetadataShape,
  links: linksTo([
    "self",
    "environment_variables",
    "space",
    "processes",
    "packages",
    "current_droplet",
    "droplets",
    "tasks",
    "start",
    "stop",
    "revisions",
    "deployed_revisions",
    "features",
  ]),
});

const AppVariables = shape("EnvironmentVariables", { var: Texts, links: linksTo(["self", "app"]) });

const AppEnvironment = shape("Environment", {
  staging_env_json: Texts,
  running_env_json: Texts,
  environment_variables: Texts,
  system_env_json: part({ VCAP_SERVICES: Type.Record(Type.String(), Type.Array(AnyObject)) }),
  application_env_json: part({ VCAP_APPLICATION: AnyObject }),
});

const AppPermissions = shape("AppPermissions", {
  read_basic_data: Type.Literal(true),
  read_sensitive_data: Type.Boolean(),
});

const SshEnabled = shape("SshEnabled", { enabled: Type.Literal(false), reason: Type.String() });

const CurrentDroplet = shape("CurrentDroplet", {
  data: ToOne.properties.data,
  links: linksTo(["self", "related"]),
});

async function presentApps(context: Context, rows: readonly RowOf<"apps">[]): Promise<Shown<typeof App>[]> {
  return withMetadata(context, "app", rows, (row, metadata) => {
    const at = (path: string, method?: "POST" | "PATCH") =>
      link(context, `/v3/apps/${row.guid}${path}`, method);
    return {
      ...head(row),
      name: row.name,
      state: row.state,
      lifecycle: decodeJson(row.lifecycle),
      relationships: {
        space: toOneData(row.space_guid),
        current_droplet: toOneData(row.current_droplet_guid),
      },
      metadata,
      links: {
        self: at(""),
        environment_variables: at("/environment_variables"),
        space: link(context, `/v3/spaces/${row.space_guid}`),
        processes: at("/processes"),
        packages: at("/packages"),
        current_droplet: at("/droplets/current"),
        droplets: at("/droplets"),
        tasks: at("/tasks"),
        start: at("/actions/start", "POST"),
        stop: at("/actions/stop", "POST"),
        revisions: at("/revisions"),
        deployed_revisions: at("/revisions/deployed"),
        features: at("/features"),
      },
    };
  });
}

export const appListing: Listing<"apps", typeof App> = {
  table: "apps",
  resource: "App",
  shape: App,
  labelled: "app",
  filters: {
    names: column("apps.name"),
    space_guids: column("apps.space_guid"),
    organization_guids: spaceInOrganizations("apps.space_guid"),
  },
  includes: { space: spaceOf, org: organizationOf, "space.organization": organizationOf },
  orderBy: ["name", "state"],
  visible: ({ caller }) => spaceVisible(caller, "apps.space_guid"),
  present: ({ context }, rows) => presentApps(context, rows),
};

function presentVariables(context: Context, app: RowOf<"apps">): Shown<typeof AppVariables> {
  return {
    var: decodeJson(app.environment),
    links: {
      self: link(context, `/v3/apps/${app.guid}/environment_variables`),
      app: link(context, `/v3/apps/${app.guid}`),
    },
  };
}

// --- endpoints ---

const findApp = (call: Call<unknown>) => findRow(call, appListing, call.params["guid"] ?? "");

/** `POST /v3/apps/:guid/actions/<name>`: does it, answers with the app. */
const action = (
  name: string,
  summary: string,
  run: (call: Call<unknown>, app: RowOf<"apps">) => Promise<void>,
): Endpoint =>
  defineEndpoint({
    method: "POST",
    path: `/v3/apps/:guid/actions/${name}`,
    summary,
    access: "write",
    answers: { 200: App },
    handle: async (call) => {
      const app = await findApp(call);
      await run(call, app);
      return ok(await presentNow(call, appListing, app.guid));
    },
  });

export const apps: readonly Endpoint[] = [
  listEndpoint("/v3/apps", "Lists apps.", appListing),
  showEndpoint("/v3/apps/:guid", "Shows an app.", appListing),
  defineEndpoint({
    method: "POST",
    path: "/v3/apps",
    summary: "Creates an app.",
    access: "write",
    answers: { 201: App },
    refuses: [notUnique],
    body: CreateApp,
    check: (body, context) => [
      ...(body.lifecycle === undefined ? [] : checkLifecycle(body.lifecycle, context.config)),
      ...variableProblems("Environment variables", body.environment_variables ?? {}, "refused"),
    ],
    handle: async (call) => created(await presentNow(call, appListing, await createApp(call))),
  }),
  defineEndpoint({
    method: "PATCH",
    path: "/v3/apps/:guid",
    summary: "Changes an app.",
    access: "write",
    answers: { 200: App },
    refuses: [notUnique],
    body: UpdateApp,
    handle: async (call) => {
      const app = await findApp(call);
      await updateApp(call, app);
      return ok(await presentNow(call, appListing, app.guid));
    },
  }),
  defineEndpoint({
    method: "DELETE",
    path: "/v3/apps/:guid",
    summary: "Deletes an app with its processes; its routes stay.",
    access: "write",
    answers: JOB,
    handle: async (call) => {
      const app = await findApp(call);
      await demandApp(call, "app.write", app);
      const job = { operation: "app.delete", resourceType: "app", resourceGuid: app.guid };
      return asJob(call.context, job, async (db, news) => {
        await recordEvent(db, call, { type: "audit.app.delete-request", target: app, data: {} });
        await deleteApps(db, news, [app.guid]);
      });
    },
  }),
  action("start", "Starts an app.", (call, app) => startApp(call, app, false)),
  action("restart", "Stops an app if it runs, and starts it.", (call, app) => startApp(call, app, true)),
  action("stop", "Stops an app.", stopApp),
  defineEndpoint({
    method: "GET",
    path: "/v3/apps/:guid/environment_variables",
    summary: "Shows what a user set in an app's environment.",
    access: "read",
    answers: { 200: AppVariables },
    refuses: [featureDisabled],
    handle: async (call) => {
      const app = await findApp(call);
      await demandVariables(call, app);
      await recordLook(call, app, "environment_variables.show");
      return ok(presentVariables(call.context, app));
    },
  }),
  defineEndpoint({
    method: "PATCH",
    path: "/v3/apps/:guid/environment_variables",
    summary: "Sets variables, or removes those that are null.",
    access: "write",
    answers: { 200: AppVariables },
    body: UpdateVariables,
    check: (body) => variableProblems("Var", body.var, "allowed"),
    handle: async (call) => {
      const app = await findApp(call);
      await updateVariables(call, app);
      return ok(presentVariables(call.context, await findApp(call)));
    },
  }),
  defineEndpoint({
    method: "GET",
    path: "/v3/apps/:guid/env",
    summary: "Shows an app's whole environment.",
    access: "read",
    answers: { 200: AppEnvironment },
    refuses: [featureDisabled],
    handle: async (call) => {
      const app = await findApp(call);
      await demandVariables(call, app);
      await recordLook(call, app, "environment.show");
      const { db } = call.context.store;
      const servicesOf = await loadVcapServices(db, [app.guid]);
      const system = await loadSystemEnvironment(db, call.context, app);
      return ok({
        staging_env_json: (await loadEnvironmentGroup(db, "staging")).variables,
        running_env_json: (await loadEnvironmentGroup(db, "running")).variables,
        environment_variables: decodeJson(app.environment),
        system_env_json: { VCAP_SERVICES: servicesOf(app.guid) },
        application_env_json: { VCAP_APPLICATION: system },
      });
    },
  }),
  defineEndpoint({
    method: "GET",
    path: "/v3/apps/:guid/permissions",
    summary: "Says what of an app one may see.",
    access: "read",
    answers: { 200: AppPermissions },
    handle: async (call) => {
      const app = await findApp(call);
      return ok({ read_basic_data: true, read_sensitive_data: await seesEnvironment(call, app) });
    },
  }),
  defineEndpoint({
    method: "GET",
    path: "/v3/apps/:guid/ssh_enabled",
    summary: "Says whether SSH into an app is possible.",
    access: "read",
    answers: { 200: SshEnabled },
    handle: async (call) => {
      await findApp(call);
      return ok({ enabled: false, reason: "Disabled globally" });
    },
  }),
  defineEndpoint({
    method: "GET",
    path: "/v3/apps/:guid/relationships/current_droplet",
    summary: "Says which droplet an app runs.",
    access: "read",
    answers: { 200: CurrentDroplet },
    handle: async (call) => {
      const app = await findApp(call);
      if (app.current_droplet_guid === null) throw resourceNotFound({ resource: "Droplet" });
      return ok(presentDropletRelationship(call.context, app.guid, app.current_droplet_guid));
    },
  }),
  defineEndpoint({
    method: "PATCH",
    path: "/v3/apps/:guid/relationships/current_droplet",
    summary: "Chooses the droplet an app runs from its next start on.",
    access: "write",
    answers: { 200: CurrentDroplet },
    body: AssignDroplet,
    handle: async (call) => {
      const app = await findApp(call);
      await assignDroplet(call, app);
      return ok(presentDropletRelationship(call.context, app.guid, call.body.data.guid));
    },
  }),
];

function presentDropletRelationship(
  context: Context,
  app: string,
  droplet: string,
): Shown<typeof CurrentDroplet> {
  return {
    ...toOneData(droplet),
    links: {
      self: link(context, `/v3/apps/${app}/relationships/current_droplet`),
      related: link(context, `/v3/apps/${app}/droplets/current`),
    },
  };
}
