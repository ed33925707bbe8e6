/** Service credential bindings: an app finds a service's credentials in its environment. */
import { sql } from "kysely";
import { type Static, Type } from "typebox";
import { notAuthorized, unprocessable } from "../../kernel/errors/cloud-controller.ts";
import { decodeJson, type RowOf } from "../../store/index.ts";
import { recordEvent } from "../audit.ts";
import { insertBinding } from "../app-services.ts";
import { everything, nothing } from "../condition.ts";
import type { Context } from "../context.ts";
import { type Call, created, defineEndpoint, type Endpoint, noContent, ok } from "../endpoint.ts";
import {
  column,
  type Filter,
  findRow,
  includeOf,
  type Listing,
  listEndpoint,
  presentNow,
  showEndpoint,
} from "../list.ts";
import { deleteMetadata, Metadata, writeMetadata } from "../metadata.ts";
import { metadataEndpoint } from "../metadata-endpoint.ts";
import { spaceVisible } from "../permissions.ts";
import { head, lastOperation, link, toOneData, withMetadata } from "../present.ts";
import { refuse, unlessTaken } from "../refuse.ts";
import { message, nullable, toOne } from "../schema.ts";
import {
  AnyObject,
  LastOperation,
  linksTo,
  MetadataShape,
  Nothing,
  oneOf,
  orNull,
  part,
  resource,
  shape,
  type Shown,
  ToOne,
} from "../shape.ts";
import { appListing, demandApp, demandEnvironment } from "./apps.ts";
import { appVisible } from "./app-rows.ts";
import { findToBind, instanceOfBinding, refuseParameters } from "./service-instances.ts";

// --- messages ---

const CreateBinding = message({
  type: Type.Enum(["app", "key"], { refusal: "must be one of 'app', 'key'" }),
  name: Type.Optional(nullable(Type.String({ minLength: 1, maxLength: 255 }))),
  relationships: message({
    service_instance: toOne("service_instance"),
    app: Type.Optional(toOne("app")),
  }),
  parameters: Type.Optional(Type.Unknown()),
  metadata: Type.Optional(Metadata),
});

// --- actions ---

async function createBinding(call: Call<Static<typeof CreateBinding>>): Promise<string> {
  const { context, caller, body } = call;
  const { db } = context.store;
  if (body.type === "key") {
    refuse(
      "Service credential bindings of type 'key' are not supported for user-provided service instances.",
    );
  }
  refuseParameters(body.parameters);
  const instance = await findToBind(call, body.relationships.service_instance.data.guid);
  const appGuid = body.relationships.app?.data.guid ?? refuse("Relationships App can't be blank");
  const app = await db
    .selectFrom("apps")
    .selectAll()
    .where("guid", "=", appGuid)
    .where(spaceVisible(caller, "apps.space_guid"))
    .executeTakeFirst();
  if (app === undefined) refuse(`The app could not be found: ${appGuid}`);
  await demandApp(call, "app.write", app);
  if (app.space_guid !== instance.space_guid) {
    refuse("The service instance and the app are in different spaces");
  }
  let guid = "";
  await unlessTaken(
    context.write(async (db) => {
      guid = await insertBinding(db, call, { app: app.guid, instance, name: body.name ?? null });
      await writeMetadata(db, "service_credential_binding", guid, body.metadata);
    }),
    (cause) => unprocessable({ problems: ["The app is already bound to the service instance"] }, cause),
  );
  return guid;
}

const appOf = (call: Call<unknown>, binding: RowOf<"service_credential_bindings">) =>
  findRow(call, appListing, binding.app_guid);

// --- presenter ---

const named =
  (table: "apps" | "service_instances", key: "app_guid" | "service_instance_guid"): Filter =>
  (values) =>
    sql<boolean>`${sql.ref(`service_credential_bindings.${key}`)} in (
    select guid from ${sql.table(table)} where name in (${sql.join(values)}))`;

const Binding = resource("ServiceCredentialBinding", {
  name: orNull(Type.String()),
  type: oneOf("app"),
  last_operation: LastOperation,
  relationships: part({ app: ToOne, service_instance: ToOne }),
  metadata: MetadataShape,
  links: linksTo(["self", "details", "app", "service_instance"]),
});

const BindingDetails = shape("ServiceCredentialBindingDetails", {
  credentials: AnyObject,
  syslog_drain_url: orNull(Type.String()),
  volume_mounts: Type.Array(Nothing),
});

async function presentBindings(
  context: Context,
  rows: readonly RowOf<"service_credential_bindings">[],
): Promise<Shown<typeof Binding>[]> {
  return withMetadata(context, "service_credential_binding", rows, (row, metadata) => {
    const self = `/v3/service_credential_bindings/${row.guid}`;
    return {
      ...head(row),
      name: row.name,
      type: "app",
      last_operation: lastOperation(row),
      relationships: {
        app: toOneData(row.app_guid),
        service_instance: toOneData(row.service_instance_guid),
      },
      metadata,
      links: {
        self: link(context, self),
        details: link(context, `${self}/details`),
        app: link(context, `/v3/apps/${row.app_guid}`),
        service_instance: link(context, `/v3/service_instances/${row.service_instance_guid}`),
      },
    };
  });
}

const bindingListing: Listing<"service_credential_bindings", typeof Binding> = {
  table: "service_credential_bindings",
  resource: "Service credential binding",
  shape: Binding,
  labelled: "service_credential_binding",
  filters: {
    names: column("service_credential_bindings.name"),
    type: (values) => (values.includes("app") ? everything : nothing),
    app_guids: column("service_credential_bindings.app_guid"),
    app_names: named("apps", "app_guid"),
    service_instance_guids: column("service_credential_bindings.service_instance_guid"),
    service_instance_names: named("service_instances", "service_instance_guid"),
    // User-provided instances have neither plan nor offering.
    service_plan_guids: () => nothing,
    service_plan_names: () => nothing,
    service_offering_guids: () => nothing,
    service_offering_names: () => nothing,
  },
  includes: {
    app: includeOf("apps", appListing, ({ app_guid }) => app_guid),
    service_instance: instanceOfBinding,
  },
  visible: (call) => appVisible(call, "service_credential_bindings"),
  present: ({ context }, rows) => presentBindings(context, rows),
};

// --- endpoints ---

const findBinding = (call: Call<unknown>) => findRow(call, bindingListing, call.params["guid"] ?? "");

export const serviceCredentialBindings: readonly Endpoint[] = [
  listEndpoint("/v3/service_credential_bindings", "Lists bindings of apps to services.", bindingListing),
  showEndpoint("/v3/service_credential_bindings/:guid", "Shows a binding of an app.", bindingListing),
  defineEndpoint({
    method: "POST",
    path: "/v3/service_credential_bindings",
    summary: "Binds an app to a service instance, from its next start on.",
    access: "write",
    answers: { 201: Binding },
    body: CreateBinding,
    handle: async (call) => created(await presentNow(call, bindingListing, await createBinding(call))),
  }),
  defineEndpoint({
    method: "GET",
    path: "/v3/service_credential_bindings/:guid/details",
    summary: "Shows the credentials of a binding.",
    access: "read",
    answers: { 200: BindingDetails },
    handle: async (call) => {
      const binding = await findBinding(call);
      await demandEnvironment(call, await appOf(call, binding));
      const instance = await call.context.store.db
        .selectFrom("service_instances")
        .select(["credentials", "syslog_drain_url"])
        .where("guid", "=", binding.service_instance_guid)
        .executeTakeFirst();
      if (instance === undefined) throw notAuthorized({});
      return ok({
        credentials: decodeJson(instance.credentials),
        syslog_drain_url: instance.syslog_drain_url,
        volume_mounts: [],
      });
    },
  }),
  metadataEndpoint(
    "/v3/service_credential_bindings/:guid",
    "Changes a binding's metadata.",
    bindingListing,
    async (call, binding) => demandApp(call, "app.write", await appOf(call, binding)),
  ),
  defineEndpoint({
    method: "DELETE",
    path: "/v3/service_credential_bindings/:guid",
    summary: "Unbinds an app from a service instance, from its next start on.",
    access: "write",
    answers: { 204: null },
    handle: async (call) => {
      const binding = await findBinding(call);
      const app = await appOf(call, binding);
      await demandApp(call, "app.write", app);
      await call.context.write(async (db) => {
        await recordEvent(db, call, {
          type: "audit.service_binding.delete",
          // An app and what it is bound to are in one space.
          target: { guid: binding.guid, name: binding.name ?? "", space_guid: app.space_guid },
          data: { request: { app_guid: app.guid, service_instance_guid: binding.service_instance_guid } },
        });
        await deleteMetadata(db, "service_credential_binding", [binding.guid]);
        await db.deleteFrom("service_credential_bindings").where("guid", "=", binding.guid).execute();
      });
      return noContent;
    },
  }),
];
