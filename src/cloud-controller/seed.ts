/** What a new foundation has: an administrator, the `cf` client, domains, an organization and a space. */
import { ADMIN_SCOPES, CF_CLIENT, ensureClient, ensureUser } from "../auth/index.ts";
import { type Clock, newGuid } from "../kernel/index.ts";
import { encodeJson, isUniqueViolation, type Store, toTimestamp } from "../store/index.ts";
import type { CloudControllerConfig } from "./config.ts";
import { SHARED_SEGMENT } from "./isolation-segments.ts";
import { recountRoutes } from "./route-counts.ts";
import { DEFAULT_QUOTA, defaultQuota, UNLIMITED } from "./quotas.ts";

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
  const { store } = about;
  await seedDefaults(about);
  await unlessMadeElsewhere(() => store.transaction(recountRoutes));
  await unlessMadeElsewhere(() => seedPlaces(about, config));
}

/** A replica that starts at the same moment may make the same: the second time it is there to be seen. */
async function unlessMadeElsewhere(make: () => Promise<void>): Promise<void> {
  try {
    await make();
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    await make();
  }
}

async function seedPlaces(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  config: CloudControllerConfig,
): Promise<void> {
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
    const organization = { ...newRow(), name: config.organization, quota_guid: await defaultQuota(db) };
    await db.insertInto("organizations").values(organization).execute();
    if (config.space === "") return;
    await db
      .insertInto("spaces")
      .values({ ...newRow(), name: config.space, organization_guid: organization.guid })
      .execute();
  });
}

/** The quota every organization begins with, and the segment of whatever has no other. */
async function seedDefaults({
  store,
  clock,
}: {
  readonly store: Store;
  readonly clock: Clock;
}): Promise<void> {
  await store.transaction(async (db) => {
    const now = toTimestamp(clock.nowMs());
    const times = { created_at: now, updated_at: now };
    await db
      .insertInto("isolation_segments")
      .values({ ...SHARED_SEGMENT, ...times })
      .onConflict((conflict) => conflict.column("guid").doNothing())
      .execute();
    if ((await defaultQuota(db)) !== null) return;
    // Another replica may be doing the same: its quota is as good.
    await db
      .insertInto("quotas")
      .values({
        guid: newGuid(),
        ...times,
        kind: "organization",
        name: DEFAULT_QUOTA,
        organization_guid: null,
        limits: encodeJson(UNLIMITED),
      })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    const quota = await defaultQuota(db);
    await db
      .updateTable("organizations")
      .set({ quota_guid: quota })
      .where("quota_guid", "is", null)
      .execute();
  });
}
