/**
 * Router groups: which TCP ports a fleet of TCP routers may open. Read from `router_groups`; the first start fills
 * the empty table from the configuration.
 */
import { routingResourceNotFound } from "../kernel/errors/routing-api.ts";
import { type Clock, newGuid } from "../kernel/index.ts";
import { type Store, toTimestamp } from "../store/index.ts";

export interface RouterGroup {
  readonly guid: string;
  readonly name: string;
  readonly type: string;
  /** `1024-1123,2000`; never null, the Cloud Controller splits it. */
  readonly reservable_ports: string;
}

/** One TCP group of this name, when ports are given and there is no group at all. */
export async function seedRouterGroups(
  store: Store,
  clock: Clock,
  { name, ports }: { readonly name: string; readonly ports: string },
): Promise<void> {
  if (ports === "") return;
  await store.transaction(async (trx) => {
    const any = await trx.selectFrom("router_groups").select("guid").limit(1).executeTakeFirst();
    if (any !== undefined) return;
    const now = toTimestamp(clock.nowMs());
    const row = { guid: newGuid(), name, type: "tcp" as const, reservable_ports: ports };
    await trx
      .insertInto("router_groups")
      .values({ ...row, created_at: now, updated_at: now })
      .execute();
  });
}

/** @throws routingResourceNotFound for a name that is given and unknown */
export async function listRouterGroups(store: Store, name: string): Promise<readonly RouterGroup[]> {
  const groups = await store.db
    .selectFrom("router_groups")
    .select(["guid", "name", "type", "reservable_ports"])
    .$if(name !== "", (query) => query.where("name", "=", name))
    .execute();
  if (name !== "" && groups.length === 0) throw routingResourceNotFound({ what: `router group '${name}'` });
  return groups;
}
