/** Deployments: an app's new version takes the place of the old one, a few instances at a time. */
import { type Static, Type } from "typebox";
import { newGuid } from "../../kernel/index.ts";
import { resourceNotFound } from "../../kernel/errors/cloud-controller.ts";
import type { RowOf } from "../../store/index.ts";
import { setDroplet } from "../app-droplet.ts";
import { recordEvent } from "../audit.ts";
import { withinQuotas } from "../app-quotas.ts";
import type { Context, Writer } from "../context.ts";
import { beginDeployment, cancelDeployment, renewVersion } from "../deployment-steps.ts";
import { type Call, created, defineEndpoint, type Endpoint, ok } from "../endpoint.ts";
import { currentDroplet, whyNotRunnable } from "../lifecycle.ts";
import { column, findAgain, findRow, type Listing, listEndpoint, presentNow, showEndpoint } from "../list.ts";
import { Metadata, writeMetadata } from "../metadata.ts";
import { metadataEndpoint } from "../metadata-endpoint.ts";
import type { News } from "../news.ts";
import { head, link, shownTime, toOneData, withMetadata } from "../present.ts";
import { refuse } from "../refuse.ts";
import { MAX_INTEGER, message, nullable, toOne } from "../schema.ts";
import {
  Guid,
  linksTo,
  MetadataShape,
  oneOf,
  orNull,
  part,
  Related,
  resource,
  type Shown,
  Time,
  ToOne,
} from "../shape.ts";
import { appListing, demandApp } from "./apps.ts";
import { appFilters, appVisible } from "./app-rows.ts";

// --- messages ---

const CreateDeployment = message({
  droplet: Type.Optional(nullable(message({ guid: Type.String() }))),
  strategy: Type.Optional(
    Type.Enum(["rolling"], { sentence: "Strategy is not a supported deployment strategy; use 'rolling'" }),
  ),
  options: Type.Optional(
    message({
      max_in_flight: Type.Optional(
        Type.Integer({
          minimum: 1,
          maximum: MAX_INTEGER,
          sentence: "Max in flight must be a positive integer greater than 0",
        }),
      ),
    }),
  ),
  relationships: message({ app: toOne("app") }),
  metadata: Type.Optional(Metadata),
});

// --- actions ---

async function createDeployment(call: Call<Static<typeof CreateDeployment>>): Promise<string> {
  const { context, body } = call;
  const app = await findRow(call, appListing, body.relationships.app.data.guid).catch((error: unknown) => {
    if (!resourceNotFound.is(error)) throw error;
    return refuse("Unable to use app. Ensure that the app exists and you have access to it.");
  });
  await demandApp(call, "app.operate", app);
  const guid = newGuid();
  await context.write(async (db, news) => {
    const current = await findAgain(db, appListing, app.guid);
    if (body.droplet !== undefined && body.droplet !== null) {
      await setDroplet(db, news, call, app, body.droplet.guid);
    }
    const updated = { ...current, current_droplet_guid: body.droplet?.guid ?? current.current_droplet_guid };
    const droplet = await currentDroplet(db, updated);
    const processes = await db
      .selectFrom("processes")
      .selectAll()
      .where("app_guid", "=", app.guid)
      .orderBy("created_at")
      .execute();
    const problem = whyNotRunnable(updated, processes, droplet, context.config);
    if (problem !== null) {
      refuse(
        problem.startsWith("Assign a droplet")
          ? "Invalid droplet. Please specify a droplet in the request or set a current droplet for the app."
          : problem,
      );
    }
    const process = processes.find(({ type }) => type === "web");
    if (process === undefined) refuse("The app has no web process to deploy.");
    const previousDropletGuid = current.current_droplet_guid;
    const maxInFlight = body.options?.max_in_flight ?? 1;
    await withinQuotas(db, app, async () => {
      const about = { guid, app: updated, previousDropletGuid, process, maxInFlight };
      await beginDeployment(db, news, context, about);
      if (current.state === "STOPPED") await startAtOnce(db, news, context, guid, processes);
    });
    await writeMetadata(db, "deployment", guid, body.metadata);
    await recordEvent(db, call, {
      type: "audit.app.deployment.create",
      target: app,
      data: { deployment_guid: guid, droplet_guid: updated.current_droplet_guid, request: body },
    });
  });
  context.appLog.say(app.guid, "API", `Deploying app ${app.name}, some instances at a time`);
  return guid;
}

/** Nothing of a stopped app serves that would have to be replaced gently. */
async function startAtOnce(
  db: Writer,
  news: News,
  context: Context,
  guid: string,
  processes: readonly RowOf<"processes">[],
): Promise<void> {
  await db
    .updateTable("deployments")
    .set({ status_value: "FINALIZED", status_reason: "DEPLOYED" })
    .where("guid", "=", guid)
    .execute();
  const [first] = processes;
  await db
    .updateTable("apps")
    .set({ state: "STARTED", updated_at: context.now() })
    .where("guid", "=", first?.app_guid ?? "")
    .execute();
  for (const process of processes) await renewVersion(db, news, context, process);
}

async function cancel(call: Call<unknown>, deployment: RowOf<"deployments">): Promise<void> {
  const { context } = call;
  const app = await findRow(call, appListing, deployment.app_guid);
  await demandApp(call, "app.operate", app);
  await context.write(async (db, news) => {
    const current = await db
      .selectFrom("deployments")
      .selectAll()
      .where("guid", "=", deployment.guid)
      .executeTakeFirst();
    if (current === undefined || current.status_value === "FINALIZED") {
      refuse("Cannot cancel a FINALIZED deployment.");
    }
    if (current.status_reason === "CANCELING") return;
    await cancelDeployment(db, news, context, current);
    const data = { deployment_guid: current.guid, droplet_guid: current.previous_droplet_guid };
    await recordEvent(db, call, { type: "audit.app.deployment.cancel", target: app, data });
  });
  context.appLog.say(app.guid, "API", `Going back to the version before of app ${app.name}`);
}

// --- presenter ---

const Deployment = resource("Deployment", {
  state: oneOf("DEPLOYING", "CANCELING", "DEPLOYED", "CANCELED", "SUPERSEDED"),
  status: part({
    value: oneOf("ACTIVE", "FINALIZED"),
    reason: oneOf("DEPLOYING", "CANCELING", "DEPLOYED", "CANCELED", "SUPERSEDED"),
    details: part({ last_successful_healthcheck: Time, last_status_change: Time }),
  }),
  strategy: oneOf("rolling"),
  options: part({ max_in_flight: Type.Integer({ minimum: 1 }) }),
  droplet: orNull(Related),
  previous_droplet: orNull(Related),
  new_processes: Type.Array(part({ guid: Guid, type: Type.String() })),
  relationships: part({ app: ToOne }),
  metadata: MetadataShape,
  links: linksTo(["self", "app"], ["cancel"]),
});

async function presentDeployments(
  context: Context,
  rows: readonly RowOf<"deployments">[],
): Promise<Shown<typeof Deployment>[]> {
  return withMetadata(context, "deployment", rows, (row, metadata) => {
    const self = `/v3/deployments/${row.guid}`;
    return {
      ...head(row),
      // As upstream's old name for it; some clients still read it.
      state: row.status_value === "ACTIVE" ? "DEPLOYING" : row.status_reason,
      status: {
        value: row.status_value,
        reason: row.status_reason,
        details: {
          last_successful_healthcheck: shownTime(row.updated_at),
          last_status_change: shownTime(row.status_changed_at),
        },
      },
      strategy: row.strategy,
      options: { max_in_flight: row.max_in_flight },
      droplet: row.droplet_guid === null ? null : { guid: row.droplet_guid },
      previous_droplet: row.previous_droplet_guid === null ? null : { guid: row.previous_droplet_guid },
      new_processes: [{ guid: row.process_guid, type: "web" }],
      relationships: { app: toOneData(row.app_guid) },
      metadata,
      links: {
        self: link(context, self),
        app: link(context, `/v3/apps/${row.app_guid}`),
        ...(row.status_value === "ACTIVE" && { cancel: link(context, `${self}/actions/cancel`, "POST") }),
      },
    };
  });
}

const deploymentListing: Listing<"deployments", typeof Deployment> = {
  table: "deployments",
  resource: "Deployment",
  shape: Deployment,
  labelled: "deployment",
  filters: {
    ...appFilters("deployments"),
    status_values: column("deployments.status_value"),
    status_reasons: column("deployments.status_reason"),
  },
  visible: (call) => appVisible(call, "deployments"),
  present: ({ context }, rows) => presentDeployments(context, rows),
};

// --- endpoints ---

const findDeployment = (call: Call<unknown>) => findRow(call, deploymentListing, call.params["guid"] ?? "");

export const deployments: readonly Endpoint[] = [
  listEndpoint("/v3/deployments", "Lists deployments.", deploymentListing),
  showEndpoint("/v3/deployments/:guid", "Shows a deployment.", deploymentListing),
  defineEndpoint({
    method: "POST",
    path: "/v3/deployments",
    summary: "Replaces an app's instances some at a time, by those of another droplet or configuration.",
    access: "write",
    answers: { 201: Deployment },
    body: CreateDeployment,
    handle: async (call) => created(await presentNow(call, deploymentListing, await createDeployment(call))),
  }),
  metadataEndpoint(
    "/v3/deployments/:guid",
    "Changes a deployment's metadata.",
    deploymentListing,
    async (call, { app_guid }) => demandApp(call, "app.write", await findRow(call, appListing, app_guid)),
  ),
  defineEndpoint({
    method: "POST",
    path: "/v3/deployments/:guid/actions/cancel",
    summary: "Goes back to the version before.",
    access: "write",
    answers: { 200: Deployment },
    handle: async (call) => {
      const deployment = await findDeployment(call);
      await cancel(call, deployment);
      return ok(await presentNow(call, deploymentListing, deployment.guid));
    },
  }),
  defineEndpoint({
    method: "POST",
    path: "/v3/deployments/:guid/actions/continue",
    summary: "Refused: no deployment pauses.",
    access: "write",
    answers: {},
    handle: async (call) => {
      const deployment = await findDeployment(call);
      await demandApp(call, "app.write", await findRow(call, appListing, deployment.app_guid));
      const { status_value: value, status_reason: reason } = deployment;
      return refuse(`Cannot continue a deployment with status: ${value} and reason: ${reason}`);
    },
  }),
];
