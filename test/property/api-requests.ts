/**
 * Requests made from the OpenAPI document: most of them as it asks, some with one thing wrong, some with anything at
 * all. GUIDs are written as `«routes 3»` and filled in when the request is sent, so that what one request made is what
 * a later one is about.
 */
import * as fc from "fast-check";
import type { Operation, Schema } from "./api-document.ts";

export interface ApiRequest {
  readonly method: Operation["method"];
  readonly url: string;
  readonly operation: Operation;
  readonly contentType: string;
  readonly body: string | undefined;
  /** Null for none. */
  readonly token: string | null;
  readonly ifMatch: string | null;
}

const long = (count: number) => "x".repeat(count);
/** In a path as it is. */
const UNDECODABLE = "%zz";

/** Of things that are made in a run, and of which of them a request is about. */
const MOST = 6;

/** What a reference in a body or a parameter is called, and the collection it is in. */
const COLLECTIONS: Readonly<Record<string, string>> = {
  organization: "organizations",
  org: "organizations",
  space: "spaces",
  domain: "domains",
  route: "routes",
  destination: "destinations",
  app: "apps",
  process: "processes",
  user: "users",
  service_instance: "service_instances",
  isolation_segment: "isolation_segments",
  package: "packages",
  droplet: "droplets",
  current_droplet: "droplets",
  quota: "space_quotas",
};

export const guidIn = (collection: string): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 12, arbitrary: fc.nat(MOST - 1).map((i) => `«${collection} ${i}»`) },
    { weight: 1, arbitrary: fc.constantFrom("none-such", "", "../apps", "%00", UNDECODABLE, long(300), "'") },
  );

/** Names of properties and parameters → values that mean something there, good and bad. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  host: ["shop", "Shop", "*", "", "a_b", "a.b", "-", long(63), long(64), "müll"],
  path: ["", "/v2", "/V2", "/", "/a?b", "v2", "/%41", "/ ", `/${long(127)}`, `/${long(128)}`],
  name: [
    "shop",
    "Shop",
    "guard",
    "own.example.com",
    "a.localhost",
    "shop.localhost",
    "x",
    "",
    long(260),
    "Ω'\"",
  ],
  route_service_url: ["https://guard.example.com", "http://guard.example.com", "nonsense", ""],
  page: ["1", "2", "0", "-1", "999999999", "1e3", ""],
  per_page: ["1", "2", "5000", "5001", "0", "x"],
  order_by: ["created_at", "-created_at", "+updated_at", "name", "-name", "nothing", ""],
  include: [
    "space",
    "domain",
    "domain,space",
    "space,space",
    "space.organization",
    "org",
    "route,service_instance",
    "x",
  ],
  label_selector: [
    "team=a",
    "team!=a",
    "!team",
    "team in (a,b)",
    "team notin (a)",
    "a=b,!c",
    "",
    "team ~ a",
    "(((",
  ],
  type: [
    "web",
    "user-provided",
    "user",
    "space_developer",
    "organization_manager",
    "buildpack",
    "local",
    "x",
  ],
  strategy: ["rolling", "recreate", "canary"],
  hosts: ["shop", "shop,*", "", ","],
  paths: ["", "/v2", "/v2,/x"],
  ports: ["", "1024", "x", "99999999"],
  names: ["shop", "shop,guard", "", "localhost"],
  states: ["STARTED", "x"],
  unmapped: ["true", "false"],
};
const TIMES = ["2026-01-01T00:00:00Z", "2026-01-01", "x", "2026-01-01T00:00:00Z,2027-01-01T00:00:00Z"];
/** What breaks parsers, queries and indices. */
const HOSTILE = [
  "\u0000",
  "\\",
  "%",
  "\u{1f600}",
  "\ud800",
  "__proto__",
  "null",
  "1' or '1'='1",
  "\r\n",
  long(6_000),
];

const anyText = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("shop", "team", "a", "1s", "10", "true") },
  { weight: 1, arbitrary: fc.constantFrom(...HOSTILE) },
  { weight: 1, arbitrary: fc.string({ maxLength: 20 }) },
);

function textFor(name: string): fc.Arbitrary<string> {
  const known = VALUES[name];
  return known === undefined
    ? anyText
    : fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...known) }, { weight: 1, arbitrary: anyText });
}

// --- bodies ---

/** @param place  Keys on the way to the value, the last one first. */
function valueOf(schema: Schema, place: readonly string[]): fc.Arbitrary<unknown> {
  return fc.oneof(
    { weight: 12, arbitrary: fitting(schema, place) },
    { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
  );
}

function fitting(schema: Schema, place: readonly string[]): fc.Arbitrary<unknown> {
  const { type, enum: values, properties, required = [], items, anyOf } = schema;
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (values !== undefined && values.length > 0) return fc.constantFrom(...values);
  if (anyOf !== undefined) return fc.oneof(...anyOf.map((each) => fitting(each, place)));
  if (properties !== undefined) {
    const keys = Object.entries(properties).map(
      ([key, node]) => [key, valueOf(node, [key, ...place])] as const,
    );
    const whole = fc.record(Object.fromEntries(keys), { requiredKeys: [...required] });
    return fc.oneof(
      { weight: 15, arbitrary: whole },
      { weight: 1, arbitrary: whole.map((value) => ({ ...value, surplus: 1 })) },
    );
  }
  const types = [type].flat();
  const isNull = types.includes("null") ? [{ weight: 1, arbitrary: fc.constant(null) }] : [];
  return fc.oneof({ weight: 6, arbitrary: simple(types[0], items, place) }, ...isNull);
}

function simple(
  type: string | undefined,
  items: Schema | undefined,
  place: readonly string[],
): fc.Arbitrary<unknown> {
  const [name = ""] = place;
  switch (type) {
    case "string": {
      // `relationships.space.data.guid`, `app.guid`
      const owner = place.find((key) => key !== "guid" && key !== "data") ?? "";
      return name === "guid" ? guidIn(COLLECTIONS[owner] ?? owner) : textFor(name);
    }
    case "integer":
    case "number":
      return fc.oneof(
        { weight: 4, arbitrary: fc.integer({ min: 0, max: 3 }) },
        {
          weight: 1,
          arbitrary: fc.constantFrom(-1, 1.5, 80, 1024, 8080, 65_535, 65_536, 2 ** 31, 2 ** 53, 1e300),
        },
      );
    case "boolean":
      return fc.boolean();
    case "array":
      return fc.array(valueOf(items ?? {}, place), { maxLength: 3 });
    default:
      return open(name);
  }
}

/** What the document leaves to the API's own rules. */
function open(name: string): fc.Arbitrary<unknown> {
  const mostly = (good: fc.Arbitrary<unknown>) =>
    fc.oneof({ weight: 5, arbitrary: good }, { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) });
  const pairs = fc.dictionary(
    fc.constantFrom("team", "a", "example.com/team", "", "a b", "__proto__"),
    textOrNull,
    {
      maxKeys: 3,
    },
  );
  switch (name) {
    case "metadata":
      return mostly(fc.record({ labels: pairs, annotations: pairs }, { requiredKeys: [] }));
    case "destinations":
      return mostly(
        fc.array(
          fc.record(
            {
              app: fc.record(
                { guid: guidIn("apps"), process: fc.constant({ type: "web" }) },
                { requiredKeys: ["guid"] },
              ),
              port: fc.constantFrom(8080, 9000, 80, null),
              weight: fc.constantFrom(50, 100, null, 0),
              protocol: fc.constantFrom("http1", "http2", "tcp", null, "x"),
            },
            { requiredKeys: ["app"] },
          ),
          { maxLength: 3 },
        ),
      );
    case "data":
      return mostly(fc.array(fc.record({ guid: guidIn("spaces") }), { maxLength: 2 }));
    default:
      return mostly(pairs);
  }
}
const textOrNull = fc.oneof({ weight: 4, arbitrary: anyText }, { weight: 1, arbitrary: fc.constant(null) });

const manifest = fc
  .array(
    fc.record({
      name: textFor("name"),
      host: textFor("host"),
      options: fc.constantFrom(
        "{}",
        "{loadbalancing: hash}",
        "{loadbalancing: round-robin}",
        "{x: 1}",
        "[]",
        "null",
      ),
      rest: fc.constantFrom(
        "instances: 2",
        "memory: 64M",
        "memory: x",
        "no-route: true",
        "random-route: yes",
        "command: run",
        "env: {A: 1}",
        "processes: [{type: worker}]",
        ": [",
      ),
    }),
    { maxLength: 2 },
  )
  .map((apps) =>
    [
      "applications:",
      ...apps.map(
        ({ name, host, options, rest }) =>
          `- name: ${JSON.stringify(name)}\n  routes: [{route: ${JSON.stringify(`${host}.localhost`)}, options: ${options}}]\n  ${rest}`,
      ),
    ].join("\n"),
  );

function bodyOf({ bodies }: Operation): fc.Arbitrary<{ contentType: string; body: string | undefined }> {
  const [[contentType, schema] = []] = Object.entries(bodies);
  if (contentType === undefined || schema === undefined) {
    return fc.constantFrom(undefined, "{}", "x").map((body) => ({ contentType: "application/json", body }));
  }
  const good: fc.Arbitrary<string> =
    contentType === "application/json"
      ? valueOf(schema, []).map((value) => JSON.stringify(value))
      : contentType.includes("yaml")
        ? manifest
        : fc.constant("--b\r\n\r\n--b--");
  const broken = fc.constantFrom(
    "",
    "{",
    "[]",
    "null",
    '"x"',
    "{}",
    '{"a":"\\u0000"}',
    `{"name":${"[".repeat(2_000)}`,
  );
  return fc.record({
    contentType: fc.oneof(
      { weight: 20, arbitrary: fc.constant(contentType) },
      { weight: 1, arbitrary: fc.constantFrom("", "text/plain") },
    ),
    body: fc.oneof({ weight: 12, arbitrary: good }, { weight: 1, arbitrary: broken }),
  });
}

// --- requests ---

function inPath(operation: Operation): fc.Arbitrary<string> {
  const names = [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
  const guids = names.map((name) => {
    const collection = COLLECTIONS[name.replace(/_?guid$/, "")] ?? operation.collection;
    return name.endsWith("guid") ? guidIn(collection) : textFor(name);
  });
  return fc.tuple(...guids).map((values) => {
    let i = 0;
    return operation.path.replaceAll(/\{\w+\}/g, () => {
      const value = values[i++] ?? "";
      return value === UNDECODABLE ? value : encodeText(value) || "x";
    });
  });
}

function inQuery({ query }: Operation): fc.Arbitrary<string> {
  if (query.length === 0) return fc.constantFrom("", "", "", "?x=1");
  const pair = fc.constantFrom(...query, "unknown", "created_ats[gt]", "updated_ats[x]").chain((name) => {
    const isGuids = name.endsWith("guids");
    const values = /_ats/.test(name)
      ? fc.constantFrom(...TIMES)
      : isGuids
        ? guidIn(COLLECTIONS[name.replace(/_?guids$/, "")] ?? "routes")
        : textFor(name);
    return values.map((value) => `${encodeURIComponent(name)}=${encodeText(value)}`);
  });
  return fc.array(pair, { maxLength: 3 }).map((pairs) => (pairs.length === 0 ? "" : `?${pairs.join("&")}`));
}

/** Half a surrogate cannot be written in a URL; a reference to a GUID stays readable. */
const encodeText = (text: string) =>
  text
    .split(/(«\w+ \d+»)/)
    .map((part) => (part.startsWith("«") ? part : encodeURIComponent(part.toWellFormed())))
    .join("");

/** Deleting what everything else is in ends a run too early, so it is asked for less often. */
const weightOf = ({ method, path }: Operation) => {
  if (method === "DELETE") return /^\/v3\/(?:organizations|spaces|domains)\/\{guid\}$/.test(path) ? 1 : 4;
  return method === "POST" ? 12 : method === "GET" ? 6 : 8;
};

export function requestOf(operations: readonly Operation[]): fc.Arbitrary<ApiRequest> {
  return fc.oneof(
    ...operations.map((operation) => ({
      weight: weightOf(operation),
      arbitrary: fc
        .record({
          path: inPath(operation),
          query: inQuery(operation),
          content: bodyOf(operation),
          token: fc.oneof(
            { weight: 12, arbitrary: fc.constant("admin") },
            { weight: 5, arbitrary: fc.constantFrom("user:developer", "user:manager", "user:nobody") },
            { weight: 1, arbitrary: fc.constantFrom("reader", "auditor", "broken", null) },
          ),
          ifMatch: fc.oneof(
            { weight: 20, arbitrary: fc.constant(null) },
            { weight: 1, arbitrary: fc.constantFrom("*", '"x"', "") },
          ),
        })
        .map(
          ({ path, query, content, token, ifMatch }): ApiRequest => ({
            method: operation.method,
            url: path + query,
            operation,
            ...content,
            token,
            ifMatch,
          }),
        ),
    })),
  );
}
