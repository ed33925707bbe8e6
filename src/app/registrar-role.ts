/** `viaduct registrar -c FILE`: the registrar alone, over NATS, from route-registrar's own configuration file. */
import { readFileSync } from "node:fs";
import { type Bus, connectNats, createMemoryBus } from "../bus/index.ts";
import { registrarConfigUnreadable } from "../kernel/errors/registrar.ts";
import {
  createLifecycle,
  createLogger,
  keepAliveWhile,
  type Logger,
  systemClock,
  systemReason,
} from "../kernel/index.ts";
import {
  createRegistrar,
  loadRegistrarConfig,
  type MessageBusServer,
  type RegistrarConfig,
} from "../registrar/index.ts";

/** Upstream's. */
const PING_INTERVAL_MS = 20_000;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGQUIT"] as const;

/**
 * @returns the exit code, after every route was unregistered
 * @throws registrarConfigUnreadable, registrarConfigInvalid, busUnreachable
 */
export async function runRegistrarRole({ configPath }: { readonly configPath: string }): Promise<number> {
  const config = loadRegistrarConfig(readText(configPath, "name another one with -c FILE"), configPath);
  const log = createLogger({ level: "info" }).child({ role: "registrar" });
  log.info({}, "Initializing");
  const [server] = config.messageBusServers;
  // A file without routes names no server, and there is nothing to say to one.
  const bus = server === undefined ? createMemoryBus({ log }) : await connectToNats(config, server, log);
  const { routes, host, availabilityZone, unregistrationMessageLimit, dynamicConfigGlobs } = config;
  const registrar = createRegistrar({
    routes,
    bus,
    host,
    availabilityZone,
    unregistrationMessageLimit,
    dynamicConfigGlobs,
    clock: systemClock,
    log,
  });
  const lifecycle = createLifecycle([registrar], log);
  try {
    await lifecycle.start();
    log.info({ routes: routes.length }, "Running");
    const signal = await keepAliveWhile(firstSignal());
    log.info({ signal }, "Caught signal");
    await lifecycle.shutdown(0);
  } finally {
    await bus.close();
  }
  return 0;
}

function connectToNats(config: RegistrarConfig, server: MessageBusServer, log: Logger): Promise<Bus> {
  return connectNats({
    servers: config.messageBusServers.map(({ host }) => host),
    user: server.user,
    pass: server.password,
    tls: readTls(config),
    name: "route-registrar",
    pingIntervalMs: PING_INTERVAL_MS,
    log,
    clock: systemClock,
    settings: {
      servers: "message_bus_servers",
      credentials: "user and password in message_bus_servers",
      tls: "nats_mtls_config",
    },
  });
}

function readTls({ natsTls }: RegistrarConfig) {
  if (natsTls === null) return undefined;
  const { caPath, certPath, keyPath } = natsTls;
  const read = (path: string, key: string) => readText(path, `change nats_mtls_config.${key}`);
  return {
    ca: read(caPath, "ca_path"),
    cert: read(certPath, "cert_path"),
    key: read(keyPath, "key_path"),
  };
}

function readText(path: string, remedy: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw registrarConfigUnreadable({ path, reason: systemReason(error), remedy }, error);
  }
}

function firstSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of SIGNALS) process.once(signal, resolve);
  });
}
