/** Route service bindings: every request for the route goes through the service first. */
import { sql } from "kysely";
import { type Static, Type } from "typebox";
import { newGuid } from "../../kernel/index.ts";
import {
  parametersNotSupported,
  routeAlreadyBound,
  unprocessable,
} from "../../kernel/errors/cloud-controller.ts";
import { encodeJson, type RowOf } from "../../store/index.ts";
import { recordEvent } from "../audit.ts";
import type { Writer } from "../context.ts";
import { type Call, created, defineEndpoint, type Endpoint, noContent } from "../endpoint.ts";
import { column, findRow, includeOf, type Listing, listEndpoint, presentNow, showEndpoint } from "../list.ts";
import { deleteMetadata, Metadata, writeMetadata } from "../metadata.ts";
import { metadataEndpoint } from "../metadata-endpoint.ts";
import { routeVisible, spaceVisible } from "../permissions.ts";
import { head, lastOperation, link, toOneData, withMetadata } from "../present.ts";
import { refuse, unlessTaken } from "../refuse.ts";
import { message, toOne } from "../schema.ts";
import { LastOperation, linksTo, MetadataShape, orNull, part, resource, ToOne } from "../shape.ts";
import { routeListing } from "./routes.ts";
import {
  demandInstance,
  findToBind,
  instanceOfBinding,
  refuseParameters,
  tellOfRoutes,
} from "./service-instances.ts";

// --- messages ---

const CreateBinding = message({
  relationships: message({ service_instance: toOne("service_instance"), route: toOne("route") }),
  parameters: Type.Optional(Type.Unknown()),
  metadata: Type.Optional(Metadata),
});

// --- actions ---

async function createBinding(call: Call<Static<typeof CreateBinding>>): Promise<string> {
  const { context, body } = call;
  const instance = await findToBind(call, body.relationships.service_instance.data.guid);
  await demandInstance(call, "service-route-binding.write", instance);
  const route = await findRoute(call, body.relationships.route.data.guid);
  refuseParameters(body.parameters);
  const guid = newGuid();
  await unlessTaken(
    context.write(async (db, news) => {
      await demandBindable(db, instance, route);
      const now = context.now();
      await db
        .insertInto("service_route_bindings")
        .values({
          guid,
          created_at: now,
          updated_at: now,
          route_guid: route.guid,
          service_instance_guid: instance.guid,
          parameters: encodeJson({}),
        })
        .execute();
      await writeMetadata(db, "service_route_binding", guid, body.metadata);
      await tellOfRoutes(db, news, [route.guid]);
      await recordEvent(db, call, {
        type: "audit.service_route_binding.create",
        target: { guid, name: "", space_guid: instance.space_guid },
        data: { request: body },
      });
    }),
    (cause) => unprocessable({ problems: [BOUND_ELSEWHERE] }, cause),
  );
  return guid;
}

const BOUND_ELSEWHERE = "A route may only be bound to a single service instance";

async function findRoute({ caller, context: { store } }: Call<unknown>, guid: string) {
  const route = await store.db
    .selectFrom("routes")
    .innerJoin("domains", "domains.guid", "routes.domain_guid")
    .selectAll("routes")
    .select("domains.internal")
    .where("routes.guid", "=", guid)
    .where(routeVisible(caller, store))
    .executeTakeFirst();
  return route ?? refuse(`The route could not be found: ${guid}`);
}

/** Upstream's texts in upstream's order. */
async function demandBindable(
  db: Writer,
  instance: RowOf<"service_instances">,
  route: Awaited<ReturnType<typeof findRoute>>,
): Promise<void> {
  if (instance.route_service_url === null) refuse("This service instance does not support route binding");
  if (route.internal === 1) refuse("Route services cannot be bound to internal routes");
  if (route.protocol === "tcp") refuse("Route services cannot be bound to TCP routes");
  if (route.space_guid !== instance.space_guid) {
    refuse("The service instance and the route are in different spaces");
  }
  const bound = await db
    .selectFrom("service_route_bindings")
    .select("service_instance_guid")
    .where("route_guid", "=", route.guid)
    .executeTakeFirst();
  if (bound === undefined) return;
  if (bound.service_instance_guid === instance.guid) throw routeAlreadyBound({});
  refuse(BOUND_ELSEWHERE);
}

async function deleteBinding(call: Call<unknown>, binding: RowOf<"service_route_bindings">): Promise<void> {
  const { space_guid } = await demandBinding(call, binding);
  await call.context.write(async (db, news) => {
    const { guid, route_guid, service_instance_guid } = binding;
    await recordEvent(db, call, {
      type: "audit.service_route_binding.delete",
      target: { guid, name: "", space_guid },
      data: { request: { route_guid, service_instance_guid } },
    });
    await db.deleteFrom("service_route_bindings").where("guid", "=", binding.guid).execute();
    await deleteMetadata(db, "service_route_binding", [binding.guid]);
    await tellOfRoutes(db, news, [binding.route_guid]);
  });
}

/** @returns what it binds the route to */
async function demandBinding(
  call: Call<unknown>,
  binding: RowOf<"service_route_bindings">,
): Promise<Pick<RowOf<"service_instances">, "space_guid">> {
  const instance = await call.context.store.db
    .selectFrom("service_instances")
    .select("space_guid")
    .where("guid", "=", binding.service_instance_guid)
    .executeTakeFirstOrThrow();
  await demandInstance(call, "service-route-binding.write", instance);
  return instance;
}

// --- presenter ---

const Binding = resource("ServiceRouteBinding", {
  route_service_url: orNull(Type.String()),
  last_operation: LastOperation,
  relationships: part({ service_instance: ToOne, route: ToOne }),
  metadata: MetadataShape,
  links: linksTo(["self", "service_instance", "route"]),
});

const bindingListing: Listing<"service_route_bindings", typeof Binding> = {
  table: "service_route_bindings",
  resource: "Service route binding",
  shape: Binding,
  labelled: "service_route_binding",
  filters: {
    route_guids: column("service_route_bindings.route_guid"),
    service_instance_guids: column("service_route_bindings.service_instance_guid"),
    service_instance_names: (values) => sql<boolean>`service_route_bindings.service_instance_guid in (
      select guid from service_instances where name in (${sql.join(values)}))`,
  },
  includes: {
    route: includeOf("routes", routeListing, ({ route_guid }) => route_guid),
    service_instance: instanceOfBinding,
  },
  visible: ({ caller }) => sql<boolean>`service_route_bindings.service_instance_guid in (
    select guid from service_instances where ${spaceVisible(caller, "service_instances.space_guid")})`,
  present: async ({ context }, rows) => {
    if (rows.length === 0) return [];
    const instances = await context.store.db
      .selectFrom("service_instances")
      .select(["guid", "route_service_url"])
      .where("guid", "in", [...new Set(rows.map((row) => row.service_instance_guid))])
      .execute();
    const urlOf = new Map(instances.map((instance) => [instance.guid, instance.route_service_url]));
    return withMetadata(context, "service_route_binding", rows, (row, metadata) => ({
      ...head(row),
      route_service_url: urlOf.get(row.service_instance_guid) ?? null,
      last_operation: lastOperation(row),
      relationships: {
        service_instance: toOneData(row.service_instance_guid),
        route: toOneData(row.route_guid),
      },
      metadata,
      links: {
        self: link(context, `/v3/service_route_bindings/${row.guid}`),
        service_instance: link(context, `/v3/service_instances/${row.service_instance_guid}`),
        route: link(context, `/v3/routes/${row.route_guid}`),
      },
    }));
  },
};

// --- endpoints ---

const findBinding = (call: Call<unknown>) => findRow(call, bindingListing, call.params["guid"] ?? "");

export const serviceRouteBindings: readonly Endpoint[] = [
  listEndpoint("/v3/service_route_bindings", "Lists route service bindings.", bindingListing),
  showEndpoint("/v3/service_route_bindings/:guid", "Shows a route service binding.", bindingListing),
  defineEndpoint({
    method: "POST",
    path: "/v3/service_route_bindings",
    summary: "Sends the requests for a route through a route service.",
    access: "write",
    answers: { 201: Binding },
    refuses: [routeAlreadyBound],
    body: CreateBinding,
    handle: async (call) => created(await presentNow(call, bindingListing, await createBinding(call))),
  }),
  metadataEndpoint(
    "/v3/service_route_bindings/:guid",
    "Changes a route service binding's metadata.",
    bindingListing,
    demandBinding,
  ),
  defineEndpoint({
    method: "DELETE",
    path: "/v3/service_route_bindings/:guid",
    summary: "Takes a route service out of a route's way.",
    access: "write",
    answers: { 204: null },
    handle: async (call) => {
      await deleteBinding(call, await findBinding(call));
      return noContent;
    },
  }),
  defineEndpoint({
    method: "GET",
    path: "/v3/service_route_bindings/:guid/parameters",
    summary: "Refused: only brokers know parameters.",
    access: "read",
    answers: {},
    refuses: [parametersNotSupported],
    handle: async (call) => {
      await findBinding(call);
      throw parametersNotSupported({ of: "binding" });
    },
  }),
];
