/** What the router can be told about route services, for both configuration files. */
import { type Setting, setting } from "../../kernel/index.ts";
import { allowlistProblem } from "./allowlist.ts";
import { networkProblem } from "./egress.ts";

export interface RouteServicesConfig {
  /** Signs what goes to route services; "" turns them off, and routes that have one answer 502. */
  readonly routeServicesSecret: string;
  /** Opens signatures that were made with it; "" is none. */
  readonly routeServicesSecretDecryptOnly: string;
  /** A signature is good for so long. */
  readonly routeServicesTimeoutMs: number;
  /** Services are told to send requests back by https. */
  readonly routeServicesRecommendHttps: boolean;
  /** A service that is a route of ours is served from our own table. */
  readonly routeServicesHairpinning: boolean;
  /** Hosts of services for which that holds; empty allows all. */
  readonly routeServicesHairpinningAllowlist: readonly string[];
  /** Tries per exchange, ≥ 1. */
  readonly routeServicesMaxAttempts: number;
  /** Signatures are checked also on routes without a service. */
  readonly routeServicesStrictSignatures: boolean;
  /** PEM: our certificate towards services, and its key; both "" for none. */
  readonly routeServicesCertChain: string;
  readonly routeServicesPrivateKey: string;
  /** Networks where services may be although they are private, in CIDR notation. */
  readonly routeServicesAllowedNetworks: readonly string[];
}

export const ROUTE_SERVICES_TIMEOUT = "60s";

/** Those of the `router:` section of `viaduct.yml`. */
export const routeServicesSettings = {
  routeServicesSecret: setting.string({
    key: "route_services_secret",
    default: "",
    secret: true,
    describe:
      "Signs what goes to route services; the same on all routers. Empty: one that the data folder keeps.",
  }),
  routeServicesSecretDecryptOnly: setting.string({
    key: "route_services_secret_decrypt_only",
    default: "",
    secret: true,
    describe: "The other secret while route_services_secret is being changed: opens signatures, makes none.",
  }),
  routeServicesTimeoutMs: setting.duration({
    key: "route_services_timeout",
    default: ROUTE_SERVICES_TIMEOUT,
    describe: "A request must be back from its route service after this long.",
  }),
  routeServicesRecommendHttps: setting.boolean({
    key: "route_services_recommend_https",
    default: false,
    describe: "X-CF-Forwarded-Url, where a route service sends the request back to, begins with https.",
  }),
  routeServicesHairpinning: setting.boolean({
    key: "route_services_hairpinning",
    default: false,
    describe: "A route service whose host is a route of this router is reached in the process.",
  }),
  routeServicesHairpinningAllowlist: checkedList(
    setting.list({
      key: "route_services_hairpinning_allowlist",
      default: [],
      describe:
        "Hosts of route services for which that holds: service.example.com or *.example.com; empty is all.",
    }),
    allowlistProblem,
  ),
  routeServicesMaxAttempts: setting.integer({
    key: "route_services_max_attempts",
    default: 3,
    minimum: 1,
    describe: "Tries to reach a route service for one request, when trying again is safe.",
  }),
  routeServicesStrictSignatures: setting.boolean({
    key: "route_services_strict_signature_validation",
    default: false,
    describe: "Requests with a bad signature are refused also on routes without a route service.",
  }),
  routeServicesAllowedNetworks: checkedList(
    setting.list({
      key: "route_services_allowed_networks",
      default: [],
      describe:
        "Networks where route services may be although they are private or this machine: 10.0.0.0/8. All others of those are refused.",
    }),
    networkProblem,
  ),
} as const;

/** What `viaduct.yml` does not offer. */
export const ROUTE_SERVICES_DEFAULTS = {
  routeServicesCertChain: "",
  routeServicesPrivateKey: "",
} satisfies Partial<RouteServicesConfig>;

function checkedList(
  list: Setting<readonly string[]>,
  problemOf: (item: string) => string | null,
): Setting<readonly string[]> {
  const parse: typeof list.parse = (raw) => {
    const parsed = list.parse(raw);
    if ("problem" in parsed) return parsed;
    const problem = parsed.value.map(problemOf).find((found) => found !== null);
    return problem === undefined ? parsed : { problem };
  };
  return Object.freeze({ ...list, parse });
}
