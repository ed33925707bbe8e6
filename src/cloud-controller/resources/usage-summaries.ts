/** Usage summaries: what an organization, a space or the foundation has of all that quotas limit. */
import { sql } from "kysely";
import { notAuthorized } from "../../kernel/errors/cloud-controller.ts";
import { usageOf } from "../app-quotas.ts";
import { type Condition, everything } from "../condition.ts";
import type { Context } from "../context.ts";
import { defineEndpoint, type Endpoint, ok } from "../endpoint.ts";
import { findRow } from "../list.ts";
import { link } from "../present.ts";
import { totalRoutes } from "../route-counts.ts";
import { linksTo, part, Quantity, shape, type Shown } from "../shape.ts";
import { organizationListing } from "./organizations.ts";
import { spaceListing } from "./spaces.ts";

const Usage = part({
  started_instances: Quantity,
  memory_in_mb: Quantity,
  routes: Quantity,
  service_instances: Quantity,
  reserved_ports: Quantity,
  domains: Quantity,
  per_app_tasks: Quantity,
  service_keys: Quantity,
});
const OrganizationUsage = shape("OrganizationUsage", {
  usage_summary: Usage,
  links: linksTo(["self", "organization"]),
});
const SpaceUsage = shape("SpaceUsage", { usage_summary: Usage, links: linksTo(["self", "space"]) });
const FoundationUsage = shape("FoundationUsage", { usage_summary: Usage, links: linksTo(["self"]) });

/** @param spaces  Narrows a column to the spaces that are meant. */
async function summarize(
  context: Context,
  spaces: (column: string) => Condition,
  privateDomains: Condition,
): Promise<Shown<typeof Usage>> {
  const { db } = context.store;
  const { instances, memoryMb } = await usageOf(db, spaces("apps.space_guid"));
  const count = async (table: "service_instances" | "domains", condition: Condition) => {
    const { total } = await db
      .selectFrom(table)
      .select((eb) => eb.fn.countAll<number>().as("total"))
      .where(condition)
      .executeTakeFirstOrThrow();
    return total;
  };
  return {
    started_instances: instances,
    memory_in_mb: memoryMb,
    routes: await totalRoutes(db, spaces("space_guid")),
    service_instances: await count("service_instances", spaces("space_guid")),
    reserved_ports: await totalRoutes(db, spaces("space_guid"), "tcp"),
    domains: await count("domains", privateDomains),
    // There are neither tasks nor keys.
    per_app_tasks: 0,
    service_keys: 0,
  };
}

const domainsOf = (organization: string) => sql<boolean>`organization_guid = ${organization}`;

export const usageSummaries: readonly Endpoint[] = [
  defineEndpoint({
    method: "GET",
    path: "/v3/organizations/:guid/usage_summary",
    summary: "Counts what an organization has of all that quotas limit.",
    access: "read",
    answers: { 200: OrganizationUsage },
    handle: async (call) => {
      const { context } = call;
      const { guid } = await findRow(call, organizationListing, call.params["guid"] ?? "");
      const spaces = (column: string) =>
        sql<boolean>`${sql.ref(column)} in (select guid from spaces where organization_guid = ${guid})`;
      return ok({
        usage_summary: await summarize(context, spaces, domainsOf(guid)),
        links: {
          self: link(context, `/v3/organizations/${guid}/usage_summary`),
          organization: link(context, `/v3/organizations/${guid}`),
        },
      });
    },
  }),
  defineEndpoint({
    method: "GET",
    path: "/v3/spaces/:guid/usage_summary",
    summary: "Counts what a space has of all that quotas limit.",
    access: "read",
    answers: { 200: SpaceUsage },
    handle: async (call) => {
      const { context } = call;
      const space = await findRow(call, spaceListing, call.params["guid"] ?? "");
      const spaces = (column: string) => sql<boolean>`${sql.ref(column)} = ${space.guid}`;
      return ok({
        usage_summary: await summarize(context, spaces, domainsOf(space.organization_guid)),
        links: {
          self: link(context, `/v3/spaces/${space.guid}/usage_summary`),
          space: link(context, `/v3/spaces/${space.guid}`),
        },
      });
    },
  }),
  defineEndpoint({
    method: "GET",
    path: "/v3/info/usage_summary",
    summary: "Counts what the foundation has of all that quotas limit.",
    access: "read",
    answers: { 200: FoundationUsage },
    handle: async ({ context, caller }) => {
      if (!caller.seesEverything) throw notAuthorized({});
      return ok({
        usage_summary: await summarize(
          context,
          () => everything,
          sql<boolean>`organization_guid is not null`,
        ),
        links: { self: link(context, "/v3/info/usage_summary") },
      });
    },
  }),
];
