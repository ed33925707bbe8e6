/**
 * Request bodies: TypeBox schemas on one side, Cloud Foundry's sentences on the other. A schema may carry its own
 * words: `refusal` is said once for anything wrong at or below it, `refusals` per JSON Schema keyword.
 *
 * @example
 * const Body = message({ host: Type.Optional(nullable(Type.String({ maxLength: 63 }))) });
 * await problemsOf(Body, { hots: 1 });   // ["Unknown field(s): 'hots'"]
 */
import { type Static, type TObject, type TProperties, type TSchema, Type } from "typebox";

interface Wording {
  /** Replaces every other sentence about this value and what is inside it; the value's name goes before it. */
  readonly refusal?: string;
  /** The same, without the name. */
  readonly sentence?: string;
  /** Keyword → sentence. */
  readonly refusals?: Readonly<Record<string, string>>;
}

/** The largest that a column of whole numbers holds in both databases. */
export const MAX_INTEGER = 2_147_483_647;

/**
 * What people call things: some character that can be seen, and none that moves a cursor or ends a line, because names
 * stand in tables and logs.
 */
export const nameOf = (maxLength: number) =>
  Type.String({
    minLength: 1,
    maxLength,
    pattern: NAME.source,
    refusals: { pattern: "must have a character that is no space, and no control characters" },
  });
export const NAME = /^(?!\s+$)[^\p{Cc}]*$/u;

/** An object that knows no other keys. */
export function message<P extends TProperties>(properties: P, wording: Wording = {}): TObject<P> {
  return Type.Object(properties, { additionalProperties: false, ...wording });
}

/** The same schema, which also takes `null`. Only for schemas of one `type`. */
export function nullable<S extends TSchema & { type: string }>(schema: S) {
  return Type.Unsafe<Static<S> | null>({ ...schema, type: [schema.type, "null"] });
}

/** Of one relationship in one body; a statement of SQLite takes 32,766 values. */
const MAX_RELATED = 10_000;

const GuidObject = message({ guid: Type.String({ minLength: 1, maxLength: 200 }) });

/** `{"data":{"guid":"…"}}` */
export function toOne(attribute: string) {
  return message(
    { data: GuidObject },
    { refusal: `must be structured like this: "${attribute}: {"data": {"guid": "valid-guid"}}"` },
  );
}

/** `{"data":{"guid":"…"}}` or `{"data":null}`, which clears it. */
export function toOneOrNone(attribute: string) {
  return message(
    { data: Type.Unsafe<Static<typeof GuidObject> | null>({ ...GuidObject, type: ["object", "null"] }) },
    { refusal: `must be structured like this: "${attribute}: {"data": {"guid": "valid-guid"}}"` },
  );
}

/** `{"data":[{"guid":"…"},…]}` */
export function toMany(attribute: string) {
  return message(
    { data: Type.Array(GuidObject, { maxItems: MAX_RELATED }) },
    {
      refusal: `must be structured like this: "${attribute}: {"data": [{"guid": "valid-guid"},{"guid": "valid-guid"}]}"`,
    },
  );
}

interface Validator {
  Errors(value: unknown): [boolean, readonly SchemaError[]];
}
interface SchemaError {
  readonly keyword: string;
  readonly schemaPath: string;
  readonly instancePath: string;
  readonly params: object;
}

/** As many as the checker gathers; 8, if nobody says otherwise. */
const MAX_ERRORS = 500;

const compiled = new WeakMap<TSchema, Validator>();

/**
 * Everything that is wrong with `value`, one sentence each, in upstream's words; empty when nothing is.
 * The checker is loaded and compiled when the first body of its kind arrives, so that starting costs nothing.
 */
export async function problemsOf(schema: TSchema, value: unknown): Promise<string[]> {
  let validator = compiled.get(schema);
  if (validator === undefined) {
    const [{ Compile }, { Settings }] = await Promise.all([
      import("typebox/schema"),
      import("typebox/system"),
    ]);
    Settings.Set({ maxErrors: MAX_ERRORS });
    validator = Compile(schema) as unknown as Validator;
    compiled.set(schema, validator);
  }
  const [isValid, errors] = validator.Errors(value);
  if (isValid) return [];
  const problems = new Set(errors.flatMap((error) => sentences(schema, value, error)));
  // What is wrong is never nothing: with more surplus keys than are counted, there is no error that names them all.
  return problems.size > 0 ? [...problems] : ["The request has too many unknown fields"];
}

function sentences(schema: TSchema, value: unknown, error: SchemaError): string[] {
  // The checker also reports each surplus key as a value that a `false` schema refuses; once is enough.
  if (error.keyword === "boolean") return [];
  const path = error.instancePath.split("/").slice(1);
  // Said before anything that speaks for the form: there is nothing wrong with that.
  if (error.keyword === "maxItems") {
    const { limit } = error.params as { readonly limit: number };
    return [label(path, `must name at most ${limit} at once`)];
  }
  const { node, refusedAt } = find(schema, error.schemaPath);
  if (refusedAt !== null) {
    const { depth, wording } = refusedAt;
    return [wording.sentence ?? label(path.slice(0, depth), wording.refusal ?? "is invalid")];
  }
  const own = (node as Wording).refusals?.[error.keyword];
  if (own !== undefined) return [label(path, own)];
  const params = error.params as Record<string, unknown>;
  switch (error.keyword) {
    case "additionalProperties":
      return [
        label(path, `Unknown field(s): '${(params["additionalProperties"] as string[]).join("', '")}'`),
      ];
    case "required":
      return (params["requiredProperties"] as string[]).map((name) =>
        label([...path, name], "can't be blank"),
      );
    case "minLength":
      return [
        label(
          path,
          at(value, path) === ""
            ? "can't be blank"
            : `is too short (minimum is ${characters(params["limit"])})`,
        ),
      ];
    case "maxLength":
      return [label(path, `is too long (maximum is ${characters(params["limit"])})`)];
    case "minimum":
      return [label(path, `must be greater than or equal to ${params["limit"]}`)];
    case "maximum":
      return [label(path, `must be less than or equal to ${params["limit"]}`)];
    case "exclusiveMinimum":
      return [label(path, `must be greater than ${params["limit"]}`)];
    case "enum":
      return [label(path, `must be one of ${quoted((node as { enum?: unknown[] }).enum ?? [])}`)];
    case "type":
      return [label(path, wrongType([params["type"]].flat(), at(value, path)))];
    default:
      return [label(path, "is invalid")];
  }
}

const characters = (limit: unknown) => `${limit} ${limit === 1 ? "character" : "characters"}`;
const quoted = (values: readonly unknown[]) => values.map((value) => `'${String(value)}'`).join(", ");

function wrongType(types: readonly unknown[], value: unknown): string {
  const type = types.find((each) => each !== "null");
  if (type === "integer") return typeof value === "number" ? "must be an integer" : "is not a number";
  if (type === "object" || type === "array") return `must be an ${type}`;
  return `must be a ${String(type)}`;
}

interface Refusal {
  readonly depth: number;
  readonly wording: Wording;
}

/** The schema an error is about, and the first one on the way to it that speaks for all below it. */
function find(schema: TSchema, schemaPath: string): { node: unknown; refusedAt: Refusal | null } {
  let node: unknown = schema;
  let depth = 0;
  const refusals: Refusal[] = [];
  const look = () => {
    const wording = (node ?? {}) as Wording;
    if (wording.refusal !== undefined || wording.sentence !== undefined) refusals.push({ depth, wording });
  };
  look();
  let previous = "";
  for (const segment of schemaPath.split("/").slice(1)) {
    node = (node as Record<string, unknown> | undefined)?.[segment];
    // «properties/name» is one step down in the value, and so is «items».
    if (previous === "properties" || (segment === "items" && previous !== "properties")) depth += 1;
    look();
    previous = previous === "properties" ? "" : segment;
  }
  return { node, refusedAt: refusals[0] ?? null };
}

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((inside, key) => (inside as Record<string, unknown> | null)?.[key], value);
}

/** `["memory_in_mb"], "is …"` → `Memory in mb is …`; `["destinations", "0", "port"]` → `Destinations[0]: port …`. */
function label(path: readonly string[], sentence: string): string {
  const words = path.map(
    (segment) => segment.charAt(0).toUpperCase() + segment.slice(1).replaceAll("_", " "),
  );
  return [...words, sentence].join(" ");
}
