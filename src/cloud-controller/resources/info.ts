/** Discovery: where everything is, for clients that know one address only. */
import { type TSchema, Type } from "typebox";
import type { Context } from "../context.ts";
import { defineEndpoint, type Endpoint, ok } from "../endpoint.ts";
import { link } from "../present.ts";
import { AnyObject, Link, linksTo, orNull, part, Quantity, shape, type Shown, Url } from "../shape.ts";

/** Of the v3 API whose behaviour this is; clients switch features on by it. */
const API_VERSION = "3.224.0";
const OSBAPI_VERSION = "2.15";
const DESCRIPTION = "Cloud Foundry's application-routing tier";

/** What `GET /v3` names: the collections below it. */
const COLLECTIONS = [
  "app_usage_events",
  "apps",
  "audit_events",
  "buildpacks",
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
  "route_policies",
  "routes",
  "security_groups",
  "service_brokers",
  "service_credential_bindings",
  "service_instances",
  "service_offerings",
  "service_plans",
  "service_route_bindings",
  "service_usage_events",
  "space_quotas",
  "spaces",
  "stacks",
  "tasks",
  "users",
] as const;

const uaaOf = (context: Context) =>
  context.config.uaaUrl === "" ? context.url("/uaa") : context.config.uaaUrl;

const LinkOrNone = orNull(Link);
const VersionedLink = part({ href: Url, meta: part({ version: Type.String() }) });
const Root = shape("Root", {
  links: part({
    self: Link,
    cloud_controller_v2: LinkOrNone,
    cloud_controller_v3: VersionedLink,
    network_policy_v0: LinkOrNone,
    network_policy_v1: LinkOrNone,
    login: Link,
    uaa: Link,
    credhub: LinkOrNone,
    routing: Link,
    logging: LinkOrNone,
    log_cache: Link,
    log_stream: LinkOrNone,
    app_ssh: LinkOrNone,
  }),
});
const RootV3 = shape("RootV3", { links: linksTo(["self", ...COLLECTIONS]) });
const Info = shape("Info", {
  build: Type.String(),
  cli_version: part({ minimum: Type.String(), recommended: Type.String() }),
  custom: AnyObject,
  description: Type.String(),
  name: Type.String(),
  version: Type.Integer(),
  osbapi_version: Type.String(),
  rate_limits: part({
    enabled: Type.Boolean(),
    general_limit: Quantity,
    reset_interval_in_minutes: Quantity,
  }),
  links: part({ self: Link, support: part({ href: Type.String() }) }),
});
const InfoV2 = shape("InfoV2", {
  name: Type.String(),
  build: Type.String(),
  support: Type.String(),
  version: Type.Integer(),
  description: Type.String(),
  authorization_endpoint: Url,
  token_endpoint: Url,
  min_cli_version: Type.Null(),
  min_recommended_cli_version: Type.Null(),
  app_ssh_endpoint: Type.Null(),
  app_ssh_host_key_fingerprint: Type.Null(),
  app_ssh_oauth_client: Type.Null(),
  doppler_logging_endpoint: Type.Null(),
  api_version: Type.String(),
  osbapi_version: Type.String(),
});

function rootLinks(context: Context): Shown<typeof Root> {
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

function linksOfV3(context: Context): Shown<typeof RootV3> {
  const collections = COLLECTIONS.map((name) => [name, link(context, `/v3/${name}`)]);
  return { links: { self: link(context, "/v3"), ...Object.fromEntries(collections) } };
}

const anybody = <S extends TSchema>(
  path: string,
  summary: string,
  shape: S,
  present: (context: Context) => Shown<S> & object,
): Endpoint => {
  const answers: { readonly 200: TSchema } = { 200: shape };
  return defineEndpoint({
    method: "GET",
    path,
    summary,
    access: "public",
    answers,
    handle: async ({ context }) => ok(present(context)),
  });
};

export const info: readonly Endpoint[] = [
  anybody("/", "Says where every API of the foundation is.", Root, rootLinks),
  anybody("/v3", "Says where every collection is.", RootV3, linksOfV3),
  // The one call of API v2 that is left where v2 is switched off: the official Java client looks for the UAA here.
  anybody("/v2/info", "Says that there is no API v2, and where the UAA is.", InfoV2, (context) => ({
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
  })),
  anybody("/v3/info", "Says what this foundation is.", Info, (context) => ({
    build: "",
    cli_version: { minimum: "", recommended: "" },
    custom: {},
    description: DESCRIPTION,
    name: context.config.name,
    version: 0,
    osbapi_version: OSBAPI_VERSION,
    rate_limits: { enabled: false, general_limit: 0, reset_interval_in_minutes: 0 },
    links: { self: link(context, "/v3/info"), support: { href: "" } },
  })),
];
