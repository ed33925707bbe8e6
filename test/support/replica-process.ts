/**
 * One replica of the Cloud Controller on a database that others use too. It tells its parent where it listens, and
 * everything it tells the route table; Diego takes what it is given.
 *
 *   fork(replica-process.ts, [STORE_LOCATION_AS_JSON, ADMIN_PASSWORD])
 */
import { createTokenIssuer, createTokenVerifier } from "../../src/auth/index.ts";
import { cloudControllerSection, createCloudController } from "../../src/cloud-controller/index.ts";
import type { Bbs } from "../../src/contracts/index.ts";
import { loadConfig, silentLogger, systemClock } from "../../src/kernel/index.ts";
import { openStore, type StoreLocation } from "../../src/store/index.ts";

export type ReplicaMessage =
  | { readonly kind: "ready"; readonly port: number }
  /** A reservation as it now is, null for one that was deleted. */
  | { readonly kind: "told"; readonly route: string; readonly options: object | null };

const TOKEN_TTL_MS = 3_600_000;

const [location = "", password = ""] = process.argv.slice(2);
const clock = systemClock;
const log = silentLogger;
const say = (message: ReplicaMessage) => void process.send?.(message);
const store = await openStore(JSON.parse(location) as StoreLocation, { log, clock });
const issuer = createTokenIssuer({
  store,
  clock,
  issuer: "http://api.example.com/uaa/oauth/token",
  accessTokenTtlMs: TOKEN_TTL_MS,
  refreshTokenTtlMs: TOKEN_TTL_MS,
});

let sequence = 0;
const told = (route: string, options: object | null) => {
  say({ kind: "told", route, options });
  return { epoch: "test", sequence: ++sequence };
};
const api = createCloudController({
  config: loadConfig([cloudControllerSection], {
    flags: {
      "cloud-controller.admin_password": password,
      "cloud-controller.external_url": "http://api.example.com",
    },
  }).get(cloudControllerSection),
  store,
  issuer,
  verifier: createTokenVerifier({ issuer }),
  bbs: {
    desireLrp: async () => {},
    updateDesiredLrp: async () => {},
    removeDesiredLrp: async () => {},
    desiredLrps: async () => [],
    actualLrps: async () => [],
    retireActualLrp: async () => {},
    subscribe: () => () => {},
    recentLogs: async () => [],
  } satisfies Bbs,
  routeTable: {
    putReservation: async ({ route, options }) => told(route, options ?? {}),
    deleteReservation: async (guid) => told(guid, null),
    replaceReservations: async () => ({ epoch: "test", sequence: ++sequence }),
    putEndpoints: async () => {},
    deleteEndpoints: async () => {},
  },
  operator: { maxResponseTimeoutMs: 900_000 },
  log,
  clock,
});
await api.start();
say({ kind: "ready", port: api.port });
process.once("disconnect", () => process.exit());
