/**
 * Who may do what, in one table, and what that means for single resources and for lists. Administrators may do
 * everything; what a caller may not see does not exist for them (404), what they see and may not do is refused (403).
 */
import { sql } from "kysely";
import { notAuthorized, organizationSuspended } from "../kernel/errors/cloud-controller.ts";
import type { Database } from "./context.ts";
import type { Store } from "../store/index.ts";
import { type Condition, everything, isFoundBy, nothing } from "./condition.ts";

const ORGANIZATION_ROLES = [
  "organization_user",
  "organization_auditor",
  "organization_manager",
  "organization_billing_manager",
] as const;
export const SPACE_ROLES = ["space_auditor", "space_developer", "space_manager", "space_supporter"] as const;
export const ROLES = [...ORGANIZATION_ROLES, ...SPACE_ROLES] as const;
export type Role = (typeof ROLES)[number];

/** Besides administrators. A role of an organization counts in all its spaces. */
const OPERATIONS = {
  "organization.update": ["organization_manager"],
  "organization.assign-roles": ["organization_manager"],
  "space.create": ["organization_manager"],
  "space.update": ["organization_manager", "space_manager"],
  "space.delete": ["organization_manager"],
  "space.assign-roles": ["organization_manager", "space_manager"],
  "private-domain.write": ["organization_manager"],
  "shared-domain.write": [],
  "route.write": ["space_developer", "space_supporter"],
  "route.write-wildcard-on-shared-domain": [],
  "service-instance.write": ["space_developer"],
  "service-instance.read-credentials": ["space_developer"],
  "service-route-binding.write": ["space_developer"],
  "space-quota.write": ["organization_manager"],
  "isolation-segment.assign": ["organization_manager"],
  "app.write": ["space_developer"],
  "app.operate": ["space_developer", "space_supporter"],
  "app.read-environment": ["space_developer"],
  "feature-flag.write": [],
} as const satisfies Readonly<Record<string, readonly Role[]>>;
export type Operation = keyof typeof OPERATIONS;

/** Whoever sent the request, as the token says. */
export interface Caller {
  /** "" for a client that acts for itself, and for nobody. */
  readonly userGuid: string;
  readonly isAdmin: boolean;
  /** Sees everything and, unless an administrator, changes nothing. */
  readonly seesEverything: boolean;
  /** Sees secrets such as environment variables everywhere. */
  readonly seesSecrets: boolean;
  readonly canRead: boolean;
  readonly canWrite: boolean;
}

export function callerOf(token: { readonly userGuid: string; readonly scopes: readonly string[] }): Caller {
  const has = (scope: string) => token.scopes.includes(`cloud_controller.${scope}`);
  const isAdmin = has("admin");
  const isReadOnlyAdmin = has("admin_read_only");
  const isAuditor = has("global_auditor");
  return {
    userGuid: token.userGuid,
    isAdmin,
    seesEverything: isAdmin || isReadOnlyAdmin || isAuditor,
    seesSecrets: isAdmin || isReadOnlyAdmin,
    canRead: isAdmin || isReadOnlyAdmin || isAuditor || has("read"),
    canWrite: isAdmin || has("write"),
  };
}

export const NOBODY: Caller = callerOf({ userGuid: "", scopes: [] });

/** Where an operation happens. */
export interface Place {
  readonly organizationGuid: string;
  /** Left out for operations on the organization itself. */
  readonly spaceGuid?: string;
}

/** Whether the table allows it, whatever state the organization is in. */
export async function may(
  db: Database,
  caller: Caller,
  operation: Operation,
  place?: Place,
): Promise<boolean> {
  if (caller.isAdmin) return true;
  const roles: readonly Role[] = OPERATIONS[operation];
  if (roles.length === 0 || place === undefined || caller.userGuid === "") return false;
  const role = await db
    .selectFrom("roles")
    .select("guid")
    .where("user_guid", "=", caller.userGuid)
    .where("type", "in", roles)
    .where((eb) =>
      eb.or([
        eb("organization_guid", "=", place.organizationGuid),
        eb("space_guid", "=", place.spaceGuid ?? ""),
      ]),
    )
    .limit(1)
    .executeTakeFirst();
  return role !== undefined;
}

/**
 * Lets pass who may; a suspended organization stops everybody but administrators.
 * @throws notAuthorized, organizationSuspended
 */
export async function demand(
  db: Database,
  caller: Caller,
  operation: Operation,
  place?: Place,
): Promise<void> {
  if (caller.isAdmin) return;
  if (!(await may(db, caller, operation, place))) throw notAuthorized({});
  if (place !== undefined && (await isSuspended(db, place))) throw organizationSuspended({});
}

export async function isSuspended(
  db: Database,
  { organizationGuid }: Pick<Place, "organizationGuid">,
): Promise<boolean> {
  const organization = await db
    .selectFrom("organizations")
    .select("suspended")
    .where("guid", "=", organizationGuid)
    .executeTakeFirst();
  return organization?.suspended === 1;
}

/** For things that are not in a place: only administrators may. */
export function demandAdmin(caller: Caller): void {
  if (!caller.isAdmin) throw notAuthorized({});
}

// --- what a caller may see, as conditions on a column ---

/** Organizations in which the caller has any role. */
export function organizationVisible(caller: Caller, column: string): Condition {
  return visibleBy(
    caller,
    column,
    (user) => sql`
    select organization_guid from roles where user_guid = ${user} and organization_guid is not null`,
  );
}

/** Spaces in which the caller has a role, and all spaces of organizations they manage. */
export function spaceVisible(caller: Caller, column: string): Condition {
  return visibleBy(caller, column, visibleSpaces);
}

const visibleSpaces = (user: string) => sql`
  select space_guid from roles where user_guid = ${user} and space_guid is not null
  union select spaces.guid from spaces join roles on roles.organization_guid = spaces.organization_guid
  where roles.user_guid = ${user} and roles.type = 'organization_manager'`;

/** Routes of visible spaces, and those shared with one. */
export function routeVisible(caller: Caller, store: Store): Condition {
  if (caller.seesEverything) return everything;
  if (caller.userGuid === "") return nothing;
  const spaces = visibleSpaces(caller.userGuid);
  const shared = sql`select route_guid from route_shares where space_guid in (${spaces})`;
  return sql<boolean>`(${isFoundBy(store, "routes.space_guid", spaces)}
    or ${isFoundBy(store, "routes.guid", shared)})`;
}

/** Shared domains, and private ones of (or shared with) organizations where the caller is more than a billing manager. */
export function domainVisible(caller: Caller): Condition {
  if (caller.seesEverything) return everything;
  const organizations = (user: string) => sql`
    select organization_guid from roles where user_guid = ${user} and organization_guid is not null
      and type <> 'organization_billing_manager'
    union select organization_guid from spaces where guid in (${visibleSpaces(user)})`;
  return sql<boolean>`(domains.organization_guid is null
    or ${visibleBy(caller, "domains.organization_guid", organizations)}
    or ${visibleBy(
      caller,
      "domains.guid",
      (user) => sql`
      select domain_guid from domain_shares where organization_guid in (${organizations(user)})`,
    )})`;
}

function visibleBy(
  caller: Caller,
  column: string,
  subquery: (user: string) => ReturnType<typeof sql>,
): Condition {
  if (caller.seesEverything) return everything;
  if (caller.userGuid === "") return nothing;
  return sql<boolean>`${sql.ref(column)} in (${subquery(caller.userGuid)})`;
}
