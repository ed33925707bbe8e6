/** The document, the page, and requests made from the document: whatever comes, the answer is as it says. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { answerProblem } from "./answer-check.ts";
import type { Endpoint } from "./endpoint.ts";
import { describeApi } from "./openapi.ts";
import { endpoints } from "./resources/index.ts";
import { startApi, type TestApi } from "./testing.ts";

interface Operation {
  readonly operationId: string;
  readonly parameters: readonly {
    readonly name: string;
    readonly in: string;
    readonly schema: SchemaNode;
  }[];
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: object }>> }>
  >;
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

const DOCUMENT = describeApi(endpoints, "http://localhost:8080") as Document;

const REQUESTS_PER_ENDPOINT = 8;
/** A failure prints it; give it here to see the same again. */
const SEED = Number(process.env["VIADUCT_TEST_SEED"] ?? Date.now() % 1_000_000);

test("every endpoint is in the document, once, with its path's parameters", async (t) => {
  const api = await startApi(t);
  const reply = await api.request({ method: "GET", url: "/v3/openapi.json" });
  assert.equal(reply.status, 200);
  const document = reply.body as unknown as Document;
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
  assert.equal(operations.length, endpoints.length);
  assert.equal(new Set(operations.map((operation) => operation.operationId)).size, endpoints.length);
  for (const { method, path } of endpoints) {
    const operation = document.paths[path.replaceAll(/:(\w+)/g, "{$1}")]?.[method.toLowerCase()];
    const inPath = operation?.parameters.filter((each) => each.in === "path").map(({ name }) => name);
    assert.deepEqual(
      inPath,
      [...path.matchAll(/:(\w+)/g)].map(([, name]) => name),
    );
  }
});

test("what an endpoint takes is said: JSON, YAML or a form, and whose options it means", () => {
  const { paths } = describeApi(endpoints, "http://localhost") as {
    paths: Record<string, Record<string, { requestBody?: { content: Record<string, { schema: object }> } }>>;
  };
  const contentOf = (path: string, method = "post") => paths[path]?.[method]?.requestBody?.content ?? {};
  assert.deepEqual(Object.keys(contentOf("/v3/spaces/{guid}/actions/apply_manifest")), [
    "application/x-yaml",
  ]);
  assert.deepEqual(Object.keys(contentOf("/v3/packages/{guid}/upload")), ["multipart/form-data"]);
  const optionsOf = (path: string) => {
    const { schema } = contentOf(path)["application/json"] ?? assert.fail(path);
    return JSON.stringify(
      (schema as { readonly properties: { readonly options: object } }).properties.options,
    );
  };
  assert.match(optionsOf("/v3/routes"), /RouteOptions/);
  assert.match(optionsOf("/v3/deployments"), /max_in_flight/);
});

test("the page for people names every endpoint and loads nothing", async (t) => {
  const api = await startApi(t);
  const { body, headers } = await api.page("/v3/docs");
  assert.match(String(headers["content-type"]), /^text\/html/);
  for (const { path } of endpoints) assert(body.includes(`</span> ${path}</h3>`), path);
  assert.doesNotMatch(body, /<script|src=|@import|https?:\/\/(?!localhost)/);
});

test("every answer has a shape of its own, closed but where users decide what is in it", () => {
  for (const [path, operations] of Object.entries(DOCUMENT.paths)) {
    for (const [method, { responses }] of Object.entries(operations)) {
      assert(!Object.keys(responses).includes("2XX"), `${method} ${path}`);
      for (const [status, { content = {} }] of Object.entries(responses)) {
        const empty = status === "202" || status === "204";
        assert(empty || Object.keys(content).length === 1, `${method} ${path} ${status}`);
      }
    }
  }
  const open: string[] = [];
  const look = (node: unknown, place: string): void => {
    if (typeof node !== "object" || node === null) return;
    const { type, additionalProperties, patternProperties } = node as Record<string, unknown>;
    if (type === "object" && additionalProperties === undefined && patternProperties === undefined) {
      open.push(place);
    }
    for (const [key, value] of Object.entries(node))
      look(value, key === "properties" ? place : `${place}.${key}`);
  };
  const { RouteOptions: _, ...shapes } = DOCUMENT.components.schemas;
  for (const [name, schema] of Object.entries(shapes)) look(schema, name);
  assert.deepEqual(open.toSorted(), [
    "AuditEvent.data",
    "Environment.application_env_json.VCAP_APPLICATION",
    "Environment.system_env_json.VCAP_SERVICES.patternProperties.^.*$.items",
    "Info.custom",
    "RouteOptionList.resources.items.schema",
    "ServiceCredentialBindingDetails.credentials",
  ]);
});

test("a parameter says what it takes", () => {
  const parametersOf = (path: string) =>
    Object.fromEntries(
      (DOCUMENT.paths[path]?.["get"]?.parameters ?? []).map((each) => [each.name, each.schema]),
    );
  const { page, per_page: perPage, order_by: order, include } = parametersOf("/v3/apps");
  assert.deepEqual(page, { type: "integer", minimum: 1, default: 1 });
  assert.deepEqual(perPage, { type: "integer", minimum: 1, maximum: 5000, default: 50 });
  assert.deepEqual(order?.enum?.slice(-4), ["name", "-name", "state", "-state"]);
  assert.deepEqual(include?.items?.enum, ["space", "org", "space.organization"]);
  assert.deepEqual(parametersOf("/v3/environment_variable_groups/{name}")["name"]?.enum, [
    "running",
    "staging",
  ]);
});

test("what nobody can do says so, and why", () => {
  for (const { method, path, answers, summary } of endpoints) {
    if (Object.keys(answers).length > 0) continue;
    assert.match(summary, /^(?:Refused|Outside routing): /, `${method} ${path}`);
  }
});

test("an operation says which of upstream's errors it may answer with", () => {
  const errorsOf = (method: string, path: string) =>
    Object.entries(DOCUMENT.paths[path]?.[method]?.responses ?? {})
      .filter(([status]) => Number(status) >= 400 && Number(status) < 500)
      .map(([status, { content }]) => {
        const schema = JSON.stringify(content?.["application/json"]?.schema);
        return [status, ...[...schema.matchAll(/schemas\/(\w+)/g)].map(([, name]) => name)].join(" ");
      });
  assert.deepEqual(errorsOf("post", "/v3/routes"), [
    "400 MessageParseError",
    "401 NotAuthenticated InvalidAuthToken",
    "403 NotAuthorized OrgSuspended FeatureDisabled",
    "422 UnprocessableEntity",
  ]);
  assert.deepEqual(errorsOf("patch", "/v3/routes/{guid}"), [
    "400 MessageParseError",
    "401 NotAuthenticated InvalidAuthToken",
    "403 NotAuthorized OrgSuspended",
    "404 ResourceNotFound NotFound",
    "412 PreconditionFailed",
    "422 UnprocessableEntity",
  ]);
  assert.deepEqual(errorsOf("get", "/v3/info"), ["400 BadQueryParameter"]);
  assert.match(JSON.stringify(DOCUMENT.components.schemas["NotAuthorized"]), /"const":10003/);
});

const JOB = { guid: "00000000-0000-4000-8000-000000000000", operation: "route.delete", state: "COMPLETE" };
const TIMES = { created_at: "2026-01-01T00:00:00Z", updated_at: "2026-01-01T00:00:00Z" };
const LISTS = { errors: [], warnings: [] };
const WHOLE = { ...JOB, ...TIMES, ...LISTS, links: { self: { href: "http://localhost:8080/v3/jobs/x" } } };
for (const { name, path = "/v3/jobs/:guid", method = "GET", status = 200, body, want } of [
  { name: "as described", body: WHOLE, want: null },
  { name: "a key too many", body: { ...WHOLE, surplus: 1 }, want: /surplus/ },
  { name: "a key too few", body: { ...WHOLE, links: {} }, want: /links.*self/ },
  { name: "a word that is none", body: { ...WHOLE, state: "READY" }, want: /state.*COMPLETE/ },
  { name: "a time with milliseconds lost", body: { ...WHOLE, created_at: "2026-01-01" }, want: /created_at/ },
  { name: "a status that is not described", status: 201, body: WHOLE, want: /no answer 201/ },
  {
    name: "an error of another operation",
    status: 403,
    body: { errors: [{ code: 330_002, title: "CF-FeatureDisabled", detail: "x" }] },
    want: /code/,
  },
  {
    name: "a job without its address",
    path: "/v3/routes/:guid",
    method: "DELETE",
    status: 202,
    want: /Location/,
  },
]) {
  test(`an answer against its document: ${name}`, () => {
    const problem = answerProblem({
      method,
      path,
      status,
      headers: {},
      contentType: "application/json; charset=utf-8",
      body: body === undefined ? "" : JSON.stringify(body),
    });
    if (want === null) assert.equal(problem, null);
    else assert.match(String(problem), want);
  });
}

test("whatever is asked, nothing is our fault", async (t) => {
  const api = await startApi(t);
  const known = await populate(api);
  let successes = 0;
  for (const [i, endpoint] of endpoints.entries()) {
    const samples = fc.sample(requestOf(endpoint, known), { numRuns: REQUESTS_PER_ENDPOINT, seed: SEED + i });
    for (const { url, body } of samples) {
      const { status, body: answer } = await api.call(endpoint.method, url, body);
      const about = `seed ${SEED}: ${endpoint.method} ${url} ${JSON.stringify(body)} → ${status} ${JSON.stringify(answer)}`;
      assert(status < 500, about);
      if (status < 300) successes += 1;
    }
  }
  assert(successes > endpoints.length / 3, `${successes} requests were good: the others test one door only`);
});

/** One of everything, so that requests reach beyond «not found». */
async function populate(api: TestApi): Promise<readonly string[]> {
  await api.patch("/v3/feature_flags/route_sharing", { enabled: true });
  const inSpace = { space: { data: { guid: api.space } } };
  const route = await api.create("/v3/routes", {
    host: "shop",
    relationships: { ...inSpace, domain: { data: { guid: api.domain } } },
  });
  const app = await api.create("/v3/apps", { name: "shop", relationships: inSpace });
  const instance = await api.create("/v3/service_instances", {
    type: "user-provided",
    name: "guard",
    route_service_url: "https://guard.example.com",
    relationships: inSpace,
  });
  const own = await api.create("/v3/domains", {
    name: "own.example.com",
    relationships: { organization: { data: { guid: api.organization } } },
  });
  const segment = await api.create("/v3/isolation_segments", { name: "apart" });
  return [api.organization, api.space, api.domain, route, app, instance, own, segment];
}

interface Request {
  readonly url: string;
  readonly body: object | undefined;
}

function requestOf(
  { method, path, parameters, body }: Endpoint,
  known: readonly string[],
): fc.Arbitrary<Request> {
  // What everything else is in must not go before everything else was tried.
  const targets = method === "DELETE" ? known.slice(3) : known;
  const guid = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...targets) }, fc.string());
  const values = fc.oneof(guid, fc.string(), fc.integer().map(String), fc.constant(""));
  const query: fc.Arbitrary<[string, string][]> =
    parameters.length === 0
      ? fc.constant([])
      : fc.array(fc.tuple(fc.constantFrom(...parameters, "unknown", "created_ats[gt]"), values), {
          maxLength: 3,
        });
  return fc
    .record({
      guids: fc.array(guid, { minLength: 3, maxLength: 3 }),
      query,
      body: body === undefined ? fc.constant(undefined) : valueOf(body, known),
    })
    .map(({ guids, query, body }) => {
      let i = 0;
      const filled = path.replaceAll(/:\w+/g, () => encodeURIComponent(guids[i++] ?? "") || "x");
      const search = new URLSearchParams(query.map(([name, value]) => [name, value]));
      return { url: search.size === 0 ? filled : `${filled}?${search}`, body: body as object | undefined };
    });
}

interface SchemaNode {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, object>>;
  readonly items?: SchemaNode;
}

/** Mostly what the schema asks for, sometimes anything at all. */
function valueOf(schema: object, known: readonly string[]): fc.Arbitrary<unknown> {
  return fc.oneof(
    { weight: 6, arbitrary: fitting(schema, known) },
    { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
  );
}

function fitting(schema: object, known: readonly string[]): fc.Arbitrary<unknown> {
  const { type, enum: values, properties, items } = schema as SchemaNode;
  if (values !== undefined && values.length > 0) return fc.constantFrom(...values);
  if (properties !== undefined) {
    const keys = Object.entries(properties).map(([key, node]) => [key, valueOf(node, known)] as const);
    return fc.record(Object.fromEntries(keys), { requiredKeys: keys.slice(0, 2).map(([key]) => key) });
  }
  switch ([type].flat()[0]) {
    case "string":
      return fc.oneof(fc.constantFrom(...known), fc.string(), fc.constantFrom("*", "/", "a.b", "shop"));
    case "integer":
      return fc.integer();
    case "boolean":
      return fc.boolean();
    case "array":
      return fc.array(valueOf(items ?? {}, known), { maxLength: 3 });
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}
