/**
 * `viaduct router -c FILE`: the router alone, in gorouter's place. Reads its file, follows its order of starting,
 * writes its log and obeys its signals.
 *
 *   start ─► gorouter.started ─► healthy (200) ─► pid file …  SIGUSR1: unhealthy ─► drain_wait ─► drain ─► stop
 *                                                             SIGTERM, SIGINT: stop
 *   at any time   SIGHUP: reads the file again and takes the certificates of the TLS listener from it
 *                 SIGUSR2: reads the file again and replaces the worker processes, losing no request
 */
import type { EventEmitter } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { pidFileUnwritable, workerNotStarted } from "../kernel/errors/app.ts";
import {
  type Clock,
  keepAliveWhile,
  type LineSink,
  stdoutLines,
  systemClock,
  systemReason,
  ViaductError,
} from "../kernel/index.ts";
import {
  createGorouterLogger,
  type GorouterConfig,
  type GorouterLogger,
  loadGorouterConfig,
} from "../router/index.ts";
import { readConfigFile } from "./config-file.ts";
import { fatalMessage, openRouterProcess, type RouterUnit } from "./router-process.ts";
import { createPrimary } from "./workers/primary.ts";

const ENDINGS = ["SIGTERM", "SIGINT", "SIGUSR1"] as const;
type Ending = (typeof ENDINGS)[number];
const RELOAD = "SIGHUP";
const RESTART = "SIGUSR2";

export interface RouterRoleOptions {
  readonly configPath: string;
  /** Where the log goes; standard output when it is left out. */
  readonly sink?: LineSink;
  /** Emits {@link ENDINGS}, {@link RELOAD} and {@link RESTART}; the process when it is left out. */
  readonly signals?: Pick<EventEmitter, "on" | "off">;
  readonly clock?: Clock;
}

/** @returns the exit code, when the router has ended. Never throws what an operator caused: it is in the log. */
export async function runRouterRole(options: RouterRoleOptions): Promise<number> {
  const { configPath, sink = stdoutLines(), clock = systemClock } = options;
  const logTo = { sink, clock };
  let configText: string;
  let loaded: GorouterConfig;
  try {
    configText = readConfigFile(configPath);
    loaded = loadGorouterConfig(configText, configPath);
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
    const unit = await openUnit(loaded, configText, { log, clock, signals, configPath });
    await run(unit, loaded, { log, clock, signals, configPath });
  } catch (error) {
    // Anything else is a programmer's mistake and ends the process with its stack.
    if (!(error instanceof StoppedWhileStarting || error instanceof ViaductError)) throw error;
    if (error instanceof ViaductError) {
      const message = workerNotStarted.is(error) ? error.details.message : fatalMessage(error);
      log.fatal({ error: error.message }, message);
      return 1;
    }
  } finally {
    signals.stop();
  }
  log.info({}, "gorouter.exited");
  return 0;
}

interface Surroundings {
  readonly log: GorouterLogger;
  readonly clock: Clock;
  readonly signals: Signals;
  readonly configPath: string;
}

/** One process, or one that leads others. */
async function openUnit(
  loaded: GorouterConfig,
  configText: string,
  { log, clock, signals, configPath }: Surroundings,
): Promise<RouterUnit> {
  const common = { configPath, log, clock };
  if (loaded.workers === 1) {
    const { unlessStopped } = signals;
    return openRouterProcess(loaded, { ...common, pause: (ms) => signals.pause(clock, ms), unlessStopped });
  }
  return createPrimary(loaded, { ...common, configText, unlessStopped: signals.unlessStopped });
}

async function run(
  unit: RouterUnit,
  { healthyThresholdMs, pidFile, drainWaitMs, drainTimeoutMs }: GorouterConfig,
  { log, clock, signals, configPath }: Surroundings,
): Promise<void> {
  signals.onReload(() => withConfig(configPath, log, (text) => unit.reload(text)));
  signals.onRestart(() => withConfig(configPath, log, (text) => unit.restart(text)));
  try {
    await unit.start();
    log.info({ port: unit.port }, "gorouter.started");
    unit.announce();
    await signals.pause(clock, healthyThresholdMs);
    if (pidFile !== "") writePidFile(pidFile);

    const signal = await keepAliveWhile(signals.first);
    if (signal === "SIGUSR1") {
      const times = { wait: `${drainWaitMs / 1_000}s`, timeout: `${drainTimeoutMs / 1_000}s` };
      log.info(times, "gorouter-draining");
      await unit.drain();
    }
    const startedAtMs = clock.monotonicMs();
    log.info({}, "gorouter.stopping");
    await unit.stop();
    log.info({ took: `${Math.round(clock.monotonicMs() - startedAtMs)}ms` }, "gorouter.stopped");
  } finally {
    await unit.stop();
    if (pidFile !== "") rmSync(pidFile, { force: true });
  }
}

/** @throws pidFileUnwritable */
function writePidFile(path: string): void {
  try {
    writeFileSync(path, `${process.pid}\n`);
  } catch (error) {
    throw pidFileUnwritable({ path, reason: systemReason(error) }, error);
  }
}

/** A file that cannot be read changes nothing. */
function withConfig(path: string, log: GorouterLogger, use: (text: string) => void): void {
  let text: string;
  try {
    text = readConfigFile(path);
  } catch (error) {
    log.error({ error: (error as Error).message }, "config-not-read");
    return;
  }
  use(text);
}

/** A signal came before the router was up. */
class StoppedWhileStarting extends Error {}

interface Signals {
  readonly first: Promise<Ending>;
  /** On {@link RELOAD}, before the first of the others and after. */
  onReload(reload: () => void): void;
  /** On {@link RESTART}. */
  onRestart(restart: () => void): void;
  /** @throws StoppedWhileStarting when a signal comes first */
  unlessStopped<T>(work: Promise<T>): Promise<T>;
  /** The same, of a time. */
  pause(clock: Clock, ms: number): Promise<void>;
  stop(): void;
}

/** The first signal that ends the router decides; those after it are only logged. */
function listenForSignals(source: Pick<EventEmitter, "on" | "off">, log: GorouterLogger): Signals {
  const first = Promise.withResolvers<Ending>();
  let hasCome = false;
  let reload = () => {};
  let restart = () => {};
  const handlers = [
    ...ENDINGS.map((signal) => {
      const handle = () => {
        if (hasCome) log.info({ signal }, "gorouter.signal.ignored");
        hasCome = true;
        first.resolve(signal);
      };
      return { signal, handle };
    }),
    { signal: RELOAD, handle: () => reload() },
    { signal: RESTART, handle: () => restart() },
  ];
  for (const { signal, handle } of handlers) source.on(signal, handle);
  const stopped = first.promise.then(() => {
    throw new StoppedWhileStarting();
  });
  // Whoever waits for something is told; often nobody does.
  stopped.catch(() => {});
  const unlessStopped = <T>(work: Promise<T>) => keepAliveWhile(Promise.race([stopped, work]));
  return {
    first: first.promise,
    onReload(given) {
      reload = given;
    },
    onRestart(given) {
      restart = given;
    },
    unlessStopped,
    async pause(clock, ms) {
      const { promise, resolve } = Promise.withResolvers<void>();
      if (ms === 0) resolve();
      else clock.setTimeout(resolve, ms);
      await unlessStopped(promise);
    },
    stop() {
      for (const { signal, handle } of handlers) source.off(signal, handle);
    },
  };
}
