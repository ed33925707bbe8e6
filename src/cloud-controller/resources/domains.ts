/** Domains: shared with everybody, private to organizations, or internal to apps. */
import { sql } from "kysely";
import { type Static, Type } from "typebox";
import { newGuid } from "../../kernel/index.ts";
import {
  featureDisabled,
  notAuthorized,
  organizationSuspended,
  resourceNotFound,
  unprocessable,
} from "../../kernel/errors/cloud-controller.ts";
import type { RowOf } from "../../store/index.ts";
import type { Condition } from "../condition.ts";
import type { Database } from "../context.ts";
import { deleteDomain } from "../deletions.ts";
import { type Call, created, defineEndpoint, type Endpoint, noContent, ok } from "../endpoint.ts";
import { demandFeature } from "../feature-flags.ts";
import { asJob, JOB } from "../jobs.ts";
import {
  column,
  findRow,
  type Listing,
  listEndpoint,
  presentNow,
  presentRow,
  showEndpoint,
} from "../list.ts";
import { Metadata, writeMetadata } from "../metadata.ts";
import { metadataEndpoint } from "../metadata-endpoint.ts";
import { demand, domainVisible, isSuspended, may, organizationVisible } from "../permissions.ts";
import { groupBy, head, link, toManyData, toOneData, withMetadata } from "../present.ts";
import { demandRoomForDomain } from "../quotas.ts";
import { refuse, unlessTaken } from "../refuse.ts";
import { message, nullable, toMany, toOneOrNone } from "../schema.ts";
import {
  linksTo,
  MetadataShape,
  oneOf,
  orNull,
  part,
  resource,
  type Shown,
  ToMany,
  ToOneOrNone,
} from "../shape.ts";
import { organizationListing } from "./organizations.ts";

// --- messages ---

export const MAX_DOMAIN_LENGTH = 253;
const LABEL = "(?:[a-z\\d]|[a-z\\d][a-z\\d-]{0,61}[a-z\\d])";
const RFC_1035 = new RegExp(`^(?:${LABEL}\\.)+${LABEL}$`, "i");

const CreateDomain = message({
  name: Type.String({ minLength: 3, maxLength: MAX_DOMAIN_LENGTH }),
  internal: Type.Optional(Type.Boolean()),
  router_group: Type.Optional(message({ guid: Type.String() })),
  relationships: Type.Optional(
    message({
      organization: Type.Optional(nullable(toOneOrNone("organization"))),
      shared_organizations: Type.Optional(nullable(toMany("shared_organizations"))),
    }),
  ),
  metadata: Type.Optional(Metadata),
});
const ShareDomain = toMany("shared_organizations");

function domainProblems(body: Static<typeof CreateDomain>): string[] {
  const { name, internal = false, router_group: routerGroup, relationships } = body;
  const problems: string[] = [];
  if (!RFC_1035.test(name)) problems.push("Name does not comply with RFC 1035 standards");
  if (!name.includes(".")) problems.push('Name must contain at least one "."');
  if (name.split(".").some((label) => label.length > 63)) {
    problems.push("Name subdomains must each be at most 63 characters");
  }
  if (/[^a-z0-9\-.]/i.test(name)) problems.push("Name must consist of alphanumeric characters and hyphens");
  if (internal && relationships !== undefined) {
    problems.push("Cannot associate an internal domain with an organization");
  }
  if (internal && routerGroup !== undefined) {
    problems.push("Internal domains cannot be associated to a router group.");
  }
  if (relationships !== undefined && routerGroup !== undefined) {
    problems.push("Domains scoped to an organization cannot be associated to a router group.");
  }
  const owner = relationships?.organization?.data ?? null;
  if (owner === null && (relationships?.shared_organizations ?? null) !== null) {
    problems.push("Relationships cannot contain shared_organizations without an owning organization.");
  }
  return problems;
}

// --- actions ---

async function createDomain(call: Call<Static<typeof CreateDomain>>): Promise<string> {
  const { context, caller, body } = call;
  const { db } = context.store;
  const owner = body.relationships?.organization?.data?.guid ?? null;
  const sharedWith = body.relationships?.shared_organizations?.data.map((each) => each.guid) ?? [];
  if (owner === null) await demand(db, caller, "shared-domain.write");
  else {
    await demandOrganization(call, owner);
    await demand(db, caller, "private-domain.write", { organizationGuid: owner });
    await demandFeature(db, caller, "private_domain_creation");
    await demandSharable(call, owner, sharedWith);
    if (
      context.config.reservedDomains.some((reserved) => reserved.toLowerCase() === body.name.toLowerCase())
    ) {
      refuse(`The "${body.name}" domain is reserved and cannot be used for org-scoped domains.`);
    }
  }
  const guid = newGuid();
  const name = body.name.toLowerCase();
  await unlessTaken(
    context.write(async (db) => {
      await refuseTakenNames(db, name, owner);
      if (owner !== null) await demandRoomForDomain(db, owner);
      if (body.router_group !== undefined) await demandRouterGroup(db, body.router_group.guid);
      const now = context.now();
      await db
        .insertInto("domains")
        .values({
          guid,
          created_at: now,
          updated_at: now,
          name,
          internal: body.internal === true ? 1 : 0,
          router_group_guid: body.router_group?.guid ?? null,
          organization_guid: owner,
        })
        .execute();
      for (const organization of new Set(sharedWith)) {
        await db
          .insertInto("domain_shares")
          .values({ domain_guid: guid, organization_guid: organization })
          .execute();
      }
      await writeMetadata(db, "domain", guid, body.metadata);
    }),
    (cause) => unprocessable({ problems: [`The domain name "${body.name}" is already in use`] }, cause),
  );
  return guid;
}

/** Names below somebody else's private domain are theirs, and a route may have the very name. */
async function refuseTakenNames(db: Database, name: string, owner: string | null): Promise<void> {
  const labels = name.split(".");
  const parents = labels.slice(1).map((_, i) => labels.slice(i + 1).join("."));
  const parent = await db
    .selectFrom("domains")
    .select("name")
    .where("name", "in", parents)
    .where("organization_guid", "is not", null)
    .where("organization_guid", "<>", owner ?? "")
    .executeTakeFirst();
  const reserver = "is already reserved by another domain";
  if (parent !== undefined) {
    refuse(`The domain name "${name}" cannot be created because "${parent.name}" ${reserver}`);
  }
  const route = await db
    .selectFrom("routes")
    .innerJoin("domains", "domains.guid", "routes.domain_guid")
    .select("routes.guid")
    .where("routes.host", "=", labels[0] ?? "")
    .where("domains.name", "=", labels.slice(1).join("."))
    .executeTakeFirst();
  if (route !== undefined) {
    refuse(`The domain name "${name}" cannot be created because "${name}" is already reserved by a route`);
  }
}

async function demandRouterGroup(db: Database, guid: string): Promise<void> {
  const group = await db
    .selectFrom("router_groups")
    .select("type")
    .where("guid", "=", guid)
    .executeTakeFirst();
  if (group === undefined) {
    refuse(`Router group with guid '${guid}' not found.`);
  }
}

/** @throws unprocessable when there is none, or the caller may not see it */
async function demandOrganization(call: Call<unknown>, guid: string): Promise<void> {
  const [found] = await findOrganizations(call, [guid]);
  if (found !== undefined) return;
  refuse(`Organization with guid '${guid}' does not exist or you do not have access to it.`);
}

const findOrganizations = ({ caller, context }: Call<unknown>, guids: readonly string[]) =>
  context.store.db
    .selectFrom("organizations")
    .select(["guid", "name", "suspended"])
    .where("guid", "in", guids)
    .where(organizationVisible(caller, "organizations.guid"))
    .execute();

/**
 * A domain is shared by who manages both sides.
 * @throws unprocessable with everything that is in the way
 */
async function demandSharable(call: Call<unknown>, owner: string, guids: readonly string[]): Promise<void> {
  if (guids.length === 0) return;
  const { caller, context } = call;
  const found = new Map((await findOrganizations(call, guids)).map((each) => [each.guid, each]));
  const problems: string[] = [];
  for (const guid of guids) {
    const organization = found.get(guid);
    const place = { organizationGuid: guid };
    if (organization === undefined) {
      problems.push(`Organization with guid '${guid}' does not exist, or you do not have access to it.`);
    } else if (!(await may(context.store.db, caller, "private-domain.write", place))) {
      const { name } = organization;
      problems.push(`You do not have sufficient permissions for organization '${name}' to share domain.`);
    } else if (organization.suspended === 1 && !caller.isAdmin) {
      problems.push(`Organization '${organization.name}' is suspended.`);
    }
  }
  if (guids.includes(owner)) problems.push("Domain cannot be shared with owning organization.");
  if (problems.length > 0) throw unprocessable({ problems });
}

async function shareDomain(call: Call<Static<typeof ShareDomain>>, domain: RowOf<"domains">): Promise<void> {
  const { context, body } = call;
  await demandDomainWrite(call, domain);
  if (domain.organization_guid === null) {
    refuse("Domains cannot be shared with other organizations unless they are scoped to an organization.");
  }
  const guids = [...new Set(body.data.map((each) => each.guid))];
  await demandSharable(call, domain.organization_guid, guids);
  await context.write(async (db) => {
    for (const organization of guids) {
      await db
        .insertInto("domain_shares")
        .values({ domain_guid: domain.guid, organization_guid: organization })
        .onConflict((conflict) => conflict.columns(["domain_guid", "organization_guid"]).doNothing())
        .execute();
    }
  });
}

async function unshareDomain(
  call: Call<unknown>,
  domain: RowOf<"domains">,
  organizationGuid: string,
): Promise<void> {
  await demandUnshare(call, domain, organizationGuid);
  await demandOrganization(call, organizationGuid);
  await call.context.write(async (db) => {
    const route = await db
      .selectFrom("routes")
      .innerJoin("spaces", "spaces.guid", "routes.space_guid")
      .select("routes.guid")
      .where("routes.domain_guid", "=", domain.guid)
      .where("spaces.organization_guid", "=", organizationGuid)
      .executeTakeFirst();
    if (route !== undefined) {
      refuse("This domain has associated routes in this organization. Delete the routes before unsharing.");
    }
    const removed = await db
      .deleteFrom("domain_shares")
      .where("domain_guid", "=", domain.guid)
      .where("organization_guid", "=", organizationGuid)
      .executeTakeFirst();
    if (removed.numDeletedRows > 0n) return;
    const organization = await db
      .selectFrom("organizations")
      .select("name")
      .where("guid", "=", organizationGuid)
      .executeTakeFirst();
    refuse(
      `Unable to unshare domain from organization with name '${organization?.name ?? organizationGuid}'. ` +
        "Ensure the domain is shared to this organization.",
    );
  });
}

/** Shared domains are an administrator's, private ones their organization's managers'. */
async function demandDomainWrite(call: Call<unknown>, domain: RowOf<"domains">): Promise<void> {
  const { db } = call.context.store;
  if (domain.organization_guid === null) return demand(db, call.caller, "shared-domain.write");
  return demand(db, call.caller, "private-domain.write", { organizationGuid: domain.organization_guid });
}

/**
 * Either side may end it.
 * @throws notAuthorized, organizationSuspended
 */
async function demandUnshare(
  { caller, context }: Call<unknown>,
  domain: RowOf<"domains">,
  sharedWith: string,
): Promise<void> {
  const { db } = context.store;
  const sides = [domain.organization_guid, sharedWith].filter((guid) => guid !== null);
  let isManager = false;
  for (const organizationGuid of sides) {
    if (!(await may(db, caller, "private-domain.write", { organizationGuid }))) continue;
    isManager = true;
    if (caller.isAdmin || !(await isSuspended(db, { organizationGuid }))) return;
  }
  throw isManager ? organizationSuspended({}) : notAuthorized({});
}

async function refuseSharedDeletion(db: Database, guid: string): Promise<void> {
  const share = await db
    .selectFrom("domain_shares")
    .select("organization_guid")
    .where("domain_guid", "=", guid)
    .limit(1)
    .executeTakeFirst();
  if (share === undefined) return;
  refuse("This domain is shared with other organizations. Unshare before deleting.");
}

// --- presenter ---

export const Domain = resource("Domain", {
  name: Type.String(),
  internal: Type.Boolean(),
  // A router group is the Routing API's, which names it as it likes.
  router_group: orNull(part({ guid: Type.String() })),
  supported_protocols: Type.Array(oneOf("http", "tcp")),
  relationships: part({ organization: ToOneOrNone, shared_organizations: ToMany }),
  metadata: MetadataShape,
  links: linksTo(["self", "route_reservations"], ["organization", "shared_organizations", "router_group"]),
});

/** As the caller sees them: which other organizations have a domain is the business of those who see these. */
async function presentDomains(
  call: Call<unknown>,
  rows: readonly RowOf<"domains">[],
): Promise<Shown<typeof Domain>[]> {
  const { context } = call;
  const shares = await loadShares(
    call,
    rows.map((row) => row.guid),
  );
  const sharesOf = groupBy(shares, (share) => share.domain_guid);
  return withMetadata(context, "domain", rows, (row, metadata) => ({
    ...head(row),
    name: row.name,
    internal: row.internal === 1,
    router_group: row.router_group_guid === null ? null : { guid: row.router_group_guid },
    supported_protocols: [row.router_group_guid === null ? "http" : "tcp"],
    relationships: {
      organization: toOneData(row.organization_guid),
      shared_organizations: toManyData(sharesOf(row.guid).map((share) => share.organization_guid)),
    },
    metadata,
    links: {
      self: link(context, `/v3/domains/${row.guid}`),
      ...(row.organization_guid !== null && {
        organization: link(context, `/v3/organizations/${row.organization_guid}`),
        shared_organizations: link(context, `/v3/domains/${row.guid}/relationships/shared_organizations`),
      }),
      route_reservations: link(context, `/v3/domains/${row.guid}/route_reservations`),
      ...(row.router_group_guid !== null && {
        router_group: link(context, `/routing/v1/router_groups/${row.router_group_guid}`),
      }),
    },
  }));
}

async function loadShares({ caller, context }: Call<unknown>, domains: readonly string[]) {
  if (domains.length === 0) return [];
  return context.store.db
    .selectFrom("domain_shares")
    .selectAll()
    .where("domain_guid", "in", domains)
    .where(organizationVisible(caller, "domain_shares.organization_guid"))
    .orderBy("organization_guid")
    .execute();
}

export const domainListing: Listing<"domains", typeof Domain> = {
  table: "domains",
  resource: "Domain",
  shape: Domain,
  labelled: "domain",
  filters: {
    names: (values, call) =>
      column("domains.name")(
        values.map((value) => value.toLowerCase()),
        call,
      ),
    organization_guids: column("domains.organization_guid"),
  },
  visible: ({ caller }) => domainVisible(caller),
  present: presentDomains,
};

/** Domains whose routes an organization may have: shared ones, its own, and those shared with it. */
export const usableBy = (
  organizationGuid: string,
): Condition => sql<boolean>`(domains.organization_guid is null
  or domains.organization_guid = ${organizationGuid}
  or domains.guid in (select domain_guid from domain_shares where organization_guid = ${organizationGuid}))`;

// --- endpoints ---

const guidOf = (call: Call<unknown>) => call.params["guid"] ?? "";

export const domains: readonly Endpoint[] = [
  listEndpoint("/v3/domains", "Lists domains.", domainListing),
  showEndpoint("/v3/domains/:guid", "Shows a domain.", domainListing),
  listEndpoint(
    "/v3/organizations/:guid/domains",
    "Lists an organization's domains.",
    domainListing,
    async (call) => usableBy((await findRow(call, organizationListing, guidOf(call))).guid),
  ),
  defineEndpoint({
    method: "GET",
    path: "/v3/organizations/:guid/domains/default",
    summary: "Shows the domain an organization's routes have by default.",
    access: "read",
    answers: { 200: Domain },
    handle: async (call) => {
      const organization = await findRow(call, organizationListing, guidOf(call));
      const domain = await call.context.store.db
        .selectFrom("domains")
        .selectAll()
        .where(usableBy(organization.guid))
        .where(domainVisible(call.caller))
        .where("internal", "=", 0)
        .where("router_group_guid", "is", null)
        // Shared ones first, then the oldest.
        .orderBy(sql`case when organization_guid is null then 0 else 1 end`)
        .orderBy("created_at")
        .limit(1)
        .executeTakeFirst();
      if (domain === undefined) throw resourceNotFound({ resource: "Domain" });
      return ok(await presentRow(call, domainListing, domain));
    },
  }),
  defineEndpoint({
    method: "POST",
    path: "/v3/domains",
    summary: "Creates a domain.",
    access: "write",
    answers: { 201: Domain },
    refuses: [featureDisabled],
    body: CreateDomain,
    check: domainProblems,
    handle: async (call) => created(await presentNow(call, domainListing, await createDomain(call))),
  }),
  metadataEndpoint("/v3/domains/:guid", "Changes a domain's metadata.", domainListing, demandDomainWrite),
  defineEndpoint({
    method: "DELETE",
    path: "/v3/domains/:guid",
    summary: "Deletes a domain and its routes.",
    access: "write",
    answers: JOB,
    handle: async (call) => {
      const domain = await findRow(call, domainListing, guidOf(call));
      await demandDomainWrite(call, domain);
      const job = { operation: "domain.delete", resourceType: "domain", resourceGuid: domain.guid };
      return asJob(call.context, job, async (db, news) => {
        await refuseSharedDeletion(db, domain.guid);
        await deleteDomain(db, news, domain.guid);
      });
    },
  }),
  defineEndpoint({
    method: "POST",
    path: "/v3/domains/:guid/relationships/shared_organizations",
    summary: "Shares a private domain with organizations.",
    access: "write",
    answers: { 200: ToMany },
    body: ShareDomain,
    handle: async (call) => {
      const domain = await findRow(call, domainListing, guidOf(call));
      await shareDomain(call, domain);
      const shares = await loadShares(call, [domain.guid]);
      return ok(toManyData(shares.map((share) => share.organization_guid)));
    },
  }),
  defineEndpoint({
    method: "DELETE",
    path: "/v3/domains/:guid/relationships/shared_organizations/:organization_guid",
    summary: "Stops sharing a private domain with an organization.",
    access: "write",
    answers: { 204: null },
    handle: async (call) => {
      const domain = await findRow(call, domainListing, guidOf(call));
      await unshareDomain(call, domain, call.params["organization_guid"] ?? "");
      return noContent;
    },
  }),
];
