/** Desired LRPs in the database: one row each, the LRP as a document beside the columns that are searched. */
import type { DesiredLrp } from "../contracts/index.ts";
import { type Clock, newGuid } from "../kernel/index.ts";
import { decodeJson, encodeJson, type JsonText, type Store, toTimestamp } from "../store/index.ts";

export interface DesiredLrpRows {
  all(): Promise<readonly DesiredLrp[]>;
  insert(lrp: DesiredLrp): Promise<void>;
  update(lrp: DesiredLrp): Promise<void>;
  delete(processGuid: string): Promise<void>;
}

export function createDesiredLrpRows({ db }: Store, clock: Clock): DesiredLrpRows {
  return {
    async all() {
      const rows = await db.selectFrom("desired_lrps").select("document").orderBy("created_at").execute();
      return rows.map((row) => decodeJson(row.document as JsonText<DesiredLrp>));
    },
    async insert(lrp) {
      const now = toTimestamp(clock.nowMs());
      await db
        .insertInto("desired_lrps")
        .values({
          process_guid: lrp.processGuid,
          domain: lrp.domain,
          log_guid: lrp.logGuid,
          document: encodeJson<unknown>(lrp),
          modification_epoch: newGuid(),
          modification_index: 0,
          created_at: now,
          updated_at: now,
        })
        .execute();
    },
    async update(lrp) {
      await db
        .updateTable("desired_lrps")
        .set((row) => ({
          document: encodeJson<unknown>(lrp),
          modification_index: row("modification_index", "+", 1),
          updated_at: toTimestamp(clock.nowMs()),
        }))
        .where("process_guid", "=", lrp.processGuid)
        .execute();
    },
    async delete(processGuid) {
      await db.deleteFrom("desired_lrps").where("process_guid", "=", processGuid).execute();
    },
  };
}
