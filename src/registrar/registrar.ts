/**
 * The role: announces routes on the bus for as long as it runs and their health checks succeed.
 *
 *   start, every interval, router.start ──► health check ──► router.register
 *                                                └─ fails ─► router.unregister, a few times in a row
 *   stop ─────────────────────────────────────────────────► router.unregister
 */
import { type Bus, type BusSubscription, encodeRegister, SUBJECTS } from "../bus/index.ts";
import { type Clock, type Logger, newGuid, type Part, type Timer } from "../kernel/index.ts";
import { readDynamicRoutes } from "./dynamic-routes.ts";
import { healthCheckRunner, type RunHealthCheck } from "./health-check.ts";
import type { RegistrarRoute } from "./types.ts";

const UNREGISTRATION_MESSAGE_LIMIT = 5;
const DYNAMIC_SCAN_MS = 10_000;

export interface RegistrarOptions {
  /** A function when they are known only at the start. */
  readonly routes: readonly RegistrarRoute[] | (() => readonly RegistrarRoute[]);
  readonly bus: Bus;
  /** Where routes without a host of their own are. */
  readonly host: string;
  readonly availabilityZone?: string;
  /** Unregister messages in a row for a route that stays unhealthy. */
  readonly unregistrationMessageLimit?: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Files with more routes, read again every ten seconds. */
  readonly dynamicConfigGlobs?: readonly string[];
  /** For tests; otherwise scripts run as child processes. */
  readonly runHealthCheck?: RunHealthCheck;
}

export function createRegistrar(options: RegistrarOptions): Part {
  const { bus, clock, log, dynamicConfigGlobs = [] } = options;
  const shared: Announcing = {
    ...options,
    runHealthCheck: options.runHealthCheck ?? healthCheckRunner(clock),
    unregistrationMessageLimit: options.unregistrationMessageLimit ?? UNREGISTRATION_MESSAGE_LIMIT,
    instanceId: newGuid(),
  };
  /** By everything a route says: a changed one is another one. */
  const announcements = new Map<string, Announcement>();
  let subscription: BusSubscription | null = null;
  let stopListening: (() => void) | null = null;
  let nextScan: Timer | null = null;
  let fixed: readonly RegistrarRoute[] = [];
  let isStopped = false;

  // New and changed routes are registered at once, those that left are unregistered, the others keep their rhythm.
  const setRoutes = (routes: readonly RegistrarRoute[]) => {
    const wanted = new Map(routes.map((route) => [JSON.stringify(route), route]));
    for (const [key, announcement] of announcements) {
      if (wanted.has(key)) continue;
      announcements.delete(key);
      announcement.end();
    }
    for (const [key, route] of wanted) {
      if (announcements.has(key)) continue;
      const announcement = new Announcement(route, shared);
      announcements.set(key, announcement);
      announcement.begin();
    }
  };
  const scan = async () => {
    const found = await readDynamicRoutes(dynamicConfigGlobs, options.host, log);
    if (isStopped) return;
    setRoutes([...fixed, ...found]);
    nextScan = clock.setTimeout(() => void scan(), DYNAMIC_SCAN_MS);
  };
  const announceAll = () => {
    for (const announcement of announcements.values()) void announcement.announce();
  };

  return {
    name: "registrar",
    async start() {
      // A router that starts, and a bus that comes back, know nothing of what was said before.
      subscription = bus.subscribe(SUBJECTS.routerStart, announceAll);
      stopListening = bus.onStatus((status) => {
        if (status === "connected") announceAll();
      });
      fixed = typeof options.routes === "function" ? options.routes() : options.routes;
      setRoutes(fixed);
      if (dynamicConfigGlobs.length > 0) nextScan = clock.setTimeout(() => void scan(), DYNAMIC_SCAN_MS);
    },
    async stop() {
      isStopped = true;
      nextScan?.clear();
      subscription?.unsubscribe();
      stopListening?.();
      setRoutes([]);
      // The routers must hear it before what is registered stops listening.
      await bus
        .flush()
        .catch((error) => log.warn({ err: error }, "routers may not know that routes have gone"));
    },
  };
}

interface Announcing extends Omit<RegistrarOptions, "routes"> {
  readonly runHealthCheck: RunHealthCheck;
  readonly unregistrationMessageLimit: number;
  /** One per process, as the routers' sticky sessions expect. */
  readonly instanceId: string;
}

/** One route and its rhythm. */
class Announcement {
  readonly #route: RegistrarRoute;
  readonly #options: Announcing;
  readonly #body: string;
  readonly #log: Logger;
  readonly #ending = new AbortController();
  #timer: Timer | null = null;
  #isChecking = false;
  #isRegistered: boolean | null = null;
  #unregistrations = 0;

  constructor(route: RegistrarRoute, options: Announcing) {
    this.#route = route;
    this.#options = options;
    this.#body = bodyOf(route, options);
    this.#log = options.log.child({ route: route.name, uris: route.uris });
  }

  begin(): void {
    this.#timer = this.#options.clock.setInterval(
      () => void this.announce(),
      this.#route.registrationIntervalMs,
    );
    void this.announce();
  }

  end(): void {
    this.#ending.abort();
    this.#timer?.clear();
    this.#log.info({}, "Unregistering route");
    this.#publish(SUBJECTS.routerUnregister);
  }

  /** Says what is true now. A check that is still running decides for this time too. */
  async announce(): Promise<void> {
    const { healthCheck } = this.#route;
    if (healthCheck === undefined) {
      this.#register();
      return;
    }
    if (this.#isChecking) return;
    this.#isChecking = true;
    const { isHealthy, reason } = await this.#options.runHealthCheck(healthCheck, this.#ending.signal);
    this.#isChecking = false;
    if (this.#ending.signal.aborted) return;
    if (isHealthy) this.#register();
    else this.#unregister(reason);
  }

  #register(): void {
    this.#unregistrations = 0;
    const isNews = this.#isRegistered !== true;
    if (isNews) this.#log.info({}, "Registering route");
    this.#isRegistered = true;
    this.#publish(SUBJECTS.routerRegister);
    if (isNews) this.#log.info({}, "Registered routes successfully");
  }

  #unregister(reason: string): void {
    if (this.#isRegistered !== false) this.#log.warn({ reason }, "Unregistering route");
    this.#isRegistered = false;
    if (this.#unregistrations >= this.#options.unregistrationMessageLimit) return;
    this.#unregistrations++;
    this.#publish(SUBJECTS.routerUnregister);
  }

  #publish(subject: string): void {
    try {
      this.#options.bus.publish(subject, this.#body);
    } catch (error) {
      // Too large for the bus: this route is not announced, the others are.
      this.#log.error({ err: error, subject }, "message not published");
    }
  }
}

function bodyOf(route: RegistrarRoute, { host, availabilityZone, instanceId }: Announcing): string {
  const body = encodeRegister({
    host: route.host ?? host,
    uris: route.uris,
    port: route.port,
    tlsPort: route.tlsPort,
    serverCertDomainSan: route.serverCertDomainSan,
    protocol: route.protocol,
    tags: route.tags,
    routeServiceUrl: route.routeServiceUrl,
    privateInstanceId: instanceId,
    availabilityZone,
    options: route.options,
  });
  if (route.allowedSources === undefined) return body;
  return `${body.slice(0, -1)},"allowed_sources":${JSON.stringify(route.allowedSources)}}`;
}
