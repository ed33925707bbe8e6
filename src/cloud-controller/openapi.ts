/** The OpenAPI document of the API, made from the endpoints themselves when somebody asks for it. */
import type { TSchema } from "typebox";
import { optionMapSchema } from "../options/index.ts";
import type { Endpoint } from "./endpoint.ts";

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
  return {
    openapi: "3.1.0",
    info: { title: "Viaduct: Cloud Controller v3 for routing", version: "3" },
    servers: [{ url }],
    paths,
    components: {
      schemas: { RouteOptions: optionMapSchema() },
      securitySchemes: { token: { type: "http", scheme: "bearer", bearerFormat: "JWT" } },
    },
  };
}

function describe(endpoint: Endpoint): object {
  const inPath = [...endpoint.path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  const inQuery = endpoint.parameters.map((name) => ({ name, in: "query", schema: { type: "string" } }));
  return {
    summary: endpoint.summary,
    parameters: [...inPath, ...inQuery],
    ...(endpoint.body !== undefined && {
      requestBody: { content: { "application/json": { schema: withOptions(endpoint.body) } } },
    }),
    ...(endpoint.access !== "public" && { security: [{ token: [] }] }),
    responses: { default: { description: "A resource, or errors." } },
  };
}

/** The only `options` that a body may have are a route's. */
function withOptions(body: TSchema): object {
  const { properties } = body as { readonly properties?: Readonly<Record<string, object>> };
  if (properties === undefined || !Object.hasOwn(properties, "options")) return body;
  return { ...body, properties: { ...properties, options: ROUTE_OPTIONS } };
}
