/**
 * `viaduct router -c FILE`: the router alone, in gorouter's place. Reads its file, follows its order of starting,
 * writes its log and obeys its signals.
 *
 *   NATS ─► status listeners (503) ─► subscriber ─► wait for registrations ─► listener ─► gorouter.started
 *        ─► healthy (200) ─► pid file …  SIGUSR1: unhealthy ─► drain_wait ─► drain ─► stop
 *                                        SIGTERM, SIGINT: stop
 *   SIGHUP, at any time: reads the file again and takes the certificates of the TLS listener from it
 */
import type { EventEmitter } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { type Bus, connectNats } from "../bus/index.ts";
import {
  type Clock,
  createLifecycle,
  keepAliveWhile,
  type LineSink,
  type Part,
  systemClock,
  ViaductError,
} from "../kernel/index.ts";
import {
  createAccessLogFormatter,
  createClassicFeed,
  createGorouterLogger,
  createHealth,
  createHttpRouter,
  createInspection,
  createMetricsPage,
  createRoutePrograms,
  createStatusServer,
  FeedCounts,
  type GorouterConfig,
  type GorouterLogger,
  type Health,
  type HttpRouter,
  loadGorouterConfig,
} from "../router/index.ts";
import { createTable } from "../table/index.ts";

const SIGNALS = ["SIGTERM", "SIGINT", "SIGUSR1"] as const;
type Signal = (typeof SIGNALS)[number];
const RELOAD = "SIGHUP";

export interface RouterRoleOptions {
  readonly configPath: string;
  /** Where the log goes; standard output when it is left out. */
  readonly sink?: LineSink;
  /** Emits {@link SIGNALS} and {@link RELOAD}; the process when it is left out. */
  readonly signals?: Pick<EventEmitter, "on" | "off">;
  readonly clock?: Clock;
}

/** @returns the exit code, when the router has ended. Never throws what an operator caused: it is in the log. */
export async function runRouterRole(options: RouterRoleOptions): Promise<number> {
  const { configPath, sink = process.stdout, clock = systemClock } = options;
  const logTo = { sink, clock };
  let loaded: GorouterConfig;
  try {
    loaded = loadGorouterConfig(readFileSync(configPath, "utf8"), configPath);
  } catch (error) {
    const log = createGorouterLogger({
      level: "info",
      timestampFormat: "unix-epoch",
      prefix: "gorouter.stdout",
      ...logTo,
    });
    log.fatal({ error: (error as Error).message }, "Error loading config:");
    return 1;
  }
  const log = createGorouterLogger({ ...loaded.logging, ...logTo });
  for (const warning of loaded.warnings) log.warn({ warning }, "config-warning");

  const signals = listenForSignals(options.signals ?? process, log);
  try {
    return await run(loaded, { log, clock, signals, configPath });
  } catch (error) {
    if (error instanceof StoppedWhileStarting) {
      log.info({}, "gorouter.exited");
      return 0;
    }
    // Anything else is a programmer's mistake and ends the process with its stack.
    if (!(error instanceof ViaductError)) throw error;
    log.fatal(
      { error: error.message },
      error.code === "bus_unreachable" ? "nats-connection-error" : "gorouter.exited-with-failure",
    );
    return 1;
  } finally {
    signals.stop();
  }
}

interface Surroundings {
  readonly log: GorouterLogger;
  readonly clock: Clock;
  readonly signals: Signals;
  readonly configPath: string;
}

async function run(
  loaded: GorouterConfig,
  { log, clock, signals, configPath }: Surroundings,
): Promise<number> {
  const bus = await connect(loaded, log, clock);
  const health = createHealth();
  const { router, parts } = assemble(loaded, { log, clock, signals, configPath, bus, health });
  signals.onReload(() => reloadTls(router, configPath, log.session("router")));
  const lifecycle = createLifecycle(parts, log.session("lifecycle"));
  try {
    await lifecycle.start();
    const signal = await keepAliveWhile(signals.first);
    if (signal === "SIGUSR1") await drain(loaded, router, health, log, clock);
    const startedAtMs = clock.monotonicMs();
    log.info({}, "gorouter.stopping");
    await lifecycle.shutdown(0);
    log.info({ took: `${Math.round(clock.monotonicMs() - startedAtMs)}ms` }, "gorouter.stopped");
  } finally {
    await bus?.close();
  }
  log.info({}, "gorouter.exited");
  return 0;
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
    setting: "nats.hosts",
  });
  session.info({ "nats-hosts": servers }, "Successfully-connected-to-nats");
  return bus;
}

/** The parts in the order in which they start. */
function assemble(
  loaded: GorouterConfig,
  { log, clock, signals, bus, health }: Surroundings & { readonly bus: Bus | null; readonly health: Health },
): { readonly router: HttpRouter; readonly parts: readonly Part[] } {
  const { config, feed: feedConfig } = loaded;
  const programs = createRoutePrograms({ config, log: log.session("registry") });
  const table = createTable({ ...programs, emptyPoolTimeoutMs: loaded.emptyPoolTimeoutMs });
  const feeds = new FeedCounts(config.histogramBuckets);
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
  const router = createHttpRouter({
    config,
    table,
    log: log.session("router"),
    clock,
    accessLog: null,
    formatAccessLog: createAccessLogFormatter(loaded.accessLog),
    health,
  });
  const status = createStatusServer({
    config: loaded.status,
    health,
    table,
    dropletStaleThresholdMs: feedConfig.dropletStaleThresholdMs,
    inspect: createInspection(router),
    metrics: createMetricsPage({
      counters: router.counters,
      exchanges: router.metrics,
      table,
      feeds,
      clock,
    }),
    log: log.session("status"),
  });
  const preload = waitPart("preload", async () => {
    const waitMs = feedConfig.startResponseDelayIntervalMs;
    log.info(
      { sleep_time_seconds: waitMs / 1_000 },
      "Sleeping before returning success on /health endpoint to preload routing table",
    );
    await signals.pause(clock, waitMs);
  });
  const announce = waitPart("announce", async () => {
    log.info({ port: router.port }, "gorouter.started");
    health.set("healthy");
    await signals.pause(clock, loaded.healthyThresholdMs);
  });
  return {
    router,
    parts: [
      status,
      ...(feed === null ? [] : [feed, preload]),
      router,
      announce,
      ...(loaded.pidFile === "" ? [] : [pidFilePart(loaded.pidFile)]),
    ],
  };
}

/** Unhealthy first, so that load balancers go elsewhere while the listener is still open. */
async function drain(
  { drainWaitMs, drainTimeoutMs }: GorouterConfig,
  router: HttpRouter,
  health: Health,
  log: GorouterLogger,
  clock: Clock,
): Promise<void> {
  health.set("degraded");
  log.info({ wait: `${drainWaitMs / 1_000}s`, timeout: `${drainTimeoutMs / 1_000}s` }, "gorouter-draining");
  await keepAliveWhile(pause(clock, drainWaitMs));
  await keepAliveWhile(router.drain(drainTimeoutMs));
  const left = router.counters.activeExchanges;
  if (left > 0) log.session("router").error({ "requests-in-flight": left }, "router.drain.timed-out");
}

/** Handshakes use the new certificates from now on. A file that is no good changes nothing. */
function reloadTls(router: HttpRouter, configPath: string, log: GorouterLogger): void {
  try {
    const { config } = loadGorouterConfig(readFileSync(configPath, "utf8"), configPath);
    if (config.tls === null || router.tlsPort === 0) {
      log.info({ reason: "no TLS listener, before or after" }, "tls-reload-skipped");
      return;
    }
    router.reloadTls(config.tls);
    log.info({ certificates: config.tls.certificates.length }, "tls-reloaded");
  } catch (error) {
    log.error({ error: (error as Error).message }, "tls-reload-failed");
  }
}

function waitPart(name: string, wait: () => Promise<void>): Part {
  return { name, start: wait, stop: async () => {} };
}

function pidFilePart(path: string): Part {
  return {
    name: "pid-file",
    start: async () => writeFileSync(path, `${process.pid}\n`),
    stop: async () => rmSync(path, { force: true }),
  };
}

/** A signal came before the router was up. */
class StoppedWhileStarting extends Error {}

interface Signals {
  readonly first: Promise<Signal>;
  /** On {@link RELOAD}, before the first of the others and after. */
  onReload(reload: () => void): void;
  /** @throws StoppedWhileStarting when a signal comes first */
  pause(clock: Clock, ms: number): Promise<void>;
  stop(): void;
}

/** The first signal decides; those after it are only logged. */
function listenForSignals(source: Pick<EventEmitter, "on" | "off">, log: GorouterLogger): Signals {
  const first = Promise.withResolvers<Signal>();
  let hasCome = false;
  const handlers = SIGNALS.map((signal) => {
    const handler = () => {
      if (hasCome) log.info({ signal }, "gorouter.signal.ignored");
      hasCome = true;
      first.resolve(signal);
    };
    source.on(signal, handler);
    return { signal, handler };
  });
  let reload = () => {};
  const onReload = () => reload();
  source.on(RELOAD, onReload);
  return {
    first: first.promise,
    onReload(given) {
      reload = given;
    },
    async pause(clock, ms) {
      await keepAliveWhile(Promise.race([pause(clock, ms), first.promise]));
      if (hasCome) throw new StoppedWhileStarting();
    },
    stop() {
      for (const { signal, handler } of handlers) source.off(signal, handler);
      source.off(RELOAD, onReload);
    },
  };
}

function pause(clock: Clock, ms: number): Promise<void> {
  return ms === 0 ? Promise.resolve() : new Promise((resolve) => clock.setTimeout(resolve, ms));
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
