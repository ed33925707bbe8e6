/** The audit trail of routes: an event in the transaction that makes the change, under upstream's names. */
import { sql } from "kysely";
import { newGuid } from "../kernel/index.ts";
import { encodeJson, type RowOf, toTimestamp } from "../store/index.ts";
import type { Context, Writer } from "./context.ts";
import type { Actor } from "./endpoint.ts";

/** As upstream keeps them. */
const EVENTS_ARE_KEPT_MS = 31 * 24 * 3_600_000;
const PRUNE_EVERY_MS = 3_600_000;

export type AuditEventType =
  | `audit.route.${"create" | "update" | "delete-request" | "share" | "unshare" | "transfer-owner"}`
  | `audit.app.${"map-route" | "unmap-route"}`;

/** What was done to whom. A route is called by its host. */
interface AuditEvent {
  readonly type: AuditEventType;
  readonly target: Pick<RowOf<"apps">, "guid" | "name" | "space_guid">;
  readonly data: Readonly<Record<string, unknown>>;
}

/** When each API last deleted what is too old, on its monotonic clock. */
const prunedAtMs = new WeakMap<Context, number>();

export async function recordEvent(
  db: Writer,
  { context, caller: { userGuid } }: Actor,
  { type, target, data }: AuditEvent,
): Promise<void> {
  await prune(db, context);
  const now = context.now();
  await db
    .insertInto("audit_events")
    .values({
      guid: newGuid(),
      created_at: now,
      updated_at: now,
      type,
      actor_guid: userGuid,
      actor_name: sql<string>`coalesce((select username from users where guid = ${userGuid}), '')`,
      target_guid: target.guid,
      target_type: type.startsWith("audit.app.") ? "app" : "route",
      target_name: target.name,
      data: encodeJson(data),
      space_guid: target.space_guid,
      organization_guid: sql<string>`coalesce(
        (select organization_guid from spaces where guid = ${target.space_guid}), '')`,
    })
    .execute();
}

/** Once in a while: a look at the oldest events would meet those of other replicas. */
async function prune(db: Writer, context: Context): Promise<void> {
  const { clock } = context;
  const lastMs = prunedAtMs.get(context) ?? Number.NEGATIVE_INFINITY;
  if (clock.monotonicMs() - lastMs < PRUNE_EVERY_MS) return;
  prunedAtMs.set(context, clock.monotonicMs());
  const oldest = toTimestamp(clock.nowMs() - EVENTS_ARE_KEPT_MS);
  await db.deleteFrom("audit_events").where("created_at", "<", oldest).execute();
}
