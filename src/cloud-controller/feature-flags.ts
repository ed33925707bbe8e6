/** What the foundation allows its users; upstream's names and defaults, changed by rows. */
import { featureDisabled } from "../kernel/errors/cloud-controller.ts";
import type { Database } from "./context.ts";
import type { Caller } from "./permissions.ts";

export const FEATURE_FLAGS = {
  app_bits_upload: true,
  app_scaling: true,
  diego_cnb: false,
  diego_docker: false,
  env_var_visibility: true,
  hash_based_routing: true,
  hide_marketplace_from_unauthenticated_users: false,
  private_domain_creation: true,
  resource_matching: true,
  route_creation: true,
  route_sharing: false,
  service_instance_creation: true,
  service_instance_sharing: false,
  set_roles_by_username: true,
  space_developer_env_var_visibility: true,
  space_scoped_private_broker_creation: true,
  task_creation: true,
  unset_roles_by_username: true,
  user_org_creation: false,
} as const satisfies Readonly<Record<string, boolean>>;
export type FeatureFlag = keyof typeof FEATURE_FLAGS;

export const isFeatureFlag = (name: string): name is FeatureFlag => Object.hasOwn(FEATURE_FLAGS, name);

/** With what an administrator wants to be said where it is off. */
async function readFlag(db: Database, flag: FeatureFlag) {
  const row = await db
    .selectFrom("feature_flags")
    .select(["enabled", "error_message"])
    .where("name", "=", flag)
    .executeTakeFirst();
  return {
    isOn: row === undefined ? FEATURE_FLAGS[flag] : row.enabled === 1,
    words: row?.error_message ?? flag,
  };
}

export const isEnabled = async (db: Database, flag: FeatureFlag): Promise<boolean> =>
  (await readFlag(db, flag)).isOn;

/**
 * Administrators may what a flag forbids.
 * @throws featureDisabled
 */
export async function demandFeature(db: Database, caller: Caller, flag: FeatureFlag): Promise<void> {
  if (!caller.isAdmin) await demandEnabled(db, flag);
}

/**
 * For what nobody may do as long as the flag is off.
 * @throws featureDisabled with the flag's own words, when it has some
 */
export async function demandEnabled(db: Database, flag: FeatureFlag): Promise<void> {
  const { isOn, words } = await readFlag(db, flag);
  if (!isOn) throw featureDisabled({ flag: words });
}
