/**
 * `viaduct up`: every role in one process, on an embedded database and an in-process bus.
 *
 *   data folder → store → route table → diego → emitter → cloud controller, routing API, dashboard
 *     → router's feeds and registrar (table filled, our own API in it) → router, dns (ports open)
 *
 * Ports for clients open last, so that whoever gets a connection gets a filled table behind it.
 */
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createTokenIssuer, createTokenVerifier } from "../auth/index.ts";
import { createMemoryBus } from "../bus/index.ts";
import { cloudControllerSection, createCloudController } from "../cloud-controller/index.ts";
import { createDashboard, DASHBOARD_PREFIX, dashboardSection } from "../dashboard/index.ts";
import { createBbs, createLocalCell, diegoSection } from "../diego/index.ts";
import { createDnsServer, dnsSection } from "../dns/index.ts";
import { createEmitter, emitterSection } from "../emitter/index.ts";
import {
  createLifecycle,
  type Lifecycle,
  type LineSink,
  type LoadedConfig,
  type Logger,
  type Part,
  systemClock,
} from "../kernel/index.ts";
import { addOptionFolder, optionsSection } from "../options/index.ts";
import { createRegistrar, type RegistrarRoute } from "../registrar/index.ts";
import {
  CLASSIC_FEED_DEFAULTS,
  createClassicFeed,
  createHttpRouter,
  createNativeFeed,
  createRoutePrograms,
  FeedCounts,
  routerConfigFrom,
  routerSection,
} from "../router/index.ts";
import { createRouteTable, createRoutingApi, routingApiSection } from "../routing-api/index.ts";
import { openStore, type Store } from "../store/index.ts";
import { createTable, type Table } from "../table/index.ts";
import { appSection } from "./app-config.ts";
import { loginWith, logInWith, needsLogin } from "./dashboard-login.ts";
import { createExternalUaa } from "./external-uaa.ts";
import type { DataDir } from "./data-dir.ts";
import { type LogFiles, openLogFiles } from "./log-files.ts";
import { RecentAccess } from "./recent-access.ts";
import { reloadTls } from "./reload-tls.ts";
import { createRouterStatus } from "./router-status.ts";
import { storeLocation, storeSection } from "./store-config.ts";

const ACCESS_TOKEN_TTL_MS = 10 * 60_000;
const REFRESH_TOKEN_TTL_MS = 30 * 24 * 3_600_000;

/** Loopback, so that a role which only the router reaches is reached by nobody else. */
const LOOPBACK = "127.0.0.1";
const SYSTEM_ROUTES_POLL_MS = 5;
/** Without them the API can still be asked at its own port. */
const SYSTEM_ROUTES_LIMIT_MS = 5_000;
const REGISTRATION_INTERVAL_MS = 20_000;

/** The classic feed of a router whose bus is in its own process. */
const CLASSIC_FEED = Object.freeze({
  ...CLASSIC_FEED_DEFAULTS,
  startResponseDelayIntervalMs: REGISTRATION_INTERVAL_MS,
  suspendPruningIfNatsUnavailable: true,
});

/** Where a running foundation is reached; what `up.json` holds. */
export interface UpAddresses {
  readonly api: string;
  readonly uaa: string;
  readonly dashboard: string;
  readonly router: {
    readonly host: string;
    readonly port: number;
    /** Where it answers questions (`viaduct explain`), and the password made for this start. */
    readonly status: { readonly url: string; readonly username: string; readonly password: string };
  };
  readonly dns: { readonly host: string; readonly port: number };
  /** The administrator's of the built-in UAA; left out with another one, which knows neither name nor password. */
  readonly username?: string;
  /** Beside `up.json`. */
  readonly passwordFile?: string;
  readonly pid: number;
}

export interface Foundation {
  readonly addresses: UpAddresses;
  readonly log: Logger;
  /** Takes the certificates of the TLS listener from a configuration; the rest of it is for the next start. */
  reload(load: () => LoadedConfig): void;
  /** Finishes what is in flight, then stops everything. */
  shutdown(): Promise<void>;
}

/** @throws whatever keeps a role from starting, with its remedy; nothing is left running then */
export async function startFoundation(config: LoadedConfig, dataDir: DataDir): Promise<Foundation> {
  const logs = await openLogFiles(config.get(appSection), {
    log: join(dataDir.logFolder, "viaduct.log"),
    accessLog: config.get(routerSection).accessLogFile,
  });
  try {
    return await start(config, dataDir, logs);
  } catch (error) {
    logs.log.error({ err: error }, "did not start");
    await logs.close();
    throw error;
  }
}

async function start(config: LoadedConfig, dataDir: DataDir, logs: LogFiles): Promise<Foundation> {
  const { log } = logs;
  await addOptionFolder(config.get(optionsSection).folder);
  const location = storeLocation(config.get(storeSection), dataDir.databaseFile);
  const store = await openStore(location, { log, clock: systemClock });

  let lifecycle: Lifecycle;
  const end = async (drainForMs: number) => {
    await lifecycle.shutdown(drainForMs);
    await store.close();
    log.info({}, "stopped");
    await logs.close();
  };
  try {
    const { parts, addresses, router } = await composeRoles(config, dataDir, store, logs);
    lifecycle = createLifecycle(parts, log);
    await lifecycle.start();
    const published = addresses();
    dataDir.publish(published);
    log.info({ pid: process.pid, api: published.api }, "started");
    return {
      addresses: published,
      log,
      reload: (load) => reloadTls(router, log, () => routerConfigFrom(load().get(routerSection)).tls),
      shutdown: () => end(config.get(appSection).drainMs),
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Makes every role and hands each what it needs; starts none. */
async function composeRoles(
  config: LoadedConfig,
  dataDir: DataDir,
  store: Store,
  { log, accessLog }: { readonly log: Logger; readonly accessLog: LineSink | null },
) {
  const clock = systemClock;
  const { systemHost } = config.get(appSection);
  const configured = routerConfigFrom(config.get(routerSection));
  const routerConfig = Object.freeze({
    ...configured,
    routeServicesSecret: configured.routeServicesSecret || dataDir.secrets.routeServicesSecret,
    optionLimits: config.get(optionsSection),
    // Links of the API carry the port, so it has to be known before anything starts.
    port: config.get(routerSection).port || (await freePort(config.get(routerSection).host)),
  });
  const externalUrl = `http://${systemHost}:${routerConfig.port}`;

  const roleLog = (role: string) => log.child({ role });
  const bus = createMemoryBus({ log: roleLog("bus") });
  const issuer = createTokenIssuer({
    store,
    clock,
    issuer: `${externalUrl}/uaa/oauth/token`,
    accessTokenTtlMs: ACCESS_TOKEN_TTL_MS,
    refreshTokenTtlMs: REFRESH_TOKEN_TTL_MS,
  });
  const uaaUrl = config.get(cloudControllerSection).uaaUrl.replace(/\/$/, "");
  const hasOwnUaa = uaaUrl === "";
  const verifier = createTokenVerifier(hasOwnUaa ? { issuer } : { jwksUrl: `${uaaUrl}/token_keys`, clock });
  const uaa = hasOwnUaa ? issuer : createExternalUaa(uaaUrl, verifier);

  const routingApiConfig = config.get(routingApiSection);
  const routeTable = createRouteTable({ store, clock, log: roleLog("routing-api"), ...routingApiConfig });
  const routingApi = createRoutingApi({
    config: routingApiConfig,
    table: routeTable,
    store,
    verifyToken: (token) => verifier.verifyToken(token),
    clock,
    log: roleLog("routing-api"),
  });

  const bbs = createBbs({ store, clock, log: roleLog("diego") });
  const cell = createLocalCell({
    bbs,
    config: config.get(diegoSection),
    dataDir: dataDir.path,
    clock,
    log: roleLog("diego"),
  });
  const emitter = createEmitter({
    bbs,
    routeTable,
    bus,
    config: config.get(emitterSection),
    clock,
    log: roleLog("emitter"),
  });

  const ccConfig = config.get(cloudControllerSection);
  const recentAccess = accessLog === null ? null : new RecentAccess(accessLog);
  const cloudController = createCloudController({
    config: {
      ...ccConfig,
      externalUrl: ccConfig.externalUrl || externalUrl,
      adminPassword: ccConfig.adminPassword || dataDir.secrets.adminPassword,
      systemRoutes: [...ccConfig.systemRoutes, systemHost],
    },
    store,
    verifier,
    ...(hasOwnUaa && { issuer }),
    bbs,
    routeTable,
    liveness: routeTable,
    accessLines: recentAccess === null ? undefined : (app, limit) => recentAccess.linesOf(app, limit),
    operator: config.get(optionsSection),
    clock,
    log,
  });

  const programs = createRoutePrograms({ config: routerConfig, log: roleLog("router") });
  const table = createTable(programs);
  const feeds = new FeedCounts(clock.nowMs(), routerConfig);
  const { routingTableShardingMode, isolationSegments } = config.get(routerSection);
  const sharding = { routingTableShardingMode, isolationSegments };
  const nativeFeed = createNativeFeed({
    reader: routeTable,
    readerName: "router/0",
    table,
    sharding,
    counts: feeds,
    log: roleLog("router"),
    clock,
  });
  const classicFeed = createClassicFeed({
    bus,
    table,
    config: { ...CLASSIC_FEED, ...sharding, balancingAlgorithm: routerConfig.balancingAlgorithm },
    counts: feeds,
    log: roleLog("router"),
    clock,
  });
  const router = createHttpRouter({
    config: routerConfig,
    table,
    log: roleLog("router"),
    clock,
    accessLog: recentAccess,
  });
  const routerStatus = createRouterStatus({
    router,
    table,
    feeds,
    dropletStaleThresholdMs: CLASSIC_FEED.dropletStaleThresholdMs,
    clock,
    log: roleLog("router"),
  });
  const dashboardConfig = config.get(dashboardSection);
  const dashboard = createDashboard({
    config: dashboardConfig,
    checkLogin: needsLogin(dashboardConfig, routerConfig.host) ? loginWith(uaa) : null,
    changes: {
      logIn: logInWith(uaa, clock),
      apiUrl: () => `http://${LOOPBACK}:${cloudController.port}`,
      hosts: [systemHost],
    },
    reader: routeTable,
    table,
    stats: () => router.counters,
    log: roleLog("dashboard"),
    clock,
  });
  const dns = createDnsServer({
    config: config.get(dnsSection),
    table,
    isWarm: () => nativeFeed.cursor !== null,
    log: roleLog("dns"),
    clock,
  });
  // Read at the start, when the roles know their ports.
  const ownRoutes = () => systemRoutes(systemHost, { cloudController, routingApi, dashboard });
  const registrar = createRegistrar({
    bus,
    host: LOOPBACK,
    routes: ownRoutes,
    log: roleLog("registrar"),
    clock,
  });

  const parts: readonly Part[] = [
    routeTable,
    bbs,
    cell,
    emitter,
    cloudController,
    routingApi,
    dashboard,
    nativeFeed,
    classicFeed,
    registrar,
    routerStatus.part,
    router,
    dns,
    systemRoutesServed(table, ownRoutes),
  ];
  const addresses = (): UpAddresses => ({
    api: externalUrl,
    uaa: hasOwnUaa ? `${externalUrl}/uaa` : uaaUrl,
    dashboard: `${externalUrl}${DASHBOARD_PREFIX}/`,
    router: { host: routerConfig.host, port: router.port, status: routerStatus.address() },
    dns: { host: config.get(dnsSection).host, port: dns.udpPort },
    ...(hasOwnUaa && { username: ccConfig.adminUser, passwordFile: "secrets.json" }),
    pid: process.pid,
  });
  return { parts, addresses, router };
}

/** Our own API behind our own router, as a foundation does it too. */
function systemRoutes(
  host: string,
  roles: Readonly<Record<"cloudController" | "routingApi" | "dashboard", { readonly port: number }>>,
): readonly RegistrarRoute[] {
  const route = (name: string, uri: string, { port }: { readonly port: number }) => ({
    name,
    port,
    uris: [uri],
    registrationIntervalMs: REGISTRATION_INTERVAL_MS,
    tags: { component: name },
  });
  return [
    route("cloud-controller", host, roles.cloudController),
    route("routing-api", `${host}/routing`, roles.routingApi),
    route("dashboard", `${host}${DASHBOARD_PREFIX}`, roles.dashboard),
  ];
}

/**
 * Ready is not said before our own routes can be used: messages on the bus are taken in slices, and on a busy machine the
 * last of them may come after everything else has started.
 */
function systemRoutesServed(table: Pick<Table, "lookup">, routes: () => readonly RegistrarRoute[]): Part {
  return {
    name: "system-routes",
    async start() {
      const uris = routes().flatMap((route) => route.uris);
      const isServed = (uri: string) => {
        const [host = "", ...path] = uri.split("/");
        return table.lookup(host, `/${path.join("/")}`)?.key === uri;
      };
      for (
        let waitedMs = 0;
        !uris.every(isServed) && waitedMs < SYSTEM_ROUTES_LIMIT_MS;
        waitedMs += SYSTEM_ROUTES_POLL_MS
      ) {
        await sleep(SYSTEM_ROUTES_POLL_MS);
      }
    },
    async stop() {},
  };
}

/** A port that is free now; for `router.port: 0`. */
async function freePort(host: string): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, host, resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return address !== null && typeof address === "object" ? address.port : 0;
}
