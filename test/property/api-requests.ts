/**
 * Requests made from the OpenAPI document: most of them as it asks, some with one thing wrong, some with anything at
 * all; or, when they are to be clean, nothing but what it asks for. GUIDs are written as `«routes 3»`, the newest
 * but three, or `«routes first»`, and filled in when the request is sent, so that what one request made is what
 * a later one is about.
 */
import * as fc from "fast-check";
import type { Operation, Schema } from "./api-document.ts";
import { zipOf } from "./zip-of.ts";

export interface ApiRequest {
  readonly method: Operation["method"];
  readonly url: string;
  readonly operation: Operation;
  readonly contentType: string;
  readonly body: string | Buffer | undefined;
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
  shared_spaces: "spaces",
  shared_organizations: "organizations",
  default_isolation_segment: "isolation_segments",
  source: "apps",
};

/** What is made from the document: nothing but that, or also what it does not ask for. */
export type Taste = "clean" | "mixed";

/** Now and then the other one, unless everything is to be clean. */
function mostly<T>(
  taste: Taste,
  weight: number,
  good: fc.Arbitrary<T>,
  bad: fc.Arbitrary<T>,
): fc.Arbitrary<T> {
  return taste === "clean" ? good : fc.oneof({ weight, arbitrary: good }, { weight: 1, arbitrary: bad });
}

/** Clean requests are mostly about the first of everything, or the last, so that what they name belongs together. */
function guidIn(collection: string, taste: Taste): fc.Arbitrary<string> {
  const any = fc.nat(MOST - 1).map((i) => `«${collection} ${i}»`);
  if (taste === "clean") {
    return fc.oneof(
      { weight: 4, arbitrary: fc.constant(`«${collection} first»`) },
      { weight: 2, arbitrary: fc.constant(`«${collection} 0»`) },
      { weight: 1, arbitrary: any },
    );
  }
  return mostly(
    taste,
    12,
    any,
    fc.constantFrom("none-such", "", "../apps", "%00", UNDECODABLE, long(300), "'"),
  );
}

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

/** Unlike all others: names have to be. */
const newName = fc.nat(2 ** 31).map((number) => `x${number.toString(36)}`);

/** The same without what is refused; where a collection has rules of its own, under its name too. */
const CLEAN: Readonly<Record<string, fc.Arbitrary<string>>> = {
  host: newName,
  path: newName.map((name) => `/${name}`),
  name: newName,
  "domains.name": newName.map((name) => `${name}.example.com`),
  route_service_url: fc.constant("https://guard.example.com"),
  command: fc.constant("./serve"),
  endpoint: fc.constant("/health"),
  syslog_drain_url: fc.constant("syslog://logs.example.com"),
  "roles.username": fc.constantFrom("developer", "manager", "nobody"),
  "roles.origin": fc.constant("uaa"),
  type: fc.constant("web"),
  index: fc.constant("0"),
};

/** @param place  Where the name is, the innermost first: keys of the body, then the last word of the path. */
function textFor(place: readonly string[], taste: Taste): fc.Arbitrary<string> {
  const [name = ""] = place;
  if (taste === "clean") return CLEAN[`${place.at(-1)}.${name}`] ?? CLEAN[name] ?? newName;
  const known = VALUES[name];
  return known === undefined
    ? anyText
    : fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...known) }, { weight: 1, arbitrary: anyText });
}

// --- bodies ---

/** @param place  Keys on the way to the value, the last one first, and behind them the last word of the path. */
function valueOf(schema: Schema, place: readonly string[], taste: Taste): fc.Arbitrary<unknown> {
  return mostly(taste, 12, fitting(schema, place, taste), fc.jsonValue({ maxDepth: 2 }));
}

function fitting(schema: Schema, place: readonly string[], taste: Taste): fc.Arbitrary<unknown> {
  const { type, enum: values, properties, required = [], items, anyOf } = schema;
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (values !== undefined && values.length > 0) return fc.constantFrom(...values);
  if (anyOf !== undefined) return fc.oneof(...anyOf.map((each) => fitting(each, place, taste)));
  if (properties !== undefined) {
    const keys = Object.entries(properties).map(
      ([key, node]) => [key, valueOf(node, [key, ...place], taste)] as const,
    );
    const whole = fc.record(Object.fromEntries(keys), { requiredKeys: [...required] });
    return mostly(
      taste,
      15,
      whole,
      whole.map((value) => ({ ...value, surplus: 1 })),
    );
  }
  const types = [type].flat();
  const isNull = types.includes("null") ? [{ weight: 1, arbitrary: fc.constant(null) }] : [];
  return fc.oneof({ weight: 6, arbitrary: simple(schema, items, place, taste) }, ...isNull);
}

function simple(
  { type, minimum = 0 }: Schema,
  items: Schema | undefined,
  place: readonly string[],
  taste: Taste,
): fc.Arbitrary<unknown> {
  const [name = ""] = place;
  const least = Math.max(1, Math.ceil(minimum));
  switch ([type].flat()[0]) {
    case "string": {
      // `relationships.space.data.guid`, `app.guid`
      const owner = place.find((key) => key !== "guid" && key !== "data") ?? "";
      return name === "guid" ? guidIn(COLLECTIONS[owner] ?? owner, taste) : textFor(place, taste);
    }
    case "integer":
    case "number":
      // An app of a quota that it does not fit in could never start.
      if (taste === "clean" && place.at(-1)?.endsWith("_quotas")) {
        return fc.constant(name.startsWith("log") ? null : 1_000_000);
      }
      return mostly(
        taste,
        4,
        taste === "clean" ? fc.constantFrom(least, least + 1, least + 2) : fc.integer({ min: 0, max: 3 }),
        fc.constantFrom(-1, 1.5, 80, 1024, 8080, 65_535, 65_536, 2 ** 31, 2 ** 53, 1e300),
      );
    case "boolean":
      // A feature that is switched off takes others' ways away.
      return taste === "clean" && name === "enabled" ? fc.constant(true) : fc.boolean();
    case "array":
      return fc.array(valueOf(items ?? {}, place, taste), {
        minLength: taste === "clean" ? 1 : 0,
        maxLength: 3,
      });
    default:
      return open(place, taste);
  }
}

const labels = fc.dictionary(fc.constantFrom("team", "example.com/team"), fc.constantFrom("a", "b"));

/** What the document leaves to the API's own rules. */
function open(place: readonly string[], taste: Taste): fc.Arbitrary<unknown> {
  const [name = ""] = place;
  const known = (good: fc.Arbitrary<unknown>) => mostly(taste, 5, good, fc.jsonValue({ maxDepth: 3 }));
  const anyPairs = fc.dictionary(
    fc.constantFrom("team", "a", "example.com/team", "", "a b", "__proto__"),
    textOrNull,
    { maxKeys: 3 },
  );
  const pairs = taste === "clean" ? labels : anyPairs;
  switch (name) {
    case "metadata":
      return known(fc.record({ labels: pairs, annotations: pairs }, { requiredKeys: [] }));
    case "destinations":
      return known(fc.array(destination(taste), { minLength: taste === "clean" ? 1 : 0, maxLength: 3 }));
    case "data":
      return known(fc.array(fc.record({ guid: guidIn("spaces", taste) }), { minLength: 1, maxLength: 2 }));
    default:
      return known(pairs);
  }
}

function destination(taste: Taste): fc.Arbitrary<object> {
  const app = fc.record(
    { guid: guidIn("apps", taste), process: fc.constant({ type: "web" }) },
    { requiredKeys: ["guid"] },
  );
  if (taste === "clean") return fc.record({ app });
  return fc.record(
    {
      app,
      port: fc.constantFrom(8080, 9000, 80, null),
      weight: fc.constantFrom(50, 100, null, 0),
      protocol: fc.constantFrom("http1", "http2", "tcp", null, "x"),
    },
    { requiredKeys: ["app"] },
  );
}
const textOrNull = fc.oneof({ weight: 4, arbitrary: anyText }, { weight: 1, arbitrary: fc.constant(null) });

const cleanManifest = fc
  .tuple(newName, newName)
  .map(([app, host]) => `applications: [{name: ${app}, routes: [{route: ${host}.localhost}], command: run}]`);

const manifest = fc
  .array(
    fc.record({
      name: textFor(["name"], "mixed"),
      host: textFor(["host"], "mixed"),
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

/** An upload whose zip file holds an executable `web`. */
const UPLOAD = Buffer.concat([
  Buffer.from('--b\r\nContent-Disposition: form-data; name="bits"; filename="a.zip"\r\n\r\n'),
  zipOf("serve", "#!/bin/sh\n"),
  Buffer.from("\r\n--b--\r\n"),
]);
const MULTIPART = "multipart/form-data; boundary=b";

type Content = Pick<ApiRequest, "contentType" | "body">;

function bodyOf({ bodies, path }: Operation, taste: Taste): fc.Arbitrary<Content> {
  const [[contentType, schema] = []] = Object.entries(bodies);
  if (contentType === undefined || schema === undefined) {
    return mostly<string | undefined>(taste, 1, fc.constant(undefined), fc.constantFrom("{}", "x")).map(
      (body) => ({ contentType: "application/json", body }),
    );
  }
  if (contentType === "multipart/form-data") {
    return mostly<Content>(
      taste,
      1,
      fc.constant({ contentType: MULTIPART, body: UPLOAD }),
      fc.constant({ contentType, body: "--b\r\n\r\n--b--" }),
    );
  }
  const last = path.split("/").findLast((word) => !word.startsWith("{")) ?? "";
  const good: fc.Arbitrary<string> = contentType.includes("yaml")
    ? mostly(taste, 1, cleanManifest, manifest)
    : valueOf(schema, [last], taste).map((value) => JSON.stringify(value));
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
    contentType: mostly(taste, 20, fc.constant(contentType), fc.constantFrom("", "text/plain")),
    body: mostly(taste, 12, good, broken),
  });
}

// --- requests ---

function inPath(operation: Operation, taste: Taste): fc.Arbitrary<string> {
  const named = [...operation.path.matchAll(/(\w+)\/\{(\w+)\}/g)];
  const values = named.map(([, before = "", name = ""]) => {
    if (/guid$|_id$/.test(name)) {
      return guidIn(COLLECTIONS[name.replace(/_?(?:guid|id)$/, "")] ?? before, taste);
    }
    const words = operation.words[name];
    const known = words === undefined ? textFor([name], taste) : fc.constantFrom(...words);
    return mostly(taste, 5, known, textFor([name], "mixed"));
  });
  return fc.tuple(...values).map((filled) => {
    let i = 0;
    return operation.path.replaceAll(/\{\w+\}/g, () => {
      const value = filled[i++] ?? "";
      return value === UNDECODABLE ? value : encodeText(value) || "x";
    });
  });
}

function inQuery({ query, words }: Operation, taste: Taste): fc.Arbitrary<string> {
  if (taste === "clean") return fc.constant(query.includes("unmapped") ? "?unmapped=true" : "");
  if (query.length === 0) return fc.constantFrom("", "", "", "?x=1");
  const pair = fc.constantFrom(...query, "unknown", "created_ats[gt]", "updated_ats[x]").chain((name) => {
    const isGuids = name.endsWith("guids");
    const values = /_ats/.test(name)
      ? fc.constantFrom(...TIMES)
      : isGuids
        ? guidIn(COLLECTIONS[name.replace(/_?guids$/, "")] ?? "routes", taste)
        : fc.oneof(
            textFor([name], taste),
            fc.subarray([...(words[name] ?? ["x"])], { minLength: 1 }).map((some) => some.join(",")),
          );
    return values.map((value) => `${encodeURIComponent(name)}=${encodeText(value)}`);
  });
  return fc.array(pair, { maxLength: 3 }).map((pairs) => (pairs.length === 0 ? "" : `?${pairs.join("&")}`));
}

/** Half a surrogate cannot be written in a URL; a reference to a GUID stays readable. */
const encodeText = (text: string) =>
  text
    .split(/(«\w+ \w+»)/)
    .map((part) => (part.startsWith("«") ? part : encodeURIComponent(part.toWellFormed())))
    .join("");

/** Deleting what everything else is in ends a run too early, so it is asked for less often. */
const weightOf = ({ method, path }: Operation) => {
  if (method === "DELETE") return /^\/v3\/(?:organizations|spaces|domains)\/\{guid\}$/.test(path) ? 1 : 4;
  return method === "POST" ? 12 : method === "GET" ? 6 : 8;
};

/** Any of them, in any order. */
export const anyRequestOf = (operations: readonly Operation[]): fc.Arbitrary<ApiRequest> =>
  fc.oneof(
    ...operations.map((operation) => ({
      weight: weightOf(operation),
      arbitrary: requestOf(operation, "mixed"),
    })),
  );

export function requestOf(operation: Operation, taste: Taste): fc.Arbitrary<ApiRequest> {
  const somebody = fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom("user:developer", "user:manager", "user:nobody") },
    { weight: 1, arbitrary: fc.constantFrom("reader", "auditor", "broken", null) },
  );
  return fc
    .record({
      path: inPath(operation, taste),
      query: inQuery(operation, taste),
      content: bodyOf(operation, taste),
      token: mostly<string | null>(taste, 2, fc.constant("admin"), somebody),
      ifMatch: mostly<string | null>(taste, 20, fc.constant(null), fc.constantFrom("*", '"x"', "")),
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
    );
}
