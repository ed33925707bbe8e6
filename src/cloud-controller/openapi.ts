/** The OpenAPI document of the API, made from the endpoints themselves when somebody asks for it. */
import { isDeepStrictEqual } from "node:util";
import assert from "node:assert";
import { type TSchema, Type } from "typebox";
import {
  badQueryParameter,
  invalidAuthToken,
  messageParseError,
  notAuthenticated,
  notAuthorized,
  organizationSuspended,
  resourceNotFound,
  unknownRequest,
  unprocessable,
} from "../kernel/errors/cloud-controller.ts";
import { optionMapSchema } from "../options/index.ts";
import type { Endpoint, KnownError } from "./endpoint.ts";
import { DEFAULT_PER_PAGE, MAX_PER_PAGE } from "./list.ts";
import { shownAs, UNAVAILABLE, UNKNOWN } from "./respond.ts";
import { AboutOption, part, RouteOptionsShape, shape } from "./shape.ts";

/** @param url  Where the API is reached. */
export function describeApi(endpoints: readonly Endpoint[], url: string): object {
  const components = createComponents();
  const paths: Record<string, Record<string, object>> = {};
  for (const endpoint of endpoints) {
    const path = endpoint.path.replaceAll(/:(\w+)/g, "{$1}");
    const operations = (paths[path] ??= {});
    operations[endpoint.method.toLowerCase()] = components.take(describe(endpoint)) as object;
  }
  const collections = [...new Set(endpoints.map(collectionOf))];
  return {
    openapi: "3.1.0",
    info: { title: "Viaduct: Cloud Controller v3 for routing", version: "3" },
    servers: [{ url }],
    tags: collections.map((name) => ({ name })),
    paths,
    components: {
      schemas: { ...components.schemas(), RouteOptions: optionMapSchema() },
      securitySchemes: { token: { type: "http", scheme: "bearer", bearerFormat: "JWT" } },
    },
  };
}

/** Name → every shape there is, with references in the place of others. */
export function shapesOf(endpoints: readonly Endpoint[]): Readonly<Record<string, object>> {
  const components = createComponents();
  for (const endpoint of endpoints) components.take(describe(endpoint));
  return { ...components.schemas(), RouteOptions: optionMapSchema() };
}

/** `routes` of `/v3/routes/:guid/destinations`; what stands alone is discovery. */
export function collectionOf({ path }: Pick<Endpoint, "path">): string {
  return path.split("/")[2] ?? "discovery";
}

interface Components {
  /** The same, with a reference in the place of every shape that has a name. */
  take(node: unknown): unknown;
  schemas(): Readonly<Record<string, object>>;
}

function createComponents(): Components {
  const originals = new Map<string, object>();
  const schemas = new Map<string, object>();
  const inside = (node: object) =>
    Object.fromEntries(Object.entries(node).map(([key, value]) => [key, take(value)]));
  const take = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(take);
    if (typeof node !== "object" || node === null) return node;
    const { title, type } = node as { readonly title?: unknown; readonly type?: unknown };
    if (typeof title !== "string" || type !== "object") return inside(node);
    const known = originals.get(title);
    if (known === undefined) {
      originals.set(title, node);
      schemas.set(title, inside(node));
    }
    assert(
      known === undefined || known === node || isDeepStrictEqual(known, node),
      `two shapes are called ${title}`,
    );
    return { $ref: `#/components/schemas/${title}` };
  };
  return { take, schemas: () => Object.fromEntries([...schemas].toSorted(([a], [b]) => (a < b ? -1 : 1))) };
}

function describe(endpoint: Endpoint): object {
  const inPath = [...endpoint.path.matchAll(/:(\w+)/g)].map(([, name = ""]) => ({
    name,
    in: "path",
    required: true,
    schema: whatNames(endpoint, name) ?? { type: "string" },
  }));
  const inQuery = endpoint.parameters.map((name) => ({
    name,
    in: "query",
    ...describeParameter(name, endpoint.words?.[name]),
  }));
  return {
    operationId: operationId(endpoint),
    tags: [collectionOf(endpoint)],
    summary: endpoint.summary,
    parameters: [...inPath, ...inQuery],
    ...(endpoint.body !== undefined && {
      requestBody: { content: { "application/json": { schema: withOptions(endpoint.body) } } },
    }),
    ...(endpoint.takes !== undefined && {
      requestBody: { content: { [endpoint.takes.type]: { schema: endpoint.takes.schema } } },
    }),
    ...(endpoint.access !== "public" && { security: [{ token: [] }] }),
    responses: {
      ...Object.fromEntries(
        Object.entries(endpoint.answers).map(([status, body]) => [
          status,
          body === null ? EMPTY[status] : { description: "What was asked for.", content: contentOf(body) },
        ]),
      ),
      ...errorsOf(endpoint),
    },
  };
}

function describeParameter(name: string, words: readonly string[] | undefined): object {
  const schema = { type: "string", ...(words !== undefined && { enum: words }) };
  switch (name) {
    case "page":
      return { schema: { type: "integer", minimum: 1, default: 1 } };
    case "per_page":
      return { schema: { type: "integer", minimum: 1, maximum: MAX_PER_PAGE, default: DEFAULT_PER_PAGE } };
    case "include":
      return { style: "form", explode: false, schema: { type: "array", items: schema, uniqueItems: true } };
    default:
      return { schema };
  }
}

/** What stands last in a path is a property of what is shown there: `…/feature_flags/:name`. */
function whatNames({ path, answers }: Endpoint, parameter: string): object | undefined {
  const shown = answers[200] as { readonly properties?: Readonly<Record<string, object>> } | null | undefined;
  return path.endsWith(`/:${parameter}`) ? shown?.properties?.[parameter] : undefined;
}

/** Options that the body's own schema leaves open are a route's. */
function withOptions(body: TSchema): object {
  const { properties } = body as { readonly properties?: Readonly<Record<string, object>> };
  const options = properties?.["options"];
  if (options === undefined || Object.hasOwn(options, "type")) return body;
  return { ...body, properties: { ...properties, options: RouteOptionsShape } };
}

/** `getRoutesGuidDestinations` */
function operationId({ method, path }: Endpoint): string {
  const words = path.split(/[^a-zA-Z0-9]+/).filter((word, i) => word !== "" && (word !== "v3" || i > 1));
  if (path === "/v3") words.push("v3");
  return method.toLowerCase() + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
}

// --- answers ---

/** Answers that have no body. */
const EMPTY: Readonly<Record<string, object>> = {
  "202": {
    description: "It is done, and a job says so.",
    headers: {
      Location: {
        required: true,
        schema: { type: "string", format: "uri" },
        description: "Where the job is.",
      },
    },
  },
  "204": { description: "It is done." },
};

/** JSON, unless the shape names another type. */
const contentOf = (schema: TSchema) => {
  const { contentMediaType = "application/json" } = schema as { readonly contentMediaType?: string };
  return { [contentMediaType]: { schema } };
};

// --- errors ---

const errorShapes = new Map<string, TSchema>();

/** `{"errors":[…]}`, one element per problem, all of this kind. */
function errorShape({ code, title }: { readonly code: number; readonly title: string }): TSchema {
  const known = errorShapes.get(title);
  if (known !== undefined) return known;
  const each = part({
    code: Type.Literal(code),
    title: Type.Literal(title),
    detail: Type.String({ minLength: 1 }),
    ...(code === shownAs(unprocessable)?.code && { about: Type.Optional(AboutOption) }),
  });
  const made = shape(title.replace(/^CF-/, ""), { errors: Type.Array(each, { minItems: 1 }) });
  errorShapes.set(title, made);
  return made;
}

/** What every call of its kind may be refused with, and what this one says of itself. */
function refusalsOf(endpoint: Endpoint): readonly KnownError[] {
  const { access, method, path, parameters, body, refuses = [] } = endpoint;
  const isRead = method === "GET";
  return [
    ...(isRead || parameters.length > 0 ? [badQueryParameter] : []),
    // A body that is too large is refused even where none is wanted.
    ...(isRead ? [] : [messageParseError]),
    ...(access === "public" ? [] : [notAuthenticated, invalidAuthToken, notAuthorized]),
    ...(access === "write" ? [organizationSuspended] : []),
    ...(path.includes(":") ? [resourceNotFound, unknownRequest] : []),
    ...(isRead && body === undefined ? [] : [unprocessable]),
    ...refuses,
  ];
}

function errorsOf(endpoint: Endpoint): Readonly<Record<string, object>> {
  const byStatus = Map.groupBy(refusalsOf(endpoint), ({ definition }) => definition.status);
  const refusals = [...byStatus].map(([status, errors]) => {
    const shapes = new Map(
      errors.map((error) => {
        const shown = shownAs(error);
        assert(shown !== null, `${error.definition.code} has no number for an API client`);
        return [shown.title, errorShape(shown)];
      }),
    );
    return [String(status), describeErrors("What is wrong with the request.", [...shapes.values()])] as const;
  });
  return {
    ...Object.fromEntries(refusals),
    "500": describeErrors("What is wrong here.", [errorShape(UNKNOWN)]),
    "503": describeErrors("What is away for the moment; try again later.", [errorShape(UNAVAILABLE)]),
  };
}

const describeErrors = (description: string, shapes: readonly TSchema[]) => ({
  description,
  content: { "application/json": { schema: shapes.length === 1 ? shapes[0] : { anyOf: shapes } } },
});
