/** The API's OpenAPI document as tests read it: one operation per call, every reference filled in. */
import assert from "node:assert/strict";
import type { TestApi } from "../../src/cloud-controller/testing.ts";

/** As much of JSON Schema as the document uses. */
export interface Schema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly minimum?: number;
}

export interface Operation {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** `/v3/routes/{guid}` */
  readonly path: string;
  /** `routes` */
  readonly collection: string;
  /** Names of the parameters in the query string. */
  readonly query: readonly string[];
  /** Parameter → what it may be, where that is a number of words. */
  readonly words: Readonly<Record<string, readonly string[]>>;
  /** Whether any good answer is described. */
  readonly isPossible: boolean;
  /** Content type → schema; empty for a call without a body. */
  readonly bodies: Readonly<Record<string, Schema>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}
interface Described {
  readonly tags: readonly string[];
  readonly parameters: readonly {
    readonly name: string;
    readonly in: string;
    readonly schema: {
      readonly enum?: readonly string[];
      readonly items?: { readonly enum?: readonly string[] };
    };
  }[];
  readonly responses: Readonly<Record<string, unknown>>;
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: object }>> };
}

export async function readOperations(api: TestApi): Promise<readonly Operation[]> {
  const { body } = await api.request({ method: "GET", url: "/v3/openapi.json" });
  const document = body as unknown as Document;
  const filled = (schema: object) => fill(schema, document) as Schema;
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]): Operation => {
      const content = Object.entries(described.requestBody?.content ?? {});
      return {
        method: method.toUpperCase() as Operation["method"],
        path,
        collection: described.tags[0] ?? "",
        query: described.parameters.filter((each) => each.in === "query").map(({ name }) => name),
        words: Object.fromEntries(
          described.parameters.flatMap(({ name, schema }) => {
            const words = schema.enum ?? schema.items?.enum;
            return words === undefined ? [] : [[name, words]];
          }),
        ),
        isPossible: Object.keys(described.responses).some((status) => status.startsWith("2")),
        bodies: Object.fromEntries(content.map(([type, { schema }]) => [type, filled(schema)])),
      };
    }),
  );
}

/** `{"$ref":"#/components/schemas/Route"}` → what stands there. */
function fill(node: unknown, document: Document): unknown {
  if (Array.isArray(node)) return node.map((each) => fill(each, document));
  if (typeof node !== "object" || node === null) return node;
  const { $ref } = node as { readonly $ref?: string };
  if ($ref !== undefined) {
    return fill(document.components.schemas[$ref.split("/").at(-1) ?? ""] ?? assert.fail($ref), document);
  }
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, fill(value, document)]));
}
