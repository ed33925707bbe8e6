/** The OpenAPI document of the API, made from the endpoints themselves when somebody asks for it. */
import type { Endpoint } from "./endpoint.ts";

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
      requestBody: { content: { "application/json": { schema: endpoint.body } } },
    }),
    ...(endpoint.access !== "public" && { security: [{ token: [] }] }),
    responses: { default: { description: "A resource, or errors." } },
  };
}
