/** Discovery: where everything is, for clients that know one address only. */
import type { Context } from "../context.ts";
import { type Answer, defineEndpoint, type Endpoint, ok } from "../endpoint.ts";
import { link } from "../present.ts";

/** Of the v3 API whose behaviour this is; clients switch features on by it. */
const API_VERSION = "3.224.0";
const OSBAPI_VERSION = "2.15";

/** What `GET /v3` names: the collections below it. */
const COLLECTIONS = [
  "apps",
  "audit_events",
  "builds",
  "deployments",
  "domains",
  "droplets",
  "environment_variable_groups",
  "feature_flags",
  "isolation_segments",
  "jobs",
  "organization_quotas",
  "organizations",
  "packages",
  "processes",
  "resource_matches",
  "roles",
  "routes",
  "service_credential_bindings",
  "service_instances",
  "service_route_bindings",
  "space_quotas",
  "spaces",
  "users",
] as const;

function rootLinks(context: Context): object {
  const { uaaUrl, routingUrl } = context.config;
  const uaa = { href: uaaUrl === "" ? context.url("/uaa") : uaaUrl };
  return {
    links: {
      self: { href: context.externalUrl() },
      cloud_controller_v2: null,
      cloud_controller_v3: { ...link(context, "/v3"), meta: { version: API_VERSION } },
      network_policy_v0: null,
      network_policy_v1: link(context, "/networking/v1/external"),
      login: uaa,
      uaa,
      credhub: null,
      routing: { href: routingUrl === "" ? context.url("/routing") : routingUrl },
      logging: null,
      // Its clients put their own path in the place of the link's.
      log_cache: { href: context.externalUrl() },
      log_stream: null,
      app_ssh: null,
    },
  };
}

const anybody = (path: string, summary: string, answer: (context: Context) => Answer): Endpoint =>
  defineEndpoint({
    method: "GET",
    path,
    summary,
    access: "public",
    handle: async ({ context }) => answer(context),
  });

export const info: readonly Endpoint[] = [
  anybody("/", "Says where every API of the foundation is.", (context) => ok(rootLinks(context))),
  anybody("/v3", "Says where every collection is.", (context) =>
    ok({
      links: {
        self: link(context, "/v3"),
        ...Object.fromEntries(COLLECTIONS.map((name) => [name, link(context, `/v3/${name}`)])),
      },
    }),
  ),
  anybody("/v3/info", "Says what this foundation is.", (context) =>
    ok({
      build: "",
      cli_version: { minimum: "", recommended: "" },
      custom: {},
      description: "Cloud Foundry's application-routing tier",
      name: context.config.name,
      version: 0,
      osbapi_version: OSBAPI_VERSION,
      rate_limits: { enabled: false, general_limit: 0, reset_interval_in_minutes: 0 },
      links: { self: link(context, "/v3/info"), support: { href: "" } },
    }),
  ),
];
