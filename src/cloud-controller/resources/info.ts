/** Discovery: where everything is, for clients that know one address only. */
import type { Context } from "../context.ts";
import { type Answer, defineEndpoint, type Endpoint, ok } from "../endpoint.ts";
import { link } from "../present.ts";

/** Of the v3 API whose behaviour this is; clients switch features on by it. */
const API_VERSION = "3.224.0";
const OSBAPI_VERSION = "2.15";
const DESCRIPTION = "Cloud Foundry's application-routing tier";

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

const uaaOf = (context: Context) =>
  context.config.uaaUrl === "" ? context.url("/uaa") : context.config.uaaUrl;

function rootLinks(context: Context): object {
  const { routingUrl } = context.config;
  const uaa = { href: uaaOf(context) };
  return {
    links: {
      self: { href: context.externalUrl() },
      cloud_controller_v2: null,
      cloud_controller_v3: { ...link(context, "/v3"), meta: { version: API_VERSION } },
      network_policy_v0: null,
      // Absent, so that a client says of its commands for network policies that they cannot be had here.
      network_policy_v1: null,
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
  // The one call of API v2 that is left where v2 is switched off: the official Java client looks for the UAA here.
  anybody("/v2/info", "Says that there is no API v2, and where the UAA is.", (context) =>
    ok({
      name: context.config.name,
      build: "",
      support: "CF API v2 is disabled",
      version: 0,
      description: DESCRIPTION,
      authorization_endpoint: uaaOf(context),
      token_endpoint: uaaOf(context),
      min_cli_version: null,
      min_recommended_cli_version: null,
      app_ssh_endpoint: null,
      app_ssh_host_key_fingerprint: null,
      app_ssh_oauth_client: null,
      doppler_logging_endpoint: null,
      api_version: "",
      osbapi_version: OSBAPI_VERSION,
    }),
  ),
  anybody("/v3/info", "Says what this foundation is.", (context) =>
    ok({
      build: "",
      cli_version: { minimum: "", recommended: "" },
      custom: {},
      description: DESCRIPTION,
      name: context.config.name,
      version: 0,
      osbapi_version: OSBAPI_VERSION,
      rate_limits: { enabled: false, general_limit: 0, reset_interval_in_minutes: 0 },
      links: { self: link(context, "/v3/info"), support: { href: "" } },
    }),
  ),
];
