/**
 * Reading JSON objects that peers sent, field by field, the way Go's decoder does: an absent field and null are the
 * default, a value of another type spoils the whole message.
 */

/** A message, or why it is none. */
export type Decoded<M> =
  | { readonly ok: true; readonly message: M }
  | { readonly ok: false; readonly problem: string };

export type Json = Readonly<Record<string, unknown>>;

/** Thrown by the readers below, and caught by {@link decodeJson} only. */
class FieldProblem extends Error {}

/** Longest piece of a peer's value in a problem. */
const SHOWN_LENGTH = 60;

export function refuse(field: string, value: unknown, want: string): never {
  const text = JSON.stringify(value);
  const shown = text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}…` : text;
  throw new FieldProblem(`${field}: ${shown} is not ${want}`);
}

/** Upstream's own sentence, where operators search for it. */
export function refuseMessage(problem: string): never {
  throw new FieldProblem(problem);
}

/** Decodes an object with `read`, which gets the raw text too. Never throws. */
export function decodeJson<M>(bytes: Uint8Array, read: (json: Json, text: string) => M): Decoded<M> {
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString("utf8");
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return { ok: false, problem: `not JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    return { ok: false, problem: "not a JSON object" };
  }
  try {
    return { ok: true, message: read(json as Json, text) };
  } catch (error) {
    if (error instanceof FieldProblem) return { ok: false, problem: error.message };
    throw error;
  }
}

// Values are given, not looked for here: a place in the code that reads one field of many messages is fast, one that
// reads all fields is not.

export function text(value: unknown, field: string): string {
  if (typeof value === "string") return value;
  if (value === undefined || value === null) return "";
  return refuse(field, value, "text");
}

export function wholeNumber(value: unknown, field: string, minimum: number, maximum: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= minimum && value <= maximum) {
    return value;
  }
  if (value === undefined || value === null) return 0;
  return refuse(field, value, `a whole number ${minimum}–${maximum}`);
}

/** A duration as the start messages carry it. */
export function seconds(value: unknown, field: string): number {
  return wholeNumber(value, field, 0, Number.MAX_SAFE_INTEGER);
}

const NOTHING: readonly string[] = Object.freeze([]);

export function texts(value: unknown, field: string): readonly string[] {
  if (value === undefined || value === null) return NOTHING;
  if (!Array.isArray(value)) return refuse(field, value, "a list of texts");
  for (const item of value) if (typeof item !== "string") refuse(field, value, "a list of texts");
  return value as readonly string[];
}

const NO_TAGS: Readonly<Record<string, string>> = Object.freeze({});

export function textMap(value: unknown, field: string): Readonly<Record<string, string>> {
  if (value === undefined || value === null) return NO_TAGS;
  if (typeof value !== "object" || Array.isArray(value)) return refuse(field, value, "a map of texts");
  for (const key in value) {
    if (typeof (value as Json)[key] !== "string") refuse(field, value, "a map of texts");
  }
  return value as Readonly<Record<string, string>>;
}
