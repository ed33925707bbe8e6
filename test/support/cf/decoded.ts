/**
 * What the `cf` program decodes of an answer. Its language is strict: a number where it expects a text ends the command,
 * so a field may be absent or null, but never of another type. Fields with a «!» it cannot do without.
 */
import assert from "node:assert/strict";

type Kind = "text" | "number" | "flag" | "time" | "texts" | "any" | readonly [Kind] | Fields;
interface Fields {
  readonly [field: string]: Kind;
}

const toOne = { data: { guid: "text" } } as const;
const toMany = { data: [{ guid: "text" }] } as const;
const metadata = { labels: "texts", annotations: "texts" } as const;
const named = { "guid!": "text", "name!": "text", metadata } as const;
const limits = {
  apps: {
    total_memory_in_mb: "number",
    per_process_memory_in_mb: "number",
    total_instances: "number",
    log_rate_limit_in_bytes_per_second: "number",
  },
  services: { paid_services_allowed: "flag", total_service_instances: "number" },
  routes: { total_routes: "number", total_reserved_ports: "number" },
} as const;
const healthCheck = {
  type: "text",
  data: { endpoint: "text", invocation_timeout: "number", interval: "number", timeout: "number" },
} as const;
const destination = {
  "guid!": "text",
  "app!": { "guid!": "text", "process!": { "type!": "text" } },
  port: "number",
  protocol: "text",
} as const;

/** Collection → what is read of each of its resources. */
const READ: Readonly<Record<string, Fields>> = {
  organizations: { ...named, relationships: { quota: toOne } },
  spaces: { ...named, relationships: { organization: toOne } },
  domains: {
    ...named,
    internal: "flag",
    router_group: { guid: "text" },
    supported_protocols: ["text"],
    relationships: { organization: toOne, shared_organizations: toMany },
  },
  routes: {
    "guid!": "text",
    protocol: "text",
    host: "text",
    path: "text",
    port: "number",
    "url!": "text",
    "destinations!": [destination],
    options: "texts",
    metadata,
    "relationships!": { "space!": toOne, "domain!": toOne },
  },
  destinations: destination,
  apps: {
    ...named,
    "state!": "text",
    "lifecycle!": { "type!": "text", data: { buildpacks: ["text"], stack: "text" } },
    relationships: { space: toOne, current_droplet: toOne },
  },
  processes: {
    "guid!": "text",
    "type!": "text",
    command: "text",
    instances: "number",
    memory_in_mb: "number",
    disk_in_mb: "number",
    log_rate_limit_in_bytes_per_second: "number",
    health_check: healthCheck,
    readiness_health_check: healthCheck,
    "relationships!": { "app!": toOne },
    process_instances: [{ index: "number", state: "text", since: "number" }],
  },
  stats: {
    "type!": "text",
    "index!": "number",
    "state!": "text",
    routable: "flag",
    uptime: "number",
    details: "text",
    isolation_segment: "text",
    mem_quota: "number",
    disk_quota: "number",
    log_rate_limit: "number",
    usage: { cpu: "number", cpu_entitlement: "number", mem: "number", disk: "number", log_rate: "number" },
  },
  packages: { "guid!": "text", "state!": "text", "type!": "text", created_at: "text", "links!": "any" },
  builds: {
    "guid!": "text",
    "state!": "text",
    error: "text",
    created_at: "text",
    package: { guid: "text" },
    droplet: { guid: "text" },
  },
  droplets: {
    "guid!": "text",
    "state!": "text",
    created_at: "text",
    stack: "text",
    image: "text",
    buildpacks: [{ name: "text", detect_output: "text", buildpack_name: "text", version: "text" }],
  },
  deployments: {
    "guid!": "text",
    "status!": {
      "value!": "text",
      "reason!": "text",
      details: { last_status_change: "text" },
      canary: { steps: { current: "number", total: "number" } },
    },
    strategy: "text",
    options: { max_in_flight: "number" },
    droplet: { guid: "text" },
    new_processes: [{ guid: "text", type: "text" }],
    relationships: { app: toOne },
  },
  jobs: {
    "guid!": "text",
    "state!": "text",
    errors: [{ code: "number", title: "text", detail: "text" }],
    warnings: [{ detail: "text" }],
  },
  roles: {
    "guid!": "text",
    "type!": "text",
    "relationships!": { "user!": toOne, organization: toOne, space: toOne },
  },
  users: { "guid!": "text", username: "text", presentation_name: "text", origin: "text", metadata },
  service_instances: {
    ...named,
    "type!": "text",
    tags: ["text"],
    syslog_drain_url: "text",
    route_service_url: "text",
    dashboard_url: "text",
    last_operation: { type: "text", state: "text", description: "text" },
    relationships: { space: toOne },
  },
  service_route_bindings: {
    "guid!": "text",
    "relationships!": { "route!": toOne, "service_instance!": toOne },
    last_operation: { type: "text", state: "text", description: "text" },
  },
  service_credential_bindings: {
    "guid!": "text",
    "type!": "text",
    name: "text",
    relationships: { app: toOne, service_instance: toOne },
    last_operation: { type: "text", state: "text", description: "text" },
  },
  organization_quotas: { ...named, ...limits, relationships: { organizations: toMany } },
  space_quotas: { ...named, ...limits, relationships: { organization: toOne, spaces: toMany } },
  isolation_segments: named,
  environment_variable_groups: { "var!": "texts" },
  feature_flags: { "name!": "text", "enabled!": "flag" },
  stacks: { ...named, description: "text" },
  audit_events: {
    "guid!": "text",
    "created_at!": "time",
    "type!": "text",
    "actor!": { name: "text" },
    data: "any",
  },
};

/** What is read of a single answer that is no resource. */
const READ_WHOLE: Readonly<Record<string, Fields>> = {
  env: {
    system_env_json: "any",
    application_env_json: "any",
    environment_variables: "texts",
    running_env_json: "any",
    staging_env_json: "any",
  },
  ssh_enabled: { "enabled!": "flag", reason: "text" },
  route_reservations: { "matching_route!": "flag" },
};

const PAGINATION: Fields = { "total_results!": "number", next: { href: "text" } };

/** @throws AssertionError for an answer that the program cannot read */
export function demandDecodable(path: string, body: unknown): void {
  const segments = new URL(path, "http://x").pathname.split("/").filter((each) => each !== "");
  const [last = "", before = ""] = segments.toReversed();
  const whole = READ_WHOLE[last];
  if (whole !== undefined) return demandFields(body, whole, path);
  // A list; one of it by GUID, by type, or the current one; or what an action answers.
  const fields = READ[last] ?? READ[before === "actions" ? (segments.at(-4) ?? "") : before];
  if (fields === undefined || segments.includes("relationships")) return;
  const { resources, destinations, pagination } = body as Readonly<
    Record<string, readonly unknown[] | undefined>
  >;
  const list = last === "destinations" ? destinations : resources;
  if (list === undefined) return demandFields(body, fields, path);
  // Lists without pages: an app's instances, a route's destinations.
  if (last !== "stats" && last !== "destinations")
    demandFields(pagination, PAGINATION, `${path}: pagination`);
  for (const each of list) demandFields(each, fields, path);
}

function demandFields(value: unknown, fields: Fields, where: string): void {
  assert(typeof value === "object" && value !== null, `${where}: no object`);
  const object = value as Readonly<Record<string, unknown>>;
  for (const [field, kind] of Object.entries(fields)) {
    const name = field.replace(/!$/, "");
    const found = object[name] ?? null;
    if (found === null) assert(name === field, `${where}: ${name} is missing`);
    else demandKind(found, kind, `${where}: ${name}`);
  }
}

function demandKind(value: unknown, kind: Kind, where: string): void {
  if (typeof kind === "object") {
    if (!Array.isArray(kind)) return demandFields(value, kind as Fields, where);
    assert(Array.isArray(value), `${where} is no list`);
    for (const each of value) demandKind(each, kind[0], where);
    return;
  }
  const isRight = {
    text: () => typeof value === "string",
    number: () => typeof value === "number",
    flag: () => typeof value === "boolean",
    time: () => typeof value === "string" && !Number.isNaN(Date.parse(value)),
    texts: () => Object.values(value as object).every((each) => each === null || typeof each === "string"),
    any: () => true,
  }[kind as Exclude<Kind, object>];
  assert(isRight(), `${where} is ${JSON.stringify(value)}, and the program reads a ${String(kind)}`);
}
