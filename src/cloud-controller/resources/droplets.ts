/** Droplets: packages that were unpacked and are ready to run, with the commands that were found in them. */
import { sql } from "kysely";
import { Type } from "typebox";
import { resourceNotFound } from "../../kernel/errors/cloud-controller.ts";
import { decodeJson, type RowOf } from "../../store/index.ts";
import { bitsOf } from "../app-droplet.ts";
import { recordEvent } from "../audit.ts";
import type { Context, Writer } from "../context.ts";
import { type Call, defineEndpoint, type Endpoint, ok } from "../endpoint.ts";
import { asJob, JOB } from "../jobs.ts";
import { column, findRow, type Listing, listEndpoint, presentRow, showEndpoint } from "../list.ts";
import { DEFAULT_LIFECYCLE } from "../lifecycle.ts";
import { deleteMetadata } from "../metadata.ts";
import { metadataEndpoint } from "../metadata-endpoint.ts";
import { head, HIDDEN, HIDDEN_IN_LISTS, link, toOneData, withMetadata } from "../present.ts";
import { refuse } from "../refuse.ts";
import { linksTo, MetadataShape, oneOf, orNull, part, resource, type Shown, Texts, ToOne } from "../shape.ts";
import { appFilters, appVisible } from "./app-rows.ts";
import { appListing, demandApp, seesSecretsOf } from "./apps.ts";
import { Checksum, packageListing } from "./packages.ts";

const STACK = String(DEFAULT_LIFECYCLE.data["stack"]);

const Droplet = resource("Droplet", {
  state: oneOf<string>("STAGED", "FAILED", "EXPIRED"),
  error: orNull(Type.String()),
  lifecycle: part({ type: Type.Literal("buildpack"), data: part({}) }),
  execution_metadata: Type.String(),
  checksum: Checksum,
  buildpacks: Type.Array(
    part({
      name: Type.String(),
      detect_output: Type.String(),
      buildpack_name: Type.String(),
      version: Type.Null(),
    }),
  ),
  stack: Type.String(),
  image: Type.Null(),
  // Lists hide them behind the key `redacted_message`, and so does a droplet from whoever may not see its app's variables.
  process_types: Texts,
  relationships: part({ app: ToOne }),
  metadata: MetadataShape,
  links: linksTo(["self", "app", "assign_current_droplet"], ["package"]),
});

async function presentDroplets(
  context: Context,
  rows: readonly RowOf<"droplets">[],
  hidden: string | null,
): Promise<Shown<typeof Droplet>[]> {
  return withMetadata(context, "droplet", rows, (row, metadata) => {
    const self = `/v3/droplets/${row.guid}`;
    const { by } = decodeJson(row.data) as { by?: string };
    return {
      ...head(row),
      state: row.state,
      error: row.error,
      lifecycle: { type: "buildpack", data: {} },
      execution_metadata: "",
      checksum: { type: "sha256", value: bitsOf(row) },
      buildpacks: [{ name: "viaduct", detect_output: by ?? "", buildpack_name: "viaduct", version: null }],
      stack: STACK,
      image: null,
      process_types: hidden === null ? decodeJson(row.process_types) : { redacted_message: hidden },
      relationships: { app: toOneData(row.app_guid) },
      metadata,
      links: {
        self: link(context, self),
        app: link(context, `/v3/apps/${row.app_guid}`),
        ...(row.package_guid !== null && { package: link(context, `/v3/packages/${row.package_guid}`) }),
        assign_current_droplet: link(
          context,
          `/v3/apps/${row.app_guid}/relationships/current_droplet`,
          "PATCH",
        ),
      },
    };
  });
}

const dropletListing: Listing<"droplets", typeof Droplet> = {
  table: "droplets",
  resource: "Droplet",
  shape: Droplet,
  labelled: "droplet",
  filters: { ...appFilters("droplets"), states: column("droplets.state") },
  visible: (call) => appVisible(call, "droplets"),
  // Of one droplet; its commands may hold passwords.
  present: async (call, rows) => {
    const isSeen = rows[0] === undefined || (await seesSecretsOf(call, rows[0].app_guid));
    return presentDroplets(call.context, rows, isSeen ? null : HIDDEN);
  },
};

const redactedListing: typeof dropletListing = {
  ...dropletListing,
  present: ({ context }, rows) => presentDroplets(context, rows, HIDDEN_IN_LISTS),
};

const findDroplet = (call: Call<unknown>) => findRow(call, dropletListing, call.params["guid"] ?? "");

/** @returns its app */
async function demandDroplet(call: Call<unknown>, row: RowOf<"droplets">): Promise<RowOf<"apps">> {
  const app = await findRow(call, appListing, row.app_guid);
  await demandApp(call, "app.write", app);
  return app;
}

export async function deleteDroplet(db: Writer, guid: string): Promise<void> {
  await deleteMetadata(db, "droplet", [guid]);
  await db.deleteFrom("droplets").where("guid", "=", guid).execute();
}

const ofApp = async (call: Call) => {
  const app = await findRow(call, appListing, call.params["guid"] ?? "");
  return sql<boolean>`droplets.app_guid = ${app.guid}`;
};

export const droplets: readonly Endpoint[] = [
  listEndpoint("/v3/droplets", "Lists droplets.", redactedListing),
  showEndpoint("/v3/droplets/:guid", "Shows a droplet.", dropletListing),
  listEndpoint("/v3/apps/:guid/droplets", "Lists an app's droplets.", redactedListing, ofApp),
  listEndpoint(
    "/v3/packages/:guid/droplets",
    "Lists the droplets made of a package.",
    redactedListing,
    async (call) => {
      const { guid } = await findRow(call, packageListing, call.params["guid"] ?? "");
      return sql<boolean>`droplets.package_guid = ${guid}`;
    },
  ),
  defineEndpoint({
    method: "GET",
    path: "/v3/apps/:guid/droplets/current",
    summary: "Shows the droplet an app runs.",
    access: "read",
    answers: { 200: Droplet },
    handle: async (call) => {
      const app = await findRow(call, appListing, call.params["guid"] ?? "");
      if (app.current_droplet_guid === null) throw resourceNotFound({ resource: "Droplet" });
      const droplet = await findRow(call, dropletListing, app.current_droplet_guid);
      return ok(await presentRow(call, dropletListing, droplet));
    },
  }),
  metadataEndpoint("/v3/droplets/:guid", "Changes a droplet's metadata.", dropletListing, demandDroplet),
  defineEndpoint({
    method: "DELETE",
    path: "/v3/droplets/:guid",
    summary: "Deletes a droplet that is not the current one of its app.",
    access: "write",
    answers: JOB,
    handle: async (call) => {
      const droplet = await findDroplet(call);
      const app = await demandDroplet(call, droplet);
      const job = { operation: "droplet.delete", resourceType: "droplet", resourceGuid: droplet.guid };
      return asJob(call.context, job, async (db) => {
        const user = await db
          .selectFrom("apps")
          .select("name")
          .where("current_droplet_guid", "=", droplet.guid)
          .executeTakeFirst();
        if (user !== undefined) {
          refuse(`Droplet is the current one of app '${user.name}'; assign another one first.`);
        }
        const data = { droplet_guid: droplet.guid };
        await recordEvent(db, call, { type: "audit.app.droplet.delete", target: app, data });
        await deleteDroplet(db, droplet.guid);
      });
    },
  }),
];
