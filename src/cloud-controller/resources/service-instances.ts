/** Service instances: user-provided ones, which is what a route service or a log drain needs. There is no broker here. */
import { type Static, Type } from "typebox";
import { newGuid } from "../../kernel/index.ts";
import {
  featureDisabled,
  notAuthorized,
  parametersNotSupported,
  unprocessable,
} from "../../kernel/errors/cloud-controller.ts";
import { decodeJson, encodeJson, type RowOf } from "../../store/index.ts";
import { recordEvent } from "../audit.ts";
import { nothing } from "../condition.ts";
import type { Context, Writer } from "../context.ts";
import { deleteServiceInstances, processesOfRoutes } from "../deletions.ts";
import { type Call, created, defineEndpoint, type Endpoint, noContent, ok } from "../endpoint.ts";
import { demandFeature } from "../feature-flags.ts";
import {
  column,
  findAgain,
  findRow,
  includeOf,
  type Listing,
  listEndpoint,
  presentNow,
  showEndpoint,
} from "../list.ts";
import { Metadata, writeMetadata } from "../metadata.ts";
import type { News } from "../news.ts";
import { demand, may, type Operation, spaceVisible } from "../permissions.ts";
import { head, lastOperation, link, toOneData, withMetadata } from "../present.ts";
import { refuse, unlessTaken } from "../refuse.ts";
import { message, nameOf, nullable, toOne } from "../schema.ts";
import {
  AnyObject,
  LastOperation,
  linksTo,
  MetadataShape,
  oneOf,
  orNull,
  part,
  resource,
  shape,
  type Shown,
  ToOne,
} from "../shape.ts";
import { findSpace, placeOf, spaceInOrganizations } from "./spaces.ts";

// --- messages ---

const MAX_TAGS_LENGTH = 2048;
const Name = nameOf(255);
const Url = nullable(Type.String({ maxLength: 2048 }));
const changeable = {
  credentials: Type.Optional(nullable(Type.Record(Type.String(), Type.Unknown()))),
  syslog_drain_url: Type.Optional(Url),
  route_service_url: Type.Optional(Url),
  tags: Type.Optional(Type.Array(Type.String(), { refusal: "must be a list of strings" })),
  metadata: Type.Optional(Metadata),
};
const CreateInstance = message({
  type: Type.Enum(["managed", "user-provided"], { refusal: "must be one of 'managed', 'user-provided'" }),
  name: Name,
  relationships: message({ space: toOne("space"), service_plan: Type.Optional(toOne("service_plan")) }),
  parameters: Type.Optional(Type.Unknown()),
  ...changeable,
});
const UpdateInstance = message({ name: Type.Optional(Name), ...changeable });
type Changes = Static<typeof UpdateInstance>;

function instanceProblems({
  syslog_drain_url: drain,
  route_service_url: routeService,
  tags,
}: Changes): string[] {
  const problems: string[] = [];
  if (drain && !URL.canParse(drain)) problems.push("Syslog drain url must be a valid URI");
  if (routeService) {
    if (!URL.canParse(routeService)) problems.push("Route service url must be a valid URI");
    else if (new URL(routeService).protocol !== "https:") {
      problems.push("Scheme for route_service_url must be https.");
    }
  }
  if (tags !== undefined && tags.join("").length > MAX_TAGS_LENGTH) {
    problems.push(`Tags combined length cannot exceed ${MAX_TAGS_LENGTH} characters`);
  }
  return problems;
}

// --- actions ---

async function createInstance(call: Call<Static<typeof CreateInstance>>): Promise<string> {
  const { context, caller, body } = call;
  const { db } = context.store;
  await demandFeature(db, caller, "service_instance_creation");
  const space = await findSpace(call, body.relationships.space.data.guid);
  await demand(db, caller, "service-instance.write", placeOf(space));
  if (body.type === "managed") {
    refuse(
      "Invalid service plan. Ensure that the service plan exists, is available, and you have access to it.",
    );
  }
  const guid = newGuid();
  await unlessNameTaken(
    body.name,
    context.write(async (db) => {
      const now = context.now();
      await db
        .insertInto("service_instances")
        .values({
          guid,
          created_at: now,
          updated_at: now,
          name: body.name,
          space_guid: space.guid,
          type: "user-provided",
          route_service_url: body.route_service_url || null,
          syslog_drain_url: body.syslog_drain_url || null,
          credentials: encodeJson(body.credentials ?? {}),
          tags: encodeJson(body.tags ?? []),
        })
        .execute();
      await writeMetadata(db, "service_instance", guid, body.metadata);
      const target = { guid, name: body.name, space_guid: space.guid };
      await recordEvent(db, call, {
        type: "audit.user_provided_service_instance.create",
        target,
        data: { request: body },
      });
    }),
  );
  return guid;
}

async function updateInstance(call: Call<Changes>, instance: RowOf<"service_instances">): Promise<void> {
  const { context, body } = call;
  await demandInstance(call, "service-instance.write", instance);
  await unlessNameTaken(
    body.name ?? instance.name,
    context.write(async (db, news) => {
      const current = await findAgain(db, serviceInstanceListing, instance.guid);
      const { name = current.name, credentials, tags } = body;
      const routeServiceUrl =
        body.route_service_url === undefined ? current.route_service_url : body.route_service_url || null;
      const drainUrl =
        body.syslog_drain_url === undefined ? current.syslog_drain_url : body.syslog_drain_url || null;
      const routes = await boundRoutes(db, instance.guid);
      // Requests would go past a service that may be there to check them.
      if (routeServiceUrl === null && routes.length > 0) {
        refuse(
          "The route service URL cannot be removed while routes are bound to it. Unbind the routes first.",
        );
      }
      await db
        .updateTable("service_instances")
        .set({
          name,
          route_service_url: routeServiceUrl,
          syslog_drain_url: drainUrl,
          ...(credentials !== undefined && { credentials: encodeJson(credentials ?? {}) }),
          ...(tags !== undefined && { tags: encodeJson(tags) }),
          updated_at: context.now(),
        })
        .where("guid", "=", instance.guid)
        .execute();
      await writeMetadata(db, "service_instance", instance.guid, body.metadata);
      await recordEvent(db, call, {
        type: "audit.user_provided_service_instance.update",
        target: { ...current, name },
        data: { request: body },
      });
      if (routeServiceUrl !== current.route_service_url) await tellOfRoutes(db, news, routes);
    }),
  );
}

const unlessNameTaken = (name: string, write: Promise<void>) =>
  unlessTaken(write, (cause) =>
    unprocessable({ problems: [`The service instance name is taken: ${name}.`] }, cause),
  );

async function boundRoutes(db: Writer, instanceGuid: string): Promise<readonly string[]> {
  const bindings = await db
    .selectFrom("service_route_bindings")
    .select("route_guid")
    .where("service_instance_guid", "=", instanceGuid)
    .execute();
  return bindings.map((binding) => binding.route_guid);
}

/**
 * The instance that a body names to be bound.
 * @throws unprocessable when there is none, or the caller may not see it
 */
export async function findToBind(
  { caller, context: { store } }: Call<unknown>,
  guid: string,
): Promise<RowOf<"service_instances">> {
  const instance = await store.db
    .selectFrom("service_instances")
    .selectAll()
    .where("guid", "=", guid)
    .where(spaceVisible(caller, "service_instances.space_guid"))
    .executeTakeFirst();
  return instance ?? refuse(`The service instance could not be found: ${guid}`);
}

/** Upstream's words for what only brokers could pass on. */
export function refuseParameters(parameters: unknown): void {
  if (parameters !== undefined) {
    refuse("Binding parameters are not supported for user-provided service instances");
  }
}

/** A route's service is part of its reservation and of what the emitter knows of its processes. */
export async function tellOfRoutes(db: Writer, news: News, guids: readonly string[]): Promise<void> {
  if (guids.length === 0) return;
  for (const guid of guids) news.route(guid);
  for (const process of await processesOfRoutes(db, guids)) news.process(process);
}

export async function demandInstance(
  call: Call<unknown>,
  operation: Operation,
  instance: Pick<RowOf<"service_instances">, "space_guid">,
): Promise<void> {
  await demand(call.context.store.db, call.caller, operation, await placeOfInstance(call, instance));
}

async function placeOfInstance(
  call: Call<unknown>,
  instance: Pick<RowOf<"service_instances">, "space_guid">,
) {
  const space = await call.context.store.db
    .selectFrom("spaces")
    .select(["guid", "organization_guid"])
    .where("guid", "=", instance.space_guid)
    .executeTakeFirstOrThrow();
  return placeOf(space);
}

async function demandCredentials(call: Call<unknown>, instance: RowOf<"service_instances">): Promise<void> {
  const { context, caller } = call;
  if (caller.seesSecrets) return;
  const place = await placeOfInstance(call, instance);
  if (!(await may(context.store.db, caller, "service-instance.read-credentials", place)))
    throw notAuthorized({});
}

// --- presenter ---

const ServiceInstance = resource("ServiceInstance", {
  name: Type.String(),
  tags: Type.Array(Type.String()),
  type: oneOf("user-provided", "managed"),
  last_operation: LastOperation,
  syslog_drain_url: orNull(Type.String()),
  route_service_url: orNull(Type.String()),
  relationships: part({ space: ToOne }),
  metadata: MetadataShape,
  links: linksTo(["self", "space", "service_credential_bindings", "service_route_bindings", "credentials"]),
});

const Permissions = shape("ServiceInstancePermissions", { read: Type.Boolean(), manage: Type.Boolean() });

async function presentInstances(
  context: Context,
  rows: readonly RowOf<"service_instances">[],
): Promise<Shown<typeof ServiceInstance>[]> {
  return withMetadata(context, "service_instance", rows, (row, metadata) => ({
    ...head(row),
    name: row.name,
    tags: decodeJson(row.tags),
    type: row.type,
    last_operation: lastOperation(row),
    syslog_drain_url: row.syslog_drain_url,
    route_service_url: row.route_service_url,
    relationships: { space: toOneData(row.space_guid) },
    metadata,
    links: {
      self: link(context, `/v3/service_instances/${row.guid}`),
      space: link(context, `/v3/spaces/${row.space_guid}`),
      service_credential_bindings: link(
        context,
        `/v3/service_credential_bindings?service_instance_guids=${row.guid}`,
      ),
      service_route_bindings: link(context, `/v3/service_route_bindings?service_instance_guids=${row.guid}`),
      credentials: link(context, `/v3/service_instances/${row.guid}/credentials`),
    },
  }));
}

export const serviceInstanceListing: Listing<"service_instances", typeof ServiceInstance> = {
  table: "service_instances",
  resource: "Service instance",
  shape: ServiceInstance,
  labelled: "service_instance",
  filters: {
    names: column("service_instances.name"),
    type: column("service_instances.type"),
    space_guids: column("service_instances.space_guid"),
    organization_guids: spaceInOrganizations("service_instances.space_guid"),
    // No instance here has a plan.
    service_plan_guids: () => nothing,
    service_plan_names: () => nothing,
  },
  orderBy: ["name"],
  // `fields[service_plan]=…` adds plans, offerings and brokers to the answer; there are none.
  otherParameters: ["fields"],
  visible: ({ caller }) => spaceVisible(caller, "service_instances.space_guid"),
  present: ({ context }, rows) => presentInstances(context, rows),
};

/** `include=service_instance` of what is bound to one. */
export const instanceOfBinding = includeOf(
  "service_instances",
  serviceInstanceListing,
  (binding: { readonly service_instance_guid: string }) => binding.service_instance_guid,
);

// --- endpoints ---

const findInstance = (call: Call<unknown>) =>
  findRow(call, serviceInstanceListing, call.params["guid"] ?? "");

export const serviceInstances: readonly Endpoint[] = [
  listEndpoint("/v3/service_instances", "Lists service instances.", serviceInstanceListing),
  showEndpoint("/v3/service_instances/:guid", "Shows a service instance.", serviceInstanceListing),
  defineEndpoint({
    method: "POST",
    path: "/v3/service_instances",
    summary: "Creates a user-provided service instance.",
    access: "write",
    answers: { 201: ServiceInstance },
    refuses: [featureDisabled],
    body: CreateInstance,
    check: instanceProblems,
    handle: async (call) =>
      created(await presentNow(call, serviceInstanceListing, await createInstance(call))),
  }),
  defineEndpoint({
    method: "PATCH",
    path: "/v3/service_instances/:guid",
    summary: "Changes a service instance.",
    access: "write",
    answers: { 200: ServiceInstance },
    body: UpdateInstance,
    check: instanceProblems,
    handle: async (call) => {
      const instance = await findInstance(call);
      await updateInstance(call, instance);
      return ok(await presentNow(call, serviceInstanceListing, instance.guid));
    },
  }),
  defineEndpoint({
    method: "DELETE",
    path: "/v3/service_instances/:guid",
    summary: "Deletes a service instance with its bindings.",
    access: "write",
    answers: { 204: null },
    parameters: ["purge"],
    handle: async (call) => {
      const instance = await findInstance(call);
      await demandInstance(call, "service-instance.write", instance);
      await call.context.write(async (db, news) => {
        const type = "audit.user_provided_service_instance.delete";
        await recordEvent(db, call, { type, target: instance, data: {} });
        await deleteServiceInstances(db, news, [instance.guid]);
      });
      return noContent;
    },
  }),
  defineEndpoint({
    method: "GET",
    path: "/v3/service_instances/:guid/credentials",
    summary: "Shows the credentials of a user-provided service instance.",
    access: "read",
    answers: { 200: AnyObject },
    handle: async (call) => {
      const instance = await findInstance(call);
      await demandCredentials(call, instance);
      return ok(decodeJson(instance.credentials));
    },
  }),
  defineEndpoint({
    method: "GET",
    path: "/v3/service_instances/:guid/permissions",
    summary: "Says what one may do with a service instance.",
    access: "read",
    answers: { 200: Permissions },
    handle: async (call) => {
      const place = await placeOfInstance(call, await findInstance(call));
      const manage = await may(call.context.store.db, call.caller, "service-instance.write", place);
      return ok({ read: true, manage });
    },
  }),
  defineEndpoint({
    method: "GET",
    path: "/v3/service_instances/:guid/parameters",
    summary: "Refused: only brokers know parameters.",
    access: "read",
    answers: {},
    refuses: [parametersNotSupported],
    handle: async (call) => {
      await findInstance(call);
      throw parametersNotSupported({ of: "instance" });
    },
  }),
];
