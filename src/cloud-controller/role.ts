/** The role: seeds, listens, and keeps the route table and Diego in step. */
import type { TokenIssuer, TokenVerifier } from "../auth/index.ts";
import type { Bbs, RouteLiveness, RouteTableWriter } from "../contracts/index.ts";
import { type HttpListener, listen } from "../http/index.ts";
import type { Clock, Logger, Part } from "../kernel/index.ts";
import type { OperatorLimits } from "../options/index.ts";
import { createOutboxRelay, type Store } from "../store/index.ts";
import type { AccessLines } from "./app-log.ts";
import { buildCloudController } from "./api.ts";
import type { CloudControllerConfig } from "./config.ts";
import { createBits } from "./bits/rows.ts";
import { createContext, endsWithin } from "./context.ts";
import { createCrashEvents } from "./crash-events.ts";
import { createDeployer } from "./deployer.ts";
import { ALL_TOPIC, TOPICS } from "./news.ts";
import { seed } from "./seed.ts";
import { createSync } from "./sync/sync.ts";

/** The API is up without it; on a laptop the first full sync takes milliseconds. */
const FIRST_SYNC_LIMIT_MS = 10_000;

export interface CloudControllerOptions {
  readonly config: CloudControllerConfig;
  readonly store: Store;
  readonly verifier: TokenVerifier;
  /** The built-in UAA; absent where an external one issues tokens. */
  readonly issuer?: TokenIssuer | undefined;
  readonly bbs: Bbs;
  readonly routeTable: RouteTableWriter;
  readonly liveness?: RouteLiveness | undefined;
  /** What routers logged of requests to an app; absent where none runs in this process. */
  readonly accessLines?: AccessLines | undefined;
  /** What options may ask for. */
  readonly operator: OperatorLimits;
  readonly log: Logger;
  readonly clock: Clock;
}

export interface CloudController extends Part {
  /** Where it listens, once started. */
  readonly port: number;
}

/** Needs a store that is open, and a BBS and a route table that are started. */
export function createCloudController(options: CloudControllerOptions): CloudController {
  const { config, store, bbs, routeTable, clock } = options;
  const log = options.log.child({ role: "cloud-controller" });
  let listener: HttpListener | null = null;
  const port = () => listener?.port ?? config.port;
  const externalUrl = () => config.externalUrl || `http://${config.host}:${port()}`;
  const bits = config.bitsDirectory === "" ? undefined : createBits(store, config);
  const relay = createOutboxRelay({
    store,
    consumer: "cloud-controller",
    topics: TOPICS,
    handle: createSync({
      store,
      bbs,
      routeTable,
      apiUrl: externalUrl,
      dropletPath: bits && ((sha256) => bits.dropletPath(sha256)),
      log,
    }),
    log,
    clock,
  });
  const deps = { ...options, log, externalUrl, bits, handOver: (lastId: number) => relay.drained(lastId) };
  const context = createContext(deps);
  const deployer = createDeployer(context);
  const crashEvents = createCrashEvents(context);
  return {
    name: "cloud-controller",
    get port() {
      return port();
    },
    async start() {
      await seed({ store, clock }, config);
      await bits?.open();
      const api = buildCloudController(deps);
      listener = await listen(api, {
        role: "cloud-controller",
        host: config.host,
        port: config.port,
        setting: "cloud-controller.port",
      });
      await relay.start();
      await deployer.start();
      await crashEvents.start();
      await store.transaction((db) => store.outbox.add(db, { topic: ALL_TOPIC, key: "" }));
      if (await endsWithin(relay.drained(), FIRST_SYNC_LIMIT_MS, clock)) {
        log.warn({ afterMs: FIRST_SYNC_LIMIT_MS }, "route table and Diego are not in step yet; still trying");
      }
    },
    async stop() {
      await listener?.close();
      listener = null;
      await crashEvents.stop();
      await deployer.stop();
      await relay.stop();
    },
  };
}
