/** Processes: how an app runs, how many times, and how its instances are. */
import { sql } from "kysely";
import { type Static, type TProperties, Type } from "typebox";
import type { ActualLrp } from "../../contracts/index.ts";
import {
  badQueryParameter,
  featureDisabled,
  resourceNotFound,
} from "../../kernel/errors/cloud-controller.ts";
import { decodeJson, encodeJson, type HealthCheckDocument, type RowOf, together } from "../../store/index.ts";
import { recordProcess } from "../audit.ts";
import { withinQuotas } from "../app-quotas.ts";
import type { CloudControllerConfig } from "../config.ts";
import type { Context } from "../context.ts";
import { activeDeployment } from "../deployment-steps.ts";
import { type Call, accepted, defineEndpoint, type Endpoint, noContent, ok } from "../endpoint.ts";
import { demandFeature } from "../feature-flags.ts";
import { commandOf } from "../lifecycle.ts";
import { segmentOfSpace } from "../isolation-segments.ts";
import {
  column,
  findAgain,
  findRow,
  type Listing,
  listEndpoint,
  presentNow,
  presentRow,
  showEndpoint,
} from "../list.ts";
import { Metadata, writeMetadata } from "../metadata.ts";
import { lrpGuid } from "../news.ts";
import { head, HIDDEN, HIDDEN_IN_LISTS, link, toOneData, withMetadata } from "../present.ts";
import { refuse } from "../refuse.ts";
import { MAX_INTEGER, message, nullable } from "../schema.ts";
import {
  Guid,
  linksTo,
  LogRate,
  MetadataShape,
  oneOf,
  orNull,
  part,
  Quantity,
  resource,
  shape,
  type Shown,
  ToOne,
} from "../shape.ts";
import { appFilters, appVisible } from "./app-rows.ts";
import { appListing, demandApp, seesSecretsOf } from "./apps.ts";

// --- messages ---

const Count = Type.Integer({ minimum: 0, maximum: MAX_INTEGER });
const Size = Type.Integer({ exclusiveMinimum: 0, maximum: MAX_INTEGER });
const HEALTH_CHECK_TYPES = ["port", "process", "http"] as const;
/** What a request line can carry; a fragment never leaves a client. */
export const HEALTH_ENDPOINT = '^/[!-"$-~]*$';

/** @param name  As sentences begin: «Health check». */
const seconds = (name: string, what: string) =>
  Type.Optional(
    nullable(
      Type.Integer({
        minimum: 1,
        maximum: MAX_INTEGER,
        sentence: `${name} ${what} must be a whole number of seconds from 1`,
      }),
    ),
  );

/** @param more  What the data of this kind of check holds besides. */
const healthCheck = <P extends TProperties>(name: string, more: P) =>
  message({
    type: Type.Optional(
      Type.Enum(HEALTH_CHECK_TYPES, { sentence: `${name} type must be "port", "process", or "http"` }),
    ),
    data: Type.Optional(
      message({
        ...more,
        invocation_timeout: seconds(name, "invocation timeout"),
        interval: seconds(name, "interval"),
        endpoint: Type.Optional(
          nullable(
            Type.String({
              pattern: HEALTH_ENDPOINT,
              maxLength: 255,
              sentence: `${name} endpoint must be a valid URI path`,
            }),
          ),
        ),
      }),
    ),
  });

const UpdateProcess = message({
  command: Type.Optional(
    nullable(
      Type.String({
        minLength: 1,
        maxLength: 4096,
        refusals: {
          minLength: "must be between 1 and 4096 characters",
          maxLength: "must be between 1 and 4096 characters",
        },
      }),
    ),
  ),
  health_check: Type.Optional(healthCheck("Health check", { timeout: seconds("Health check", "timeout") })),
  // Of this one nobody waits for the end, so it has no time to be good by.
  readiness_health_check: Type.Optional(healthCheck("Readiness health check", {})),
  metadata: Type.Optional(Metadata),
});
const ScaleProcess = message({
  instances: Type.Optional(Count),
  memory_in_mb: Type.Optional(Size),
  disk_in_mb: Type.Optional(Size),
  log_rate_limit_in_bytes_per_second: Type.Optional(Type.Integer({ minimum: -1, maximum: MAX_INTEGER })),
});

/** An instance costs memory before it runs, and long after somebody mistyped a number. */
export const instanceProblems = (instances: number | undefined, { maxInstances }: CloudControllerConfig) =>
  instances === undefined || instances <= maxInstances
    ? []
    : [
        `Instances must be less than or equal to ${maxInstances}; an operator may set cloud-controller.max_instances`,
      ];

function updateProblems(body: Static<typeof UpdateProcess>): string[] {
  const checks = [
    ["Health check", body.health_check],
    ["Readiness health check", body.readiness_health_check],
  ] as const;
  return checks.flatMap(([label, check]) =>
    typeof check?.data?.endpoint === "string" && check.type !== undefined && check.type !== "http"
      ? [`${label} type must be "http" to set a health check HTTP endpoint`]
      : [],
  );
}

// --- actions ---

async function updateProcess(
  call: Call<Static<typeof UpdateProcess>>,
  process: RowOf<"processes">,
): Promise<void> {
  const { context, body } = call;
  const app = await demandProcess(call, "app.write", process);
  await context.write(async (db) => {
    const current = await findAgain(db, processListing, process.guid);
    await db
      .updateTable("processes")
      .set({
        command: body.command === undefined ? current.command : body.command,
        health_check: mergeHealthCheck(current.health_check, body.health_check),
        readiness_health_check: mergeHealthCheck(current.readiness_health_check, body.readiness_health_check),
        updated_at: context.now(),
      })
      .where("guid", "=", process.guid)
      .execute();
    await writeMetadata(db, "process", process.guid, body.metadata);
    await recordProcess(db, call, app, current, "update", { request: body });
  });
}

/** Another type begins anew; the same one keeps what is not mentioned. */
export function mergeHealthCheck(
  stored: RowOf<"processes">["health_check"],
  change: Static<typeof UpdateProcess>["health_check"],
): RowOf<"processes">["health_check"] {
  if (change === undefined) return stored;
  const current: HealthCheckDocument = decodeJson(stored);
  const type = change.type ?? current.type;
  const data: Record<string, unknown> = { ...current.data, ...change.data };
  if (type !== "http") delete data["endpoint"];
  return encodeJson<HealthCheckDocument>({ type, data });
}

/** The number of instances changes at once; memory and disk with the next start. */
async function scaleProcess(
  call: Call<Static<typeof ScaleProcess>>,
  process: RowOf<"processes">,
): Promise<void> {
  const { context, caller, body } = call;
  const app = await findAppOf(context, process);
  await demandApp(call, "app.operate", app);
  await demandFeature(context.store.db, caller, "app_scaling");
  await context.write(async (db, news) => {
    if ((await activeDeployment(db, process.guid)) !== null) {
      refuse("Cannot scale this process while a deployment is in flight.");
    }
    // The version as it is inside the transaction: a start at the same moment changes it.
    const current = await db
      .selectFrom("processes")
      .select(["guid", "version"])
      .where("guid", "=", process.guid)
      .executeTakeFirst();
    if (current === undefined) throw resourceNotFound({ resource: "Process" });
    await withinQuotas(db, app, () =>
      db
        .updateTable("processes")
        .set({ ...body, updated_at: context.now() })
        .where("guid", "=", process.guid)
        .execute(),
    );
    news.process(current);
    await recordProcess(db, call, app, process, "scale", { request: body });
  });
}

async function stopInstance(call: Call<unknown>, process: RowOf<"processes">): Promise<void> {
  const app = await demandProcess(call, "app.operate", process);
  const index = Number(call.params["index"]);
  const lrps = await call.context.bbs.actualLrps({ processGuid: lrpGuid(process) });
  if (!lrps.some((lrp) => lrp.index === index)) throw resourceNotFound({ resource: "Instance" });
  await call.context.bbs.retireActualLrp(lrpGuid(process), index);
  await call.context.write((db) =>
    recordProcess(db, call, app, process, "terminate_instance", { process_index: index }),
  );
}

/** @returns its app */
async function demandProcess(
  call: Call<unknown>,
  operation: "app.write" | "app.operate",
  process: RowOf<"processes">,
): Promise<RowOf<"apps">> {
  const app = await findAppOf(call.context, process);
  await demandApp(call, operation, app);
  return app;
}

const findAppOf = (context: Context, process: RowOf<"processes">) =>
  context.store.db
    .selectFrom("apps")
    .selectAll()
    .where("guid", "=", process.app_guid)
    .executeTakeFirstOrThrow();

// --- presenters ---

const HealthCheck = Type.Unsafe<HealthCheckDocument>(
  part({
    type: oneOf(...HEALTH_CHECK_TYPES),
    data: part({
      timeout: Type.Optional(orNull(Quantity)),
      invocation_timeout: orNull(Quantity),
      interval: orNull(Quantity),
      endpoint: Type.Optional(orNull(Type.String())),
    }),
  }),
);

const InstanceState = oneOf("RUNNING", "CRASHED", "STARTING", "DOWN");

const Process = resource("Process", {
  version: Guid,
  type: Type.String(),
  command: orNull(Type.String()),
  instances: Quantity,
  memory_in_mb: Quantity,
  disk_in_mb: Quantity,
  log_rate_limit_in_bytes_per_second: LogRate,
  health_check: HealthCheck,
  readiness_health_check: HealthCheck,
  relationships: part({ app: ToOne, revision: Type.Null() }),
  metadata: MetadataShape,
  links: linksTo(["self", "scale", "app", "space", "stats"]),
  process_instances: Type.Optional(
    Type.Array(part({ index: Quantity, state: InstanceState, since: Quantity })),
  ),
});

const TlsPort = orNull(Quantity);
/** What is only known of an instance that somebody has, or will have, is absent from others. */
const InstanceStats = part({
  type: Type.String(),
  index: Quantity,
  instance_guid: Type.String(),
  state: InstanceState,
  routable: Type.Boolean(),
  uptime: Quantity,
  details: orNull(Type.String()),
  isolation_segment: orNull(Type.String()),
  host: Type.Optional(Type.String()),
  instance_internal_ip: Type.Optional(Type.String()),
  instance_ports: Type.Optional(
    Type.Array(
      part({
        external: Quantity,
        internal: Quantity,
        external_tls_proxy_port: TlsPort,
        internal_tls_proxy_port: TlsPort,
      }),
    ),
  ),
  usage: Type.Optional(part({})),
  mem_quota: Type.Optional(Quantity),
  disk_quota: Type.Optional(Quantity),
  log_rate_limit: Type.Optional(LogRate),
  fds_quota: Type.Optional(Quantity),
});
const ProcessStats = shape("ProcessStats", { resources: Type.Array(InstanceStats) });

async function presentProcesses(
  context: Context,
  rows: readonly RowOf<"processes">[],
  hidden: string | null,
): Promise<Shown<typeof Process>[]> {
  const apps =
    rows.length === 0
      ? []
      : await context.store.db
          .selectFrom("apps")
          .leftJoin("droplets", "droplets.guid", "apps.current_droplet_guid")
          .select(["apps.guid", "apps.space_guid", "droplets.process_types"])
          .where("apps.guid", "in", [...new Set(rows.map((row) => row.app_guid))])
          .execute();
  const appOf = new Map(apps.map((app) => [app.guid, app]));
  const commandOfRow = (row: RowOf<"processes">) => {
    const types = appOf.get(row.app_guid)?.process_types;
    return commandOf(row, types === null || types === undefined ? null : { process_types: types });
  };
  return withMetadata(context, "process", rows, (row, metadata) => ({
    ...head(row),
    version: row.version,
    type: row.type,
    command: commandOfRow(row) === null ? null : (hidden ?? commandOfRow(row)),
    instances: row.instances,
    memory_in_mb: row.memory_in_mb,
    disk_in_mb: row.disk_in_mb,
    log_rate_limit_in_bytes_per_second: row.log_rate_limit_in_bytes_per_second,
    health_check: decodeJson(row.health_check),
    readiness_health_check: decodeJson(row.readiness_health_check),
    relationships: { app: toOneData(row.app_guid), revision: null },
    metadata,
    links: {
      self: link(context, `/v3/processes/${row.guid}`),
      scale: link(context, `/v3/processes/${row.guid}/actions/scale`, "POST"),
      app: link(context, `/v3/apps/${row.app_guid}`),
      space: link(context, `/v3/spaces/${appOf.get(row.app_guid)?.space_guid ?? ""}`),
      stats: link(context, `/v3/processes/${row.guid}/stats`),
    },
  }));
}

const processListing: Listing<"processes", typeof Process> = {
  table: "processes",
  resource: "Process",
  shape: Process,
  labelled: "process",
  filters: {
    types: column("processes.type"),
    ...appFilters("processes"),
  },
  otherParameters: ["embed"],
  visible: (call) => appVisible(call, "processes"),
  // Of one process; its command may hold a password.
  present: async (call, rows) => {
    const isSeen = rows[0] === undefined || (await seesSecretsOf(call, rows[0].app_guid));
    return presentAsked(call, rows, isSeen ? null : HIDDEN);
  },
};

const redactedListing: typeof processListing = {
  ...processListing,
  present: (call, rows) => presentAsked(call, rows, HIDDEN_IN_LISTS),
};

/** With their instances in short, for who asks: `cf apps` does, of all processes at once. */
async function presentAsked(
  { context, query }: Call<unknown>,
  rows: readonly RowOf<"processes">[],
  hidden: string | null,
): Promise<Shown<typeof Process>[]> {
  const isEmbedding = readEmbed(query["embed"]);
  const presented = await presentProcesses(context, rows, hidden);
  if (!isEmbedding) return presented;
  const instancesOf = await findInstances(context, rows);
  return presented.map((process, i) => {
    const row = rows[i];
    return { ...process, process_instances: row === undefined ? [] : embed(context, row, instancesOf(row)) };
  });
}

const EMBEDDABLE = "process_instances";

/** @throws badQueryParameter */
function readEmbed(embed: string | undefined): boolean {
  const unknown = (embed ?? EMBEDDABLE).split(",").find((name) => name !== EMBEDDABLE);
  if (unknown === undefined) return embed !== undefined;
  throw badQueryParameter({
    problems: [`Invalid embedded resource: '${unknown}'. Valid embedded resources are: '${EMBEDDABLE}'`],
  });
}

const MEBIBYTE = 2 ** 20;
const MAX_OPEN_FILES = 16_384;

/** One element per instance that should be there; those that nobody reports are down. */
async function presentStats(
  context: Context,
  process: RowOf<"processes">,
): Promise<Shown<typeof ProcessStats>> {
  const lrpAt = (await findInstances(context, [process]))(process);
  const { space_guid: space } = await findAppOf(context, process);
  const segment = await segmentOfSpace(context.store.db, space);
  return {
    resources: shownIndexes(context, process).map((index) => ({
      ...presentInstance(context, process, index, lrpAt(index)),
      isolation_segment: segment === "" ? null : segment,
    })),
  };
}

/** A row may be older than the setting, or than an operator's lower one. */
const shownIndexes = ({ config }: Context, { instances }: RowOf<"processes">) =>
  Array.from({ length: Math.min(instances, config.maxInstances) }, (_, index) => index);

function embed(
  context: Context,
  process: RowOf<"processes">,
  lrpAt: LrpAt,
): NonNullable<Shown<typeof Process>["process_instances"]> {
  return shownIndexes(context, process).map((index) => {
    const lrp = lrpAt(index);
    const since = lrp === undefined ? 0 : Number(BigInt(lrp.sinceNs) / 1_000_000_000n);
    return { index, state: stateOf(lrp), since };
  });
}

/** What is reported of each index of a process. */
type LrpAt = (index: number) => ActualLrp | undefined;

/** Of all of them with two questions to the database, however many there are. */
async function findInstances(
  context: Context,
  processes: readonly RowOf<"processes">[],
): Promise<(process: RowOf<"processes">) => LrpAt> {
  if (processes.length === 0) return () => () => undefined;
  const { bbs, store } = context;
  const guids = processes.map(({ guid }) => guid);
  const [started, deployments] = await together(store.db, [
    store.db
      .selectFrom("apps")
      .select("guid")
      .where("state", "=", "STARTED")
      .where("guid", "in", [...new Set(processes.map((process) => process.app_guid))]),
    store.db
      .selectFrom("deployments")
      .select(["process_guid", "previous_version"])
      .where("status_value", "=", "ACTIVE")
      .where("process_guid", "in", guids),
  ]);
  const isStarted = new Set(started.map(({ guid }) => guid));
  const leavingOf = new Map(deployments.map((each) => [each.process_guid, each.previous_version]));
  const byProcess = new Map<string, ReadonlyMap<number, ActualLrp>>();
  for (const { guid, app_guid, version } of processes) {
    if (!isStarted.has(app_guid)) continue;
    const leaving = leavingOf.get(guid);
    // While one version takes the place of another, a slot shows the newer one once it is there.
    const lrps = [
      ...(leaving === undefined
        ? []
        : await bbs.actualLrps({ processGuid: lrpGuid({ guid, version: leaving }) })),
      ...(await bbs.actualLrps({ processGuid: lrpGuid({ guid, version }) })),
    ];
    byProcess.set(guid, new Map(lrps.map((lrp) => [lrp.index, lrp])));
  }
  return ({ guid }) => {
    const byIndex = byProcess.get(guid);
    return (index) => byIndex?.get(index);
  };
}

function presentInstance(
  context: Context,
  process: RowOf<"processes">,
  index: number,
  lrp: ActualLrp | undefined,
): Omit<Shown<typeof InstanceStats>, "isolation_segment"> {
  const nowNs = BigInt(Math.floor(context.clock.nowMs())) * 1_000_000n;
  const uptime = lrp === undefined ? 0 : Math.max(0, Number((nowNs - BigInt(lrp.sinceNs)) / 1_000_000_000n));
  const common = {
    type: process.type,
    index,
    instance_guid: lrp?.instanceGuid ?? "",
    state: stateOf(lrp),
    routable: lrp?.routable ?? false,
    uptime,
    details: lrp?.placementError || lrp?.crashReason || null,
  };
  if (lrp === undefined || common.state === "DOWN") return common;
  return {
    ...common,
    // "" until a cell has it.
    host: lrp.address,
    instance_internal_ip: lrp.instanceAddress,
    instance_ports: lrp.ports.map((port) => ({
      external: port.hostPort,
      internal: port.containerPort,
      external_tls_proxy_port: port.hostTlsPort === 0 ? null : port.hostTlsPort,
      internal_tls_proxy_port: null,
    })),
    // Nobody measures instances here; upstream answers the same while its metrics are away.
    usage: {},
    mem_quota: process.memory_in_mb * MEBIBYTE,
    disk_quota: process.disk_in_mb * MEBIBYTE,
    log_rate_limit: process.log_rate_limit_in_bytes_per_second,
    fds_quota: MAX_OPEN_FILES,
  };
}

function stateOf(lrp: ActualLrp | undefined): Shown<typeof InstanceState> {
  if (lrp === undefined) return "DOWN";
  switch (lrp.state) {
    case "RUNNING":
    case "CRASHED":
      return lrp.state;
    case "UNCLAIMED":
      return lrp.placementError === "" ? "STARTING" : "DOWN";
    case "CLAIMED":
      return "STARTING";
    default:
      return lrp.state satisfies never;
  }
}

// --- endpoints ---

/** A process's changes and everything below it, under its own path and under its app's. */
function below(path: string, find: (call: Call<unknown>) => Promise<RowOf<"processes">>): Endpoint[] {
  return [
    defineEndpoint({
      method: "PATCH",
      path,
      summary: "Changes how a process is started and checked, from its next start on.",
      access: "write",
      answers: { 200: Process },
      body: UpdateProcess,
      check: updateProblems,
      handle: async (call) => {
        const process = await find(call);
        await updateProcess(call, process);
        return ok(await presentNow(call, processListing, process.guid));
      },
    }),
    defineEndpoint({
      method: "GET",
      path: `${path}/stats`,
      summary: "Shows a process's instances.",
      access: "read",
      answers: { 200: ProcessStats },
      handle: async (call) => ok(await presentStats(call.context, await find(call))),
    }),
    defineEndpoint({
      method: "POST",
      path: `${path}/actions/scale`,
      summary: "Changes how many instances run, and how large they are.",
      access: "write",
      answers: { 202: Process },
      refuses: [featureDisabled],
      body: ScaleProcess,
      check: ({ instances }, { config }) => instanceProblems(instances, config),
      handle: async (call) => {
        const process = await find(call);
        await scaleProcess(call, process);
        return accepted(await presentNow(call, processListing, process.guid));
      },
    }),
    defineEndpoint({
      method: "DELETE",
      path: `${path}/instances/:index`,
      summary: "Stops one instance; another takes its place.",
      access: "write",
      answers: { 204: null },
      handle: async (call) => {
        await stopInstance(call, await find(call));
        return noContent;
      },
    }),
  ];
}

const findProcess = (call: Call<unknown>) => findRow(call, processListing, call.params["guid"] ?? "");

async function findProcessOfApp(call: Call<unknown>): Promise<RowOf<"processes">> {
  const app = await findRow(call, appListing, call.params["guid"] ?? "");
  const process = await call.context.store.db
    .selectFrom("processes")
    .selectAll()
    .where("app_guid", "=", app.guid)
    .where("type", "=", call.params["type"] ?? "")
    .orderBy("created_at", "desc")
    .executeTakeFirst();
  if (process === undefined) throw resourceNotFound({ resource: "Process" });
  return process;
}

export const processes: readonly Endpoint[] = [
  listEndpoint("/v3/processes", "Lists processes.", redactedListing),
  showEndpoint("/v3/processes/:guid", "Shows a process.", processListing),
  listEndpoint("/v3/apps/:guid/processes", "Lists an app's processes.", redactedListing, async (call) => {
    const app = await findRow(call, appListing, call.params["guid"] ?? "");
    return sql<boolean>`processes.app_guid = ${app.guid}`;
  }),
  defineEndpoint({
    method: "GET",
    path: "/v3/apps/:guid/processes/:type",
    summary: "Shows an app's process of one type.",
    access: "read",
    answers: { 200: Process },
    parameters: ["embed"],
    handle: async (call) => ok(await presentRow(call, processListing, await findProcessOfApp(call))),
  }),
  ...below("/v3/processes/:guid", findProcess),
  ...below("/v3/apps/:guid/processes/:type", findProcessOfApp),
];
