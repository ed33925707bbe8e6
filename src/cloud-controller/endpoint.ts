/**
 * The shape of one call of the API: everything about it in one value, so that the server, the permissions and the
 * OpenAPI document read the same thing. A resource is a file with a list of these.
 */
import type { Static, TSchema } from "typebox";
import type { RefusedOption } from "../kernel/errors/cloud-controller.ts";
import type { Context } from "./context.ts";
import type { Caller } from "./permissions.ts";
import type { Shown } from "./shape.ts";

/** The query string; a name that comes twice keeps its last value. */
export type Query = Readonly<Record<string, string>>;

export interface Call<B = unknown> {
  readonly context: Context;
  readonly caller: Caller;
  /** Of the request, without query: `/v3/routes`. */
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  /** The header of that name: the change is wanted only while the resource is the one with this tag. */
  readonly ifMatch: string | undefined;
  /** Checked against the endpoint's schema. */
  readonly body: B;
  /** The body as it came, for endpoints that take no JSON. */
  readonly payload: Payload;
}

/** Who changes something, and with what. */
export type Actor = Pick<Call, "context" | "caller">;

export interface Payload {
  /** The header `Content-Type`; "" for none. */
  readonly type: string;
  /** "" for a multipart body. */
  readonly text: string;
  /** A multipart body, unread and of any size; null for every other. */
  readonly stream: AsyncIterable<Buffer> | null;
}

export interface Answer {
  readonly status: number;
  readonly body?: object | string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What there is when all went well: the shape of the body per status, null where there is none. */
export type Answers = Readonly<Partial<Record<200 | 201 | 202 | 204, TSchema | null>>>;

/** What a handler that promises these answers may return. */
export type AnswerOf<A extends Answers> = {
  [S in keyof A & number]: Pick<Answer, "headers"> & { readonly status: S } & (A[S] extends TSchema
      ? { readonly body: Shown<A[S]> }
      : { readonly body?: undefined });
}[keyof A & number];

/** An error of the catalogue, as far as a document tells of it. */
export interface KnownError {
  readonly definition: { readonly code: string; readonly status: number };
}

/** Who may call at all: anybody, or whose token has the scope for reading or writing. */
export type Access = "public" | "read" | "write";

export interface Endpoint {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** `/v3/routes/:guid` */
  readonly path: string;
  /** One line for the OpenAPI document. */
  readonly summary: string;
  readonly access: Access;
  /** The JSON body; without one, a body is ignored. */
  readonly body?: TSchema;
  /** What the body is when it is no JSON, for the OpenAPI document; the handler reads `payload`. */
  readonly takes?: { readonly type: string; readonly schema: object };
  /** Rules of the body that a schema cannot say; runs when the schema is content. One sentence per problem. */
  readonly check?: (body: never, context: Context) => readonly string[];
  /** Rules of what the schema leaves open; asked whatever else is wrong, so that everything is said at once. */
  readonly checkOpen?: (body: OpenBody, context: Context, params: Call["params"]) => readonly Problem[];
  /** Every query parameter there is; others are refused when reading. Times and `fields` may have `[…]` after them. */
  readonly parameters: readonly string[];
  /** Parameter → the words it takes, where they are few; of `include` several at once. */
  readonly words?: Readonly<Record<string, readonly string[]>>;
  readonly answers: Answers;
  /** Errors that not every call of this kind has; the others: `errorsOf` in `openapi.ts`. */
  readonly refuses?: readonly KnownError[];
  readonly handle: (call: Call<never>) => Promise<Answer>;
}

/** A body that is an object and may be nothing more. */
export type OpenBody = Readonly<Record<string, unknown>>;

/** A sentence, or one with what it is about. */
export type Problem = string | RefusedOption;

/** What most endpoints leave out is filled in. */
export function defineEndpoint<S extends TSchema, const A extends Answers>(
  given: Omit<Endpoint, "body" | "check" | "parameters" | "answers" | "handle"> & {
    readonly body?: S;
    readonly check?: (body: Static<S>, context: Context) => readonly string[];
    readonly parameters?: readonly string[];
    readonly answers: A;
    readonly handle: (call: Call<Static<S>>) => Promise<AnswerOf<NoInfer<A>>>;
  },
): Endpoint {
  return Object.freeze({ parameters: [], ...given });
}

export const ok = <const B extends object>(body: B) => ({ status: 200 as const, body });
export const created = <const B extends object>(body: B) => ({ status: 201 as const, body });
export const accepted = <const B extends object>(body: B) => ({ status: 202 as const, body });
export const noContent = Object.freeze({ status: 204 as const });
