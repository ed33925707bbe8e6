/** The OpenAPI document of the API, made from the endpoints themselves when somebody asks for it. */
import type { TSchema } from "typebox";
import { optionMapSchema } from "../options/index.ts";
import type { Endpoint } from "./endpoint.ts";

type Schema = Readonly<Record<string, unknown>>;

const LINK: Schema = { type: "object", required: ["href"], properties: { href: { type: "string" } } };
const PAGE_LINK: Schema = { anyOf: [LINK, { type: "null" }] };

/** Shapes that answers of every resource have. */
const SHAPES: Readonly<Record<string, Schema>> = {
  Resource: { type: "object" },
  List: {
    type: "object",
    required: ["pagination", "resources"],
    properties: {
      pagination: {
        type: "object",
        required: ["total_results", "total_pages", "first", "last", "next", "previous"],
        properties: {
          total_results: { type: "integer", minimum: 0 },
          total_pages: { type: "integer", minimum: 1 },
          first: LINK,
          last: LINK,
          next: PAGE_LINK,
          previous: PAGE_LINK,
        },
      },
      resources: { type: "array", items: { type: "object" } },
      included: { type: "object", additionalProperties: { type: "array" } },
    },
  },
  Errors: {
    type: "object",
    required: ["errors"],
    properties: {
      errors: {
        type: "array",
        minItems: 1,
        items: {
          type: "object",
          required: ["code", "title", "detail"],
          properties: {
            code: { type: "integer" },
            title: { type: "string" },
            detail: { type: "string" },
            about: {
              type: "object",
              description: "Of a route option that is refused: which, where, and what it may be.",
              required: ["route", "option", "value", "allowed"],
              properties: {
                route: { type: "string" },
                option: { type: "string" },
                value: {},
                allowed: { type: ["array", "object"] },
              },
            },
          },
        },
      },
    },
  },
};

/** A route's options are checked by the options themselves; here is what they take. */
const ROUTE_OPTIONS = { $ref: "#/components/schemas/RouteOptions" };

/** @param url  Where the API is reached. */
export function describeApi(endpoints: readonly Endpoint[], url: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const endpoint of endpoints) {
    const path = endpoint.path.replaceAll(/:(\w+)/g, "{$1}");
    const operations = (paths[path] ??= {});
    operations[endpoint.method.toLowerCase()] = describe(endpoint);
  }
  const collections = [...new Set(endpoints.map(collectionOf))];
  return {
    openapi: "3.1.0",
    info: { title: "Viaduct: Cloud Controller v3 for routing", version: "3" },
    servers: [{ url }],
    tags: collections.map((name) => ({ name })),
    paths,
    components: {
      schemas: { ...SHAPES, RouteOptions: optionMapSchema() },
      securitySchemes: { token: { type: "http", scheme: "bearer", bearerFormat: "JWT" } },
    },
  };
}

/** `routes` of `/v3/routes/:guid/destinations`; what stands alone is discovery. */
export function collectionOf({ path }: Pick<Endpoint, "path">): string {
  return path.split("/")[2] ?? "discovery";
}

function describe(endpoint: Endpoint): object {
  const inPath = [...endpoint.path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  const inQuery = endpoint.parameters.map((name) => ({ name, in: "query", schema: { type: "string" } }));
  const shape = endpoint.parameters.includes("per_page") ? "List" : "Resource";
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
      "2XX": answer("What was asked for; empty for 204, and for 202, whose Location names a job.", shape),
      "4XX": answer("What is wrong with the request, one error per problem.", "Errors"),
      "5XX": answer("What is wrong here; try again later.", "Errors"),
    },
  };
}

/** Options that the body's own schema leaves open are a route's. */
function withOptions(body: TSchema): object {
  const { properties } = body as { readonly properties?: Readonly<Record<string, object>> };
  const options = properties?.["options"];
  if (options === undefined || Object.hasOwn(options, "type")) return body;
  return { ...body, properties: { ...properties, options: ROUTE_OPTIONS } };
}

/** `getRoutesGuidDestinations` */
function operationId({ method, path }: Endpoint): string {
  const words = path.split(/[^a-zA-Z0-9]+/).filter((word, i) => word !== "" && (word !== "v3" || i > 1));
  if (path === "/v3") words.push("v3");
  return method.toLowerCase() + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
}

const answer = (description: string, shape: string) => ({
  description,
  content: { "application/json": { schema: { $ref: `#/components/schemas/${shape}` } } },
});
