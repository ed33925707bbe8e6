/** What all presented resources have in common. */
import { type PresentedMetadata, readMetadata } from "./metadata.ts";
import type { Context } from "./context.ts";

interface Timed {
  readonly guid: string;
  readonly created_at: string;
  readonly updated_at: string;
}

/** In place of what may hold passwords. */
export const HIDDEN = "[PRIVATE DATA HIDDEN]";
export const HIDDEN_IN_LISTS = "[PRIVATE DATA HIDDEN IN LISTS]";

/** Stored with milliseconds, shown without. */
export const shownTime = (timestamp: string) => `${timestamp.slice(0, 19)}Z`;

export const head = (row: Timed) => ({
  guid: row.guid,
  created_at: shownTime(row.created_at),
  updated_at: shownTime(row.updated_at),
});

/** What is done at once has no operation but the one that made it. */
export const lastOperation = (row: Timed) => ({
  type: "create" as const,
  state: "succeeded" as const,
  description: "Operation succeeded",
  created_at: shownTime(row.created_at),
  updated_at: shownTime(row.created_at),
});

/** `{"data":{"guid":"…"}}` */
export function toOneData(guid: string): { readonly data: { readonly guid: string } };
export function toOneData(guid: string | null): { readonly data: { readonly guid: string } | null };
export function toOneData(guid: string | null) {
  return { data: guid === null ? null : { guid } };
}

/** `{"data":[{"guid":"…"},…]}` */
export const toManyData = (guids: readonly string[]) => ({ data: guids.map((guid) => ({ guid })) });

/** `link(context, "/v3/apps/x")` → `{ href }`; the method only where it is not GET. */
export const link = (context: Context, path: string, method?: "POST" | "PATCH") => ({
  href: context.url(path),
  ...(method !== undefined && { method }),
});

/** Presents rows that have metadata, one query for all of them. */
export async function withMetadata<R extends { readonly guid: string }, P extends object>(
  context: Context,
  type: string,
  rows: readonly R[],
  present: (row: R, metadata: PresentedMetadata) => P,
): Promise<P[]> {
  const metadataOf = await readMetadata(
    context.store.db,
    type,
    rows.map((row) => row.guid),
  );
  return rows.map((row) => present(row, metadataOf(row.guid)));
}

/** Groups values by a key, in order. */
export function groupBy<V>(values: readonly V[], keyOf: (value: V) => string): (key: string) => readonly V[] {
  const groups = new Map<string, V[]>();
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return (key) => groups.get(key) ?? [];
}
