/** The audit trail: an event in the transaction that makes the change, under upstream's names. */
import { sql } from "kysely";
import { newGuid } from "../kernel/index.ts";
import { encodeJson, type RowOf, toTimestamp, writeLater } from "../store/index.ts";
import type { Context, Writer } from "./context.ts";
import type { Actor } from "./endpoint.ts";
import { HIDDEN } from "./present.ts";

/** As upstream keeps them. */
const EVENTS_ARE_KEPT_MS = 31 * 24 * 3_600_000;
const PRUNE_EVERY_MS = 3_600_000;

type AppEvent =
  | `${"create" | "update" | "delete-request" | "start" | "stop" | "restart" | "apply_manifest"}`
  | `${"map-route" | "unmap-route" | "environment.show" | "environment_variables.show"}`
  | `package.${"create" | "upload" | "delete"}`
  | `build.${"create" | "staged" | "failed"}`
  | `droplet.${"create" | "mapped" | "delete"}`
  | `process.${"create" | "update" | "scale" | "terminate_instance" | "crash"}`
  | `deployment.${"create" | "cancel"}`;

export type AuditEventType =
  | "app.crash"
  | `audit.app.${AppEvent}`
  | `audit.route.${"create" | "update" | "delete-request" | "share" | "unshare" | "transfer-owner"}`
  | `audit.user.${string}_${"add" | "remove"}`
  | `audit.${"organization" | "space"}.${"create" | "update" | "delete-request"}`
  | `audit.user_provided_service_instance.${"create" | "update" | "delete"}`
  | `audit.${"service_binding" | "service_route_binding"}.${"create" | "delete"}`;

/** What was done to whom. A route is called by its host; an organization is in no space. */
interface AuditEvent {
  readonly type: AuditEventType;
  readonly target: Readonly<
    { guid: string; name: string } & ({ space_guid: string } | { organization_guid: string })
  >;
  /** What of `request` may be a secret is not kept. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** Of a request: an event is seen by more people than these are. */
const SECRETS: ReadonlySet<string> = new Set(["command", "credentials", "environment_variables", "manifest"]);

/** When each API last deleted what is too old, on its monotonic clock. */
const prunedAtMs = new WeakMap<Context, number>();

/** An app or a process whose instance did what nobody asked for. */
interface Itself {
  readonly context: Context;
  readonly itself: { readonly guid: string; readonly name: string };
}

export async function recordEvent(
  db: Writer,
  actor: Actor | Itself,
  { type, target, data }: AuditEvent,
): Promise<void> {
  const { context } = actor;
  const by = "itself" in actor ? actor.itself : userOf(actor);
  await prune(db, context);
  const now = context.now();
  const space = "space_guid" in target ? target.space_guid : "";
  await writeLater(
    db,
    db.insertInto("audit_events").values({
      guid: newGuid(),
      created_at: now,
      updated_at: now,
      type,
      actor_guid: by.guid,
      actor_name: by.name,
      target_guid: target.guid,
      target_type: type === "app.crash" ? "app" : (type.split(".")[1] ?? ""),
      target_name: target.name,
      data: encodeJson(withoutSecrets(data)),
      space_guid: space,
      organization_guid:
        "organization_guid" in target
          ? target.organization_guid
          : sql<string>`coalesce((select organization_guid from spaces where guid = ${space}), '')`,
    }),
  );
}

const userOf = ({ caller: { userGuid: guid } }: Actor) => ({
  guid,
  name: sql<string>`coalesce((select username from users where guid = ${guid}), '')`,
});

/** What kind of thing did it: a crash is nobody's doing but its own. */
export function actorTypeOf(type: string): "user" | "app" | "process" {
  if (type === "app.crash") return "app";
  return type === "audit.app.process.crash" ? "process" : "user";
}

/** What is done to a process is an event of its app. */
export const recordProcess = (
  db: Writer,
  actor: Actor,
  app: Pick<RowOf<"apps">, "guid" | "name" | "space_guid">,
  process: Pick<RowOf<"processes">, "guid" | "type">,
  what: "create" | "update" | "scale" | "terminate_instance",
  data: Readonly<Record<string, unknown>> = {},
) =>
  recordEvent(db, actor, {
    type: `audit.app.process.${what}`,
    target: app,
    data: { process_guid: process.guid, process_type: process.type, ...data },
  });

function withoutSecrets(data: AuditEvent["data"]): AuditEvent["data"] {
  const { request } = data;
  if (typeof request !== "object" || request === null) return data;
  const kept = Object.entries(request).map(([key, value]) => [key, SECRETS.has(key) ? HIDDEN : value]);
  return { ...data, request: Object.fromEntries(kept) };
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
