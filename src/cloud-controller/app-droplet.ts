/** What an app runs: the droplet it has, and the processes that a droplet brings along. */
import { decodeJson, type JsonText, type RowOf } from "../store/index.ts";
import { recordEvent, recordProcess } from "./audit.ts";
import type { Writer } from "./context.ts";
import type { Actor } from "./endpoint.ts";
import type { News } from "./news.ts";
import { newProcess } from "./process-defaults.ts";
import { refuse } from "./refuse.ts";

/** The column `data` of packages and droplets that have bits. */
export interface StoredBits {
  readonly sha256?: string;
}

/** The hash under which the bits of a package or droplet are kept; null before there are any. */
export const bitsOf = (row: { readonly data: JsonText<Readonly<Record<string, unknown>>> }): string | null =>
  (decodeJson(row.data) as StoredBits).sha256 ?? null;

/**
 * Makes a droplet the one an app runs from its next start on. Types of processes that the app does not have are added.
 * @throws unprocessable
 */
export async function setDroplet(
  db: Writer,
  news: News,
  actor: Actor,
  app: Pick<RowOf<"apps">, "guid" | "name" | "space_guid">,
  dropletGuid: string,
): Promise<void> {
  const { context } = actor;
  const droplet = await db
    .selectFrom("droplets")
    .selectAll()
    .where("guid", "=", dropletGuid)
    .where("app_guid", "=", app.guid)
    .executeTakeFirst();
  if (droplet === undefined) {
    refuse("Unable to assign current droplet. Ensure the droplet exists and belongs to this app.");
  }
  const now = context.now();
  await db
    .updateTable("apps")
    .set({ current_droplet_guid: droplet.guid, updated_at: now })
    .where("guid", "=", app.guid)
    .execute();
  const data = { request: { droplet_guid: droplet.guid } };
  await recordEvent(db, actor, { type: "audit.app.droplet.mapped", target: app, data });
  const processes = await db
    .selectFrom("processes")
    .select("type")
    .where("app_guid", "=", app.guid)
    .execute();
  const known = new Set(processes.map((process) => process.type));
  for (const type of Object.keys(decodeJson(droplet.process_types))) {
    if (known.has(type)) continue;
    const process = newProcess(app.guid, type, context.now(), context.config);
    await db.insertInto("processes").values(process).execute();
    await recordProcess(db, actor, app, process, "create");
    news.process(process);
  }
}
