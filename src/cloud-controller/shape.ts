/**
 * Shapes: what answers are, as schemas beside the presenters that make them. A shape has a name, under which the OpenAPI
 * document lists it, and is closed: a presenter that shows less does not compile, one that shows more fails the next
 * test that asks the API anything (`answer-check.ts`).
 *
 * @example
 * const Stack = resource("Stack", { name: Type.String(), links: linksTo(["self"]) });
 * const present = (row: RowOf<"stacks">): Shown<typeof Stack> => ({ ...head(row), name: row.name, links: { … } });
 */
import { type Static, type TObject, type TOptional, type TProperties, type TSchema, Type } from "typebox";
import type { RouteOptions } from "../table/index.ts";

/** What a presenter makes of a shape: the same, and nobody may change it. */
export type Shown<S extends TSchema> = DeepReadonly<Static<S>>;
type DeepReadonly<T> = T extends readonly (infer E)[]
  ? readonly DeepReadonly<E>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;

/** An object with these keys and no others, under a name of its own. */
export function shape<P extends TProperties>(title: string, properties: P): TObject<P> {
  return Type.Object(properties, { title, additionalProperties: false });
}

/** An object with these keys and no others, which is only a part of another one. */
export const part = <P extends TProperties>(properties: P): TObject<P> =>
  Type.Object(properties, { additionalProperties: false });

/** One of these words; `oneOf<string>(…)` where the rows themselves only promise a string. */
export const oneOf = <V extends string>(...values: readonly V[]) =>
  Type.Unsafe<V>({ type: "string", enum: values });

/** This, or `null`. */
export const orNull = <S extends TSchema>(schema: S) =>
  Type.Unsafe<Static<S> | null>({ anyOf: [schema, { type: "null" }] });

export const Guid = Type.String({ format: "uuid" });
export const Time = Type.String({ format: "date-time", examples: ["2026-11-21T10:00:00Z"] });
export const Url = Type.String({ format: "uri" });
export const Quantity = Type.Integer({ minimum: 0 });
/** Bytes per second; -1 for any number. */
export const LogRate = Type.Integer({ minimum: -1 });
/** Names and what stands for them: labels, variables, commands. */
export const Texts = Type.Record(Type.String(), Type.String());
/** What users put there, and nobody here looks into. */
export const AnyObject = Type.Unsafe<object>({ type: "object" });

/** What lists of nothing hold. */
export const Nothing = Type.Never();

export const Link = shape("Link", { href: Url, method: Type.Optional(oneOf("POST", "PATCH")) });

/** The key `links`. */
export function linksTo<Always extends string, Sometimes extends string = never>(
  always: readonly Always[],
  sometimes: readonly Sometimes[] = [],
) {
  const links: TProperties = {
    ...Object.fromEntries(always.map((name) => [name, Link])),
    ...Object.fromEntries(sometimes.map((name) => [name, Type.Optional(Link)])),
  };
  return part(links as { [N in Always]: typeof Link } & { [N in Sometimes]: TOptional<typeof Link> });
}

/** Another resource, by its GUID alone. */
export const Related = shape("RelatedResource", { guid: Guid });
/** `{"data":{"guid":"…"}}` */
export const ToOne = shape("ToOneRelationship", { data: Related });
/** `{"data":{"guid":"…"}}` or `{"data":null}` */
export const ToOneOrNone = shape("OptionalToOneRelationship", { data: orNull(Related) });
/** `{"data":[{"guid":"…"},…]}` */
export const ToMany = shape("ToManyRelationship", { data: Type.Array(Related) });

/** {@link ToMany}, as a page of its own. */
export const ToManyPage = shape("ToManyRelationshipPage", {
  data: ToMany.properties.data,
  links: linksTo(["self"]),
});

export const MetadataShape = shape("Metadata", { labels: Texts, annotations: Texts });

/** The options of a route: what the options themselves say of their values. */
export const RouteOptionsShape = Type.Unsafe<RouteOptions>({ $ref: "#/components/schemas/RouteOptions" });

/** What became of the last change; here all are done at once. */
export const LastOperation = shape("LastOperation", {
  type: oneOf("create"),
  state: oneOf("succeeded"),
  description: Type.String(),
  created_at: Time,
  updated_at: Time,
});

/** Of a route option that is refused; `respond.ts` says it of an error. */
export const AboutOption = shape("RefusedOption", {
  route: Type.String(),
  option: Type.String(),
  value: Type.Unknown(),
  allowed: Type.Unsafe<unknown>({ type: ["array", "object"] }),
});

const IDENTITY = { guid: Guid, created_at: Time, updated_at: Time };

/** A resource: what {@link head} shows, and these. */
export const resource = <P extends TProperties>(title: string, properties: P) =>
  shape(title, { ...IDENTITY, ...properties });

export const Pagination = shape("Pagination", {
  total_results: Quantity,
  total_pages: Type.Integer({ minimum: 1 }),
  first: Link,
  last: Link,
  next: orNull(Link),
  previous: orNull(Link),
});

/** Below `included`: which shapes there are under which key. */
export type Included = Readonly<Record<string, TSchema>>;

const includedPart = (included: Included) => ({
  included: Type.Optional(
    part(
      Object.fromEntries(
        Object.entries(included).map(([key, each]) => [key, Type.Optional(Type.Array(each))]),
      ),
    ),
  ),
});

/** A page of a list. */
export const listOf = <S extends TSchema>(each: S) =>
  shape(`${titleOf(each)}List`, { pagination: Pagination, resources: Type.Array(each) });

/** A resource, or a list of them, that may come with others. */
export const withIncluded = (what: TSchema, included: Included): TSchema =>
  Object.keys(included).length === 0
    ? what
    : shape(`${titleOf(what)}AndIncluded`, { ...(what as TObject).properties, ...includedPart(included) });

const titleOf = (schema: TSchema) => (schema as { readonly title?: string }).title ?? "Empty";
