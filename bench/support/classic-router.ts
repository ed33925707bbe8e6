/** `viaduct router -c` in a process of its own beside a real NATS server, and the bus that registrars speak to it by. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Bus, connectNats, encodeRegister, SUBJECTS } from "../../src/bus/index.ts";
import { createLogger, systemClock } from "../../src/kernel/index.ts";
import { findProgram } from "../../test/support/needs.ts";
import { CASES, type Case } from "./cases.ts";
import { type Children, freePort } from "./children.ts";
import { prepareOrigin } from "./proxies.ts";

const ROOT = join(import.meta.dirname, "../..");
const POLL_MS = 50;

export interface ClassicRouter {
  readonly pid: number;
  readonly port: number;
  readonly bus: Bus;
  /** Registrations and unregistrations it has taken so far; of several workers, each of which takes all, those of the furthest. */
  heard(): Promise<number>;
  untilHeard(count: number): Promise<void>;
  stop(): Promise<void>;
}

/**
 * The log is at level info, and goes to a file.
 *
 * @param given.imports  Files of this folder that are loaded besides the program.
 * @param given.config   Keys of the gorouter configuration besides those that it takes to run at all.
 */
export async function startClassicRouter(
  { start, folder }: Children,
  given: {
    readonly flags: readonly string[];
    readonly imports: readonly string[];
    readonly config: Readonly<Record<string, unknown>>;
  },
): Promise<ClassicRouter> {
  const [natsPort, port, metricsPort] = [await freePort(), await freePort(), await freePort()];
  const natsCommand = [findProgram("nats-server") ?? "", "--addr", "127.0.0.1", "--port", String(natsPort)];
  const nats = await start("nats", natsCommand, null, natsPort);
  const configFile = join(folder, "gorouter.yml");
  writeFileSync(
    configFile,
    JSON.stringify({
      port,
      nats: { hosts: [{ hostname: "127.0.0.1", port: natsPort }] },
      status: { host: "127.0.0.1", port: 0, user: "user", pass: "pass", routes: { port: 0 } },
      prometheus: { enabled: true, port: metricsPort },
      access_log: { file: join(folder, "access.log") },
      logging: { level: "info" },
      start_response_delay_interval: "10ms",
      ...given.config,
    }),
  );
  const command = [
    process.execPath,
    ...given.flags,
    ...given.imports.flatMap((file) => ["--import", join(import.meta.dirname, file)]),
    join(ROOT, "bin/viaduct.mjs"),
    "router",
    "-c",
    configFile,
  ];
  const router = await start("router", command, null, port);
  const bus = await connectNats({
    servers: [`127.0.0.1:${natsPort}`],
    user: "",
    pass: "",
    name: "registrar",
    pingIntervalMs: 20_000,
    log: createLogger({ level: "silent" }),
    clock: systemClock,
  });

  const heard = async (): Promise<number> => {
    const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    return [...text.matchAll(/^(?:un)?registry_message\{.*\} (\d+)$/gm)].reduce(
      (sum, [, count]) => sum + Number(count),
      0,
    );
  };
  return {
    pid: router.pid,
    port,
    bus,
    heard,
    async untilHeard(count) {
      while ((await heard()) < count) await sleep(POLL_MS);
    },
    async stop() {
      await bus.close();
      await router.stop();
      await nats.stop();
    },
  };
}

/** Starts an origin, and resolves when the router serves small answers of it. */
export async function serveSmall({ start, folder }: Children, router: ClassicRouter): Promise<Case> {
  const small = CASES.find(({ name }) => name === "small-get") as Case;
  const port = await freePort();
  await start("origin", prepareOrigin(small, findProgram("nginx") ?? "", folder, port), null, port);
  const before = await router.heard();
  router.bus.publish(
    SUBJECTS.routerRegister,
    encodeRegister({ host: "127.0.0.1", port, uris: ["127.0.0.1"] }),
  );
  await router.untilHeard(before + 1);
  return small;
}
