/** How values that no engine has a common type for are written: JSON and time. */

declare const json: unique symbol;

/** JSON text that holds a `T`. Only {@link encodeJson} makes one, so a column cannot get other text by mistake. */
export type JsonText<T> = string & { readonly [json]: T };

export function encodeJson<T>(value: T): JsonText<T> {
  return JSON.stringify(value) as JsonText<T>;
}

/** Trusts the text, because it was written through {@link encodeJson}. */
export function decodeJson<T>(text: JsonText<T>): T {
  return JSON.parse(text) as T;
}

/** Milliseconds since the epoch → `2026-11-21T10:00:00.000Z`. */
export function toTimestamp(ms: number): string {
  return new Date(ms).toISOString();
}

/** What a driver binds: flags are numbers in every engine. */
export function toParameter(value: unknown): unknown {
  return typeof value === "boolean" ? Number(value) : value;
}
