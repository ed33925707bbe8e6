/**
 * For tests: is an answer what the OpenAPI document says? `testing.ts` asks for every answer that any test gets, so a
 * presenter and its shape cannot part without a red test.
 */
import type { TSchema } from "typebox";
import { Compile } from "typebox/schema";
import { describeApi } from "./openapi.ts";
import { endpoints } from "./resources/index.ts";

interface Answered {
  readonly method: string;
  /** Of the endpoint: `/v3/routes/:guid`. */
  readonly path: string;
  readonly status: number;
  readonly contentType: string;
  readonly headers: Readonly<Record<string, unknown>>;
  /** As it came. */
  readonly body: string;
}

interface DescribedAnswer {
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly content?: Readonly<Record<string, { readonly schema: object }>>;
}
interface Document {
  readonly paths: Readonly<
    Record<
      string,
      Readonly<Record<string, { readonly responses: Readonly<Record<string, DescribedAnswer>> }>>
    >
  >;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}
type Validator = ReturnType<typeof Compile<object>>;

let document: Document | undefined;
const validators = new Map<string, Validator>();

/** What the document does not say of it; null when it says all. */
export function answerProblem(answered: Answered): string | null {
  document ??= describeApi(endpoints, "http://localhost:8080") as Document;
  const { method, path, status, headers, body } = answered;
  const operation = document.paths[path.replaceAll(/:(\w+)/g, "{$1}")]?.[method.toLowerCase()];
  // Not of this API: the document itself, its page, the UAA.
  if (operation === undefined) return null;
  const described = operation.responses[String(status)];
  if (described === undefined) return `the document knows no answer ${status}`;
  const missing = Object.keys(described.headers ?? {}).find(
    (name) => headers[name.toLowerCase()] === undefined,
  );
  if (missing !== undefined) return `the document promises a header ${missing}`;
  const [[type, { schema }] = [null, { schema: null }]] = Object.entries(described.content ?? {});
  if (type === null || schema === null) return body === "" ? null : "the document knows no body";
  if (!answered.contentType.startsWith(type)) return `the document promises ${type}`;
  if (type !== "application/json") return null;
  const validator = validatorOf(`${method} ${path} ${status}`, schema, document);
  const value: unknown = JSON.parse(body);
  if (validator.Check(value)) return null;
  const [, errors] = validator.Errors(value);
  return errors
    .slice(0, 5)
    .map(({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`)
    .join("; ");
}

function validatorOf(key: string, schema: object, { components }: Document): Validator {
  const known = validators.get(key);
  if (known !== undefined) return known;
  const made = Compile({ ...schema, components } as TSchema & object);
  validators.set(key, made);
  return made;
}
