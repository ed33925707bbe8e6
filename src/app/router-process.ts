/**
 * The router as gorouter's configuration file describes it, in this process: NATS, status listeners, table, data path.
 *
 *   NATS ─► status listeners ─► subscriber ─► wait for registrations ─► listeners … leave ─► drain ─► stop
 */
import { networkInterfaces } from "node:os";
import { type Bus, connectNats } from "../bus/index.ts";
import {
  type Clock,
  createLifecycle,
  keepAliveWhile,
  type Lifecycle,
  type Part,
  type ViaductError,
} from "../kernel/index.ts";
import { addOptionFolder } from "../options/index.ts";
import {
  type BoundSockets,
  createActiveApps,
  createClassicFeed,
  createHealth,
  createHttpRouter,
  createInspection,
  createMetricsPage,
  createRoutePrograms,
  createRoutesPage,
  createRoutingApiFeed,
  createStatusServer,
  createVarz,
  createVarzPage,
  FeedCounts,
  type GorouterConfig,
  type GorouterLogger,
  type HttpRouter,
  loadGorouterConfig,
  type StatusServer,
} from "../router/index.ts";
import { createTable } from "../table/index.ts";
import { reloadTls } from "./reload-tls.ts";

/**
 * How long a router whose successor listens waits for clients that are idle: most ask again within this time and get
 * an answer that ends the connection; to close one at the moment when it is used would lose a request.
 */
export const LEAVE_WAIT_MS = 10_000;

/** What `viaduct router` runs: this process, or one that leads others. */
export interface RouterUnit {
  /** Where requests are taken; 0 before the start. */
  readonly port: number;
  /** Resolves when it listens. @throws ViaductError for what an operator can mend */
  start(): Promise<void>;
  /** Healthy from now on, for load balancers that ask. */
  announce(): void;
  /** Unhealthy, `drain_wait`, then no new connections and what is in flight for at most `drain_timeout`. */
  drain(): Promise<void>;
  stop(): Promise<void>;
  /** Takes the certificates of a changed configuration file, and begins the access log's file anew. */
  reload(configText: string): void;
  /** Replaces the processes that serve, one after the other. */
  restart(configText: string): void;
}

export interface RouterProcess extends RouterUnit {
  readonly router: HttpRouter;
  readonly status: Pick<StatusServer, "ports">;
  readonly metrics: () => string;
  /** As {@link RouterUnit.reload}, and other keys for the tickets of TLS sessions. */
  reload(configText: string, ticketKeys?: Buffer): void;
  /** Ends without losing a request, while a successor accepts from the same sockets. */
  handOver(): Promise<void>;
}

export interface RouterProcessOptions {
  readonly configPath: string;
  readonly log: GorouterLogger;
  readonly clock: Clock;
  /** Waits, or throws to break off the start. */
  readonly pause: (ms: number) => Promise<void>;
  /** What others may keep waiting for minutes; throws when the start is broken off meanwhile. */
  readonly unlessStopped?: <T>(work: Promise<T>) => Promise<T>;
  /** Left out, it binds what the configuration says. */
  readonly boundSockets?: BoundSockets;
  readonly ticketKeys?: Buffer;
}

/** @throws busUnreachable when NATS cannot be reached */
export async function openRouterProcess(
  loaded: GorouterConfig,
  options: RouterProcessOptions,
): Promise<RouterProcess> {
  await addOptionFolder(loaded.optionFolder);
  const bus = await connect(loaded, options.log, options.clock);
  return new Process(loaded, options, bus);
}

class Process implements RouterProcess {
  readonly router: HttpRouter;
  readonly status: StatusServer;
  readonly metrics: () => string;
  readonly #loaded: GorouterConfig;
  readonly #options: RouterProcessOptions;
  readonly #bus: Bus | null;
  readonly #health = createHealth();
  readonly #lifecycle: Lifecycle;

  constructor(loaded: GorouterConfig, options: RouterProcessOptions, bus: Bus | null) {
    this.#loaded = loaded;
    this.#options = options;
    this.#bus = bus;
    const { log, clock, pause } = options;
    const { config, feed: feedConfig } = loaded;
    // Whole: how late it may attach is in it as well.
    const programs = createRoutePrograms({ config, log: log.session("registry") });
    const table = createTable({ ...programs, emptyPoolTimeoutMs: loaded.emptyPoolTimeoutMs });
    const feeds = new FeedCounts(clock.nowMs(), config);
    const feed =
      bus === null
        ? null
        : createClassicFeed({
            bus,
            table,
            config: { ...feedConfig, localAddress: localAddress() },
            log: log.session("subscriber"),
            clock,
            counts: feeds,
          });
    const activeApps =
      bus === null || loaded.publishActiveAppsIntervalMs === 0
        ? null
        : createActiveApps({
            bus,
            everyMs: loaded.publishActiveAppsIntervalMs,
            clock,
            log: log.session("active-apps"),
          });
    const varz = loaded.status.isOldComponent ? createVarz({ table, clock, logCounts: log.counts }) : null;
    const counting = [activeApps, varz].filter((part) => part !== null);
    this.router = createHttpRouter({
      config,
      table,
      log: log.session("router"),
      clock,
      accessLog: null,
      observers: counting.map(({ observe }) => observe),
      boundSockets: options.boundSockets,
      ticketKeys: options.ticketKeys,
      health: this.#health,
    });
    this.metrics = createMetricsPage({
      counters: this.router.counters,
      exchanges: this.router.metrics,
      table,
      feeds,
      clock,
      varz,
    });
    const metrics = async () => {
      await varz?.refresh();
      return this.metrics();
    };
    this.status = createStatusServer({
      config: loaded.status,
      health: this.#health,
      routes: createRoutesPage(table, feedConfig.dropletStaleThresholdMs),
      inspect: createInspection(this.router),
      metrics,
      varz: createVarzPage({ index: feedConfig.index, status: loaded.status, clock, metrics }),
      log: log.session("status"),
    });
    const preload = waitPart("preload", async () => {
      const waitMs = feedConfig.startResponseDelayIntervalMs;
      log.info(
        { sleep_time_seconds: waitMs / 1_000 },
        "Sleeping before returning success on /health endpoint to preload routing table",
      );
      await pause(waitMs);
    });
    const routingApi =
      loaded.routingApi === null
        ? null
        : createRoutingApiFeed({
            config: loaded.routingApi,
            table,
            counts: feeds,
            prunes: feed === null,
            log: log.session("route-fetcher"),
            clock,
          });
    const parts = [
      this.status,
      ...counting,
      ...(routingApi === null ? [] : [breakable(routingApi, options.unlessStopped)]),
      ...(feed === null ? [] : [feed, preload]),
      this.router,
    ];
    this.#lifecycle = createLifecycle(parts, log.session("lifecycle"));
  }

  get port(): number {
    return this.router.port;
  }

  start(): Promise<void> {
    return this.#lifecycle.start();
  }

  announce(): void {
    this.#health.set("healthy");
  }

  async drain(): Promise<void> {
    const { drainWaitMs } = this.#loaded;
    // Load balancers go elsewhere while the listener is still open, and so do clients with their next request.
    this.#health.set("degraded");
    this.router.leave();
    if (drainWaitMs > 0) await keepAliveWhile(sleep(this.#options.clock, drainWaitMs));
    await this.#drainRouter();
  }

  async handOver(): Promise<void> {
    this.router.leave();
    this.router.stopListening();
    this.#options.log.info({ connections: this.router.counters.activeConnections }, "worker-leaving");
    await keepAliveWhile(this.router.whenQuiet(LEAVE_WAIT_MS));
    await this.#drainRouter();
  }

  async #drainRouter(): Promise<void> {
    await keepAliveWhile(this.router.drain(this.#loaded.drainTimeoutMs));
    const left = this.router.counters.activeExchanges;
    if (left === 0) return;
    this.#options.log.session("router").error({ "requests-in-flight": left }, "router.drain.timed-out");
  }

  async stop(): Promise<void> {
    await this.#lifecycle.shutdown(0);
    await this.#bus?.close();
  }

  /** Handshakes use the new certificates from now on. A file that is no good changes nothing. */
  reload(configText: string, ticketKeys?: Buffer): void {
    const log = this.#options.log.session("router");
    this.router.reopenAccessLog();
    const read = () => loadGorouterConfig(configText, this.#options.configPath).config.tls;
    reloadTls(this.router, log, read, ticketKeys);
  }

  restart(): void {
    const reason = "there is one process only; start another router first, then end this one with SIGUSR1";
    this.#options.log.info({ reason }, "workers-restart-skipped");
  }
}

/** By the code of what kept a router from starting. */
const FATAL_MESSAGES: Readonly<Record<string, string>> = {
  bus_unreachable: "nats-connection-error",
  token_not_granted: "routing-api-connection-failed",
  routing_api_unavailable: "routing-api-connection-failed",
  routing_api_refused: "routing-api-connection-failed",
};

/** What gorouter calls the end of a router that could not start. */
export function fatalMessage(error: ViaductError): string {
  return FATAL_MESSAGES[error.code] ?? "gorouter.exited-with-failure";
}

/** Null when the file names no servers. */
async function connect(loaded: GorouterConfig, log: GorouterLogger, clock: Clock): Promise<Bus | null> {
  const { servers, user, pass, tls, pingIntervalMs } = loaded.nats;
  if (servers.length === 0) return null;
  const session = log.session("nats");
  const bus = await connectNats({
    servers,
    user,
    pass,
    tls: tls === null ? undefined : givenOnly(tls),
    name: `viaduct-router-${loaded.feed.index}`,
    pingIntervalMs,
    log: session,
    clock,
  });
  session.info({ "nats-hosts": servers }, "Successfully-connected-to-nats");
  return bus;
}

/** The same part, stopped when its start is broken off: nobody else stops a part that never started. */
function breakable(part: Part, unlessStopped: RouterProcessOptions["unlessStopped"]): Part {
  if (unlessStopped === undefined) return part;
  const start = async () => {
    try {
      await unlessStopped(part.start());
    } catch (error) {
      await part.stop();
      throw error;
    }
  };
  return { ...part, start };
}

function waitPart(name: string, wait: () => Promise<void>): Part {
  return { name, start: wait, stop: async () => {} };
}

function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.setTimeout(resolve, ms));
}

/** Without the texts that are empty, which a TLS library would take for certificates. */
function givenOnly<T extends Readonly<Record<string, string>>>(texts: T): Partial<T> {
  return Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== "")) as Partial<T>;
}

/** The first address of this machine that others can reach. */
function localAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find((address) => address.family === "IPv4" && !address.internal)?.address ?? "127.0.0.1";
}
