/** What a new foundation has: an administrator, the `cf` client, domains, an organization and a space. */
import { ADMIN_SCOPES, CF_CLIENT, ensureClient, ensureUser } from "../auth/index.ts";
import { type Clock, newGuid } from "../kernel/index.ts";
import { type Store, toTimestamp } from "../store/index.ts";
import type { CloudControllerConfig } from "./config.ts";

/**
 * Accounts are brought to what the configuration says at every start; domains, organization and space are made in a
 * database that has no domain yet, so that what a user deleted stays deleted.
 */
export async function seed(
  about: { readonly store: Store; readonly clock: Clock },
  config: CloudControllerConfig,
): Promise<void> {
  await ensureClient(about, CF_CLIENT);
  if (config.adminPassword !== "") {
    await ensureUser(about, {
      username: config.adminUser,
      password: config.adminPassword,
      scopes: ADMIN_SCOPES,
    });
  }
  const { store, clock } = about;
  await store.transaction(async (db) => {
    const domain = await db.selectFrom("domains").select("guid").limit(1).executeTakeFirst();
    if (domain !== undefined) return;
    const startMs = Math.floor(clock.nowMs());
    let rows = 0;
    const newRow = () => {
      // A millisecond apart, so that they sort as they are listed in the configuration.
      const now = toTimestamp(startMs + rows++);
      return { guid: newGuid(), created_at: now, updated_at: now };
    };
    for (const name of config.sharedDomains) {
      await db
        .insertInto("domains")
        .values({ ...newRow(), name: name.toLowerCase() })
        .execute();
    }
    for (const name of config.internalDomains) {
      await db
        .insertInto("domains")
        .values({ ...newRow(), name: name.toLowerCase(), internal: 1 })
        .execute();
    }
    if (config.organization === "") return;
    const organization = { ...newRow(), name: config.organization };
    await db.insertInto("organizations").values(organization).execute();
    if (config.space === "") return;
    await db
      .insertInto("spaces")
      .values({ ...newRow(), name: config.space, organization_guid: organization.guid })
      .execute();
  });
}
