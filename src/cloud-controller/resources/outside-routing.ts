/**
 * What Cloud Foundry has besides routing, as a small foundation shows it: one stack, and lists that are empty. Clients
 * ask for these on their way to something else, so they get an answer and not an error.
 */
import { Type } from "typebox";
import { resourceNotFound } from "../../kernel/errors/cloud-controller.ts";
import { type Call, defineEndpoint, type Endpoint, ok } from "../endpoint.ts";
import { findRow, onePage, readValues } from "../list.ts";
import { head, link } from "../present.ts";
import { refuse } from "../refuse.ts";
import { linksTo, listOf, MetadataShape, Nothing, oneOf, resource, shape, type Shown } from "../shape.ts";
import { appListing, demandApp } from "./apps.ts";
import { spaceListing } from "./spaces.ts";

const PAGING = ["page", "per_page", "order_by"];
const GENERAL = [...PAGING, "guids", "created_ats", "updated_ats", "label_selector"];

// --- the one stack ---

const STACK = {
  guid: "f3c0a5a4-6d1f-4c39-9a5d-7c7c1f6b0d04",
  created_at: "2026-01-01T00:00:00.000Z",
  updated_at: "2026-01-01T00:00:00.000Z",
};
const STACK_NAME = "cflinuxfs4";

const Stack = resource("Stack", {
  name: Type.String(),
  description: Type.String(),
  default: Type.Boolean(),
  build_rootfs_image: Type.String(),
  run_rootfs_image: Type.String(),
  metadata: MetadataShape,
  links: linksTo(["self"]),
});

function presentStack({ context }: Call): Shown<typeof Stack> {
  return {
    ...head(STACK),
    name: STACK_NAME,
    description: "The machine's own system; nothing is put between it and an app",
    default: true,
    build_rootfs_image: STACK_NAME,
    run_rootfs_image: STACK_NAME,
    metadata: { labels: {}, annotations: {} },
    links: { self: link(context, `/v3/stacks/${STACK.guid}`) },
  };
}

const stacks: readonly Endpoint[] = [
  defineEndpoint({
    method: "GET",
    path: "/v3/stacks",
    summary: "Lists stacks: there is one.",
    access: "read",
    answers: { 200: listOf(Stack) },
    parameters: [...GENERAL, "names", "default"],
    handle: async (call) => {
      const isAsked = (name: string, value: string) =>
        call.query[name] === undefined || readValues(call.query[name]).includes(value);
      const isWanted = isAsked("names", STACK_NAME) && isAsked("guids", STACK.guid);
      return ok(onePage(call, isWanted ? [presentStack(call)] : []));
    },
  }),
  defineEndpoint({
    method: "GET",
    path: "/v3/stacks/:guid",
    summary: "Shows a stack.",
    access: "read",
    answers: { 200: Stack },
    handle: async (call) => {
      if (call.params["guid"] !== STACK.guid) throw resourceNotFound({ resource: "Stack" });
      return ok(presentStack(call));
    },
  }),
];

// --- lists of nothing ---

interface EmptyCollection {
  readonly name: string;
  /** As in «Buildpack not found». */
  readonly resource: string;
  readonly filters: readonly string[];
}

const SERVICE_FILTERS = ["names", "available", "service_broker_guids", "service_broker_names", "fields"];

const COLLECTIONS: readonly EmptyCollection[] = [
  { name: "app_usage_events", resource: "App usage event", filters: ["after_guid"] },
  { name: "buildpacks", resource: "Buildpack", filters: ["names", "stacks", "lifecycle"] },
  {
    name: "route_policies",
    resource: "Route policy",
    filters: ["route_guids", "space_guids", "sources", "include"],
  },
  {
    name: "security_groups",
    resource: "Security group",
    filters: [
      "names",
      "globally_enabled_running",
      "globally_enabled_staging",
      "running_space_guids",
      "staging_space_guids",
    ],
  },
  { name: "service_brokers", resource: "Service broker", filters: ["names", "space_guids"] },
  {
    name: "service_offerings",
    resource: "Service offering",
    filters: [...SERVICE_FILTERS, "space_guids", "organization_guids"],
  },
  {
    name: "service_plans",
    resource: "Service plan",
    filters: [
      ...SERVICE_FILTERS,
      "service_offering_guids",
      "service_offering_names",
      "service_instance_guids",
      "broker_catalog_ids",
      "space_guids",
      "organization_guids",
      "include",
    ],
  },
  {
    name: "service_usage_events",
    resource: "Service usage event",
    filters: ["after_guid", "service_instance_types", "service_offering_guids"],
  },
  {
    name: "tasks",
    resource: "Task",
    filters: ["names", "states", "app_guids", "space_guids", "organization_guids"],
  },
];

const empty = ({ name, resource, filters }: EmptyCollection): Endpoint[] => [
  defineEndpoint({
    method: "GET",
    path: `/v3/${name}`,
    summary: "Outside routing: lists nothing.",
    access: "read",
    answers: { 200: listOf(Nothing) },
    parameters: [...GENERAL, ...filters],
    handle: async (call) => ok(onePage(call, [])),
  }),
  defineEndpoint({
    method: "GET",
    path: `/v3/${name}/:guid`,
    summary: "Outside routing: there is none.",
    access: "read",
    answers: {},
    parameters: filters.filter((filter) => filter === "include" || filter === "fields"),
    handle: async () => {
      throw resourceNotFound({ resource });
    },
  }),
];

/** A list of nothing below something that has to be there. */
const emptyBelow = (
  path: string,
  filters: readonly string[],
  find: (call: Call, guid: string) => Promise<unknown>,
): Endpoint =>
  defineEndpoint({
    method: "GET",
    path,
    summary: "Outside routing: lists nothing.",
    access: "read",
    answers: { 200: listOf(Nothing) },
    parameters: [...GENERAL, ...filters],
    handle: async (call) => {
      await find(call, call.params["guid"] ?? "");
      return ok(onePage(call, []));
    },
  });

const inSpace = (call: Call, guid: string) => findRow(call, spaceListing, guid);
const ofApp = (call: Call, guid: string) => findRow(call, appListing, guid);

async function ofProcess(call: Call, guid: string): Promise<unknown> {
  const process = await call.context.store.db
    .selectFrom("processes")
    .select("app_guid")
    .where("guid", "=", guid)
    .executeTakeFirst();
  if (process === undefined) throw resourceNotFound({ resource: "Process" });
  return ofApp(call, process.app_guid);
}

// --- single things ---

const SSH = { name: "ssh", description: "Enable SSHing into apps in the space.", enabled: false };

const SpaceFeature = shape("SpaceFeature", {
  name: oneOf<string>(SSH.name),
  description: Type.String(),
  enabled: Type.Boolean(),
});
const SpaceFeatures = shape("SpaceFeatures", { features: Type.Array(SpaceFeature) });

const spaceFeatures: readonly Endpoint[] = [
  defineEndpoint({
    method: "GET",
    path: "/v3/spaces/:guid/features",
    summary: "Lists what may be switched on in a space.",
    access: "read",
    answers: { 200: SpaceFeatures },
    handle: async (call) => {
      await inSpace(call, call.params["guid"] ?? "");
      return ok({ features: [SSH] });
    },
  }),
  defineEndpoint({
    method: "GET",
    path: "/v3/spaces/:guid/features/:name",
    summary: "Shows whether something is switched on in a space.",
    access: "read",
    answers: { 200: SpaceFeature },
    handle: async (call) => {
      await inSpace(call, call.params["guid"] ?? "");
      if (call.params["name"] !== SSH.name) throw resourceNotFound({ resource: "Feature" });
      return ok(SSH);
    },
  }),
  defineEndpoint({
    method: "PATCH",
    path: "/v3/spaces/:guid/features/:name",
    summary: "Refused: nothing can be switched on in a space.",
    access: "write",
    answers: {},
    handle: async (call) => {
      await inSpace(call, call.params["guid"] ?? "");
      if (call.params["name"] !== SSH.name) throw resourceNotFound({ resource: "Feature" });
      return refuse("SSH cannot be allowed: there is no way into an instance of an app.");
    },
  }),
];

// --- what cannot be made ---

const REFUSALS = [
  ["POST", "/v3/buildpacks", "Buildpacks cannot be added: how an app starts is read from its files."],
  ["POST", "/v3/droplets", "Droplets cannot be made by hand: a build makes one of a package."],
  [
    "POST",
    "/v3/route_policies",
    "Route policies cannot be made: the route option allowed-ranges says who may call.",
  ],
  ["POST", "/v3/security_groups", "Security groups cannot be made: apps reach what their machine reaches."],
  [
    "POST",
    "/v3/service_brokers",
    "Service brokers cannot be registered: service instances are user-provided.",
  ],
  ["PATCH", "/v3/stacks/:guid", "The stack cannot be changed: it is the machine itself."],
] as const;

const refusals: readonly Endpoint[] = REFUSALS.map(([method, path, sentence]) =>
  defineEndpoint({
    method,
    path,
    summary: "Outside routing: refused with a sentence.",
    access: "write",
    answers: {},
    handle: async () => refuse(sentence),
  }),
);

const tasks: readonly Endpoint[] = [
  defineEndpoint({
    method: "POST",
    path: "/v3/apps/:guid/tasks",
    summary: "Refused: there are processes only.",
    access: "write",
    answers: {},
    handle: async (call) => {
      const app = await ofApp(call, call.params["guid"] ?? "");
      await demandApp(call, "app.write", app);
      return refuse(`App '${app.name}' cannot run tasks: this foundation runs the processes of apps only.`);
    },
  }),
  // The second is what the cf CLI calls.
  ...(
    [
      ["POST", "/v3/tasks/:guid/actions/cancel"],
      ["PUT", "/v3/tasks/:guid/cancel"],
    ] as const
  ).map(([method, path]) =>
    defineEndpoint({
      method,
      path,
      summary: "Outside routing: there is none.",
      access: "write",
      answers: {},
      handle: async () => {
        throw resourceNotFound({ resource: "Task" });
      },
    }),
  ),
];

export const outsideRouting: readonly Endpoint[] = [
  ...stacks,
  ...COLLECTIONS.flatMap(empty),
  emptyBelow("/v3/spaces/:guid/running_security_groups", ["names"], inSpace),
  emptyBelow("/v3/spaces/:guid/staging_security_groups", ["names"], inSpace),
  emptyBelow("/v3/apps/:guid/tasks", ["names", "states", "sequence_ids"], ofApp),
  ...tasks,
  ...refusals,
  emptyBelow("/v3/apps/:guid/sidecars", [], ofApp),
  emptyBelow("/v3/apps/:guid/revisions", ["versions"], ofApp),
  emptyBelow("/v3/apps/:guid/revisions/deployed", ["versions"], ofApp),
  emptyBelow("/v3/processes/:guid/sidecars", [], ofProcess),
  ...spaceFeatures,
];
