/**
 * The program of a worker: a router process that listens on sockets which its primary has bound, and does what the
 * primary says. Signals are the primary's business; a primary that is gone ends it.
 */
import { systemClock, ViaductError } from "../../kernel/index.ts";
import { createGorouterLogger, type GorouterConfig, loadGorouterConfig } from "../../router/index.ts";
import { fatalMessage, openRouterProcess, type RouterProcess } from "../router-process.ts";
import { type FromWorker, STATUS_USER, type ToWorker } from "./messages.ts";

const SIGNALS_OF_THE_PRIMARY = ["SIGTERM", "SIGINT", "SIGUSR1", "SIGUSR2", "SIGHUP"] as const;
/** Without a primary, the port must be free for the next one at once; the last lines of the log get this long. */
const ORPHAN_LIMIT_MS = 500;

/** Null until it listens. */
let serving: RouterProcess | null = null;
const started = Promise.withResolvers<RouterProcess>();

// A terminal and a service manager signal the whole group.
for (const signal of SIGNALS_OF_THE_PRIMARY) process.on(signal, () => {});
process.on("message", (message) => void obey(message as ToWorker));
process.once("disconnect", () => {
  serving?.router.stopListening();
  setTimeout(() => process.exit(1), ORPHAN_LIMIT_MS);
  void (serving?.stop() ?? Promise.resolve()).then(() => process.exit(1));
});

async function obey(message: ToWorker): Promise<void> {
  switch (message.kind) {
    case "start":
      return start(message);
    case "reload":
      return (await started.promise).reload(message.configText, Buffer.from(message.ticketKeys, "base64"));
    case "ticket-keys":
      return (await started.promise).router.setTicketKeys(Buffer.from(message.ticketKeys, "base64"));
    case "reopen-log":
      return (await started.promise).router.reopenAccessLog();
    case "hand-over":
      await serving?.handOver();
      return end();
    case "drain":
      await serving?.drain();
      return end();
    case "stop":
      return end();
    default:
      message satisfies never;
  }
}

async function start(message: Extract<ToWorker, { kind: "start" }>): Promise<void> {
  const { slot, configPath, generation, boundSockets } = message;
  const clock = systemClock;
  try {
    const loaded = asWorker(loadGorouterConfig(generation.configText, configPath), message);
    const unit = await openRouterProcess(loaded, {
      configPath,
      log: createGorouterLogger({ ...loaded.logging, clock }).child({ worker: slot }),
      clock,
      pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      boundSockets,
      ticketKeys: Buffer.from(generation.ticketKeys, "base64"),
    });
    await unit.start();
    unit.announce();
    serving = unit;
    started.resolve(unit);
    await say({ kind: "ready", statusPort: unit.status.ports.routes });
  } catch (error) {
    // Anything else is a programmer's mistake and ends the process with its stack.
    if (!(error instanceof ViaductError)) throw error;
    await say({ kind: "failed", message: fatalMessage(error), reason: error.message });
    process.exit(1);
  }
}

/** What the primary does for all is not done here. */
function asWorker(
  loaded: GorouterConfig,
  { configPath, generation, statusPassword }: Extract<ToWorker, { kind: "start" }>,
): GorouterConfig {
  const { tlsConfigText } = generation;
  const tls =
    tlsConfigText === null ? loaded.config.tls : loadGorouterConfig(tlsConfigText, configPath).config.tls;
  return {
    ...loaded,
    config: { ...loaded.config, tls },
    status: {
      ...loaded.status,
      host: "127.0.0.1",
      port: null,
      tls: null,
      routesPort: 0,
      user: STATUS_USER,
      pass: statusPassword,
      metricsPort: null,
    },
  };
}

async function end(): Promise<void> {
  await serving?.stop();
  if (serving !== null) await say({ kind: "over", metrics: serving.metrics() });
  process.exit(0);
}

/** Resolves when it is on its way, or there is nobody to tell. */
function say(message: FromWorker): Promise<void> {
  return new Promise((resolve) => process.send?.(message, () => resolve()));
}
