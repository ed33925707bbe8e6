/**
 * The classic feed: routes that registrars and emitters keep alive with `router.register` messages, exactly as
 * gorouter takes them.
 *
 *   router.start ──► registrars ──► router.register ──► decode ──► shard? ──► table.register, per URI
 *                        every 20 s ┘                                         table.prune, every interval
 *
 * When the bus comes back, `router.start` asks everybody to register again.
 */
import { balancers } from "../../balancing/index.ts";
import {
  type Bus,
  type BusMessage,
  type BusSubscription,
  decodeRegister,
  encodeRouterStart,
  type RegisterMessage,
  SUBJECTS,
} from "../../bus/index.ts";
import { type Clock, type Logger, newGuid, type Part, type Timer } from "../../kernel/index.ts";
import { type Endpoint, parseRouteKey, type RouteOptions, type Table } from "../../table/index.ts";
import { registrationFields } from "../endpoint-log.ts";
import { FeedCounts } from "./feed-counts.ts";
import { createHeapGrowth } from "./heap-growth.ts";
import { createPruner, staleAfter } from "./prune.ts";
import { createShard, type Sharding } from "./sharding.ts";
import { ByteQueue } from "./byte-queue.ts";
import { createSlices } from "./slices.ts";

export interface ClassicFeedConfig extends Sharding {
  /** This router's number in its deployment; the beginning of its id. */
  readonly index: number;
  /** Address of this machine, for `router.start`. */
  readonly localAddress: string;
  /** Registrars are asked to repeat themselves this often. */
  readonly startResponseDelayIntervalMs: number;
  /** An endpoint that is not registered again for this long is pruned, unless its message asks for less. */
  readonly dropletStaleThresholdMs: number;
  readonly pruneStaleDropletsIntervalMs: number;
  /** True: nothing is pruned while the bus is away, and all endpoints count as just seen when it is back. */
  readonly suspendPruningIfNatsUnavailable: boolean;
  /** In force for pools that say nothing of it. */
  readonly balancingAlgorithm: string;
  /** False turns `http2` endpoints into `http1` ones. */
  readonly enableHttp2: boolean;
}

/** gorouter's own defaults. */
export const CLASSIC_FEED_DEFAULTS: ClassicFeedConfig = Object.freeze({
  index: 0,
  localAddress: "127.0.0.1",
  startResponseDelayIntervalMs: 5_000,
  dropletStaleThresholdMs: 120_000,
  pruneStaleDropletsIntervalMs: 30_000,
  suspendPruningIfNatsUnavailable: false,
  routingTableShardingMode: "all",
  isolationSegments: [],
  balancingAlgorithm: "round-robin",
  enableHttp2: true,
});

export interface ClassicFeed extends Part {
  readonly counts: FeedCounts;
}

/** As many messages as gorouter lets wait, of so many bytes on average; those that come then are lost. */
const MAX_WAITING_MESSAGES = 131_072;
const WAITING_BYTES_PER_MESSAGE = 1_024;
/** More than still comes after a pause; with that, some two milliseconds. */
const BYTES_BETWEEN_PAUSES = 128 * 1_024;
/** Longest piece of a bad message in the log. */
const LOGGED_PAYLOAD_BYTES = 4_096;
/** Option problems are logged once per route, until this many are remembered. */
const MAX_REMEMBERED_PROBLEMS = 10_000;

const ALGORITHMS: ReadonlySet<unknown> = new Set(balancers.map(({ name }) => name));

type Heard = Pick<BusMessage, "subject" | "data">;

export function createClassicFeed(given: {
  readonly bus: Bus;
  readonly table: Table;
  readonly config: ClassicFeedConfig;
  readonly log: Logger;
  readonly clock: Clock;
  /** Its own when it is left out. */
  readonly counts?: FeedCounts;
  readonly maxWaitingMessages?: number;
}): ClassicFeed {
  const { bus, table, config, log, clock, counts = new FeedCounts(clock.nowMs()) } = given;
  const { maxWaitingMessages = MAX_WAITING_MESSAGES } = given;
  const maxWaitingBytes = maxWaitingMessages * WAITING_BYTES_PER_MESSAGE;
  const startMessage = encodeRouterStart({
    id: `${config.index}-${newGuid()}`,
    hosts: [config.localAddress],
    minimumRegisterIntervalInSeconds: Math.trunc(config.startResponseDelayIntervalMs / 1_000),
    pruneThresholdInSeconds: Math.trunc(config.dropletStaleThresholdMs / 1_000),
  });
  const isInShard = createShard(config);
  const rememberProblem = createMemory(MAX_REMEMBERED_PROBLEMS);
  const subscriptions: BusSubscription[] = [];
  const pruner = createPruner({ table, counts, log, clock });
  const heapGrowth = createHeapGrowth();
  let pruneTimer: Timer | null = null;
  let stopStatus = () => {};

  // What does not fit in a slice waits, in order, so that traffic has its turn in between. Meanwhile the bus is to let
  // more wait where it comes from: a socket hands over up to two megabytes in one turn, and 100,000 routes are fifty.
  let waitingBytes = 0;
  /** A bus that may not wait for long pauses for the rest of a turn only, and is asked again after so much more. */
  let pauseAtBytes = 0;
  let resume = () => {};
  const goOn = () => {
    pauseAtBytes = 0;
    resume();
  };
  const waiting = new ByteQueue();
  const slices = createSlices<string>(clock, (subject) => {
    const data = waiting.take();
    if (data === null) return;
    waitingBytes -= data.length;
    if (--counts.waitingMessages === 0) goOn();
    onMessage({ subject, data });
  });
  const hear = ({ subject, data }: BusMessage) => {
    if (subject !== SUBJECTS.routerRegister && subject !== SUBJECTS.routerUnregister) return;
    if (slices.mayRun()) return onMessage({ subject, data });
    if (counts.waitingMessages >= maxWaitingMessages || waitingBytes + data.length > maxWaitingBytes) {
      counts.droppedMessages++;
      return;
    }
    counts.waitingMessages++;
    waitingBytes += data.length;
    if (waitingBytes >= pauseAtBytes) {
      resume();
      resume = bus.pause();
      pauseAtBytes = waitingBytes + BYTES_BETWEEN_PAUSES;
    }
    // Copied, because the data is the bus's again when we return, and the subject is a text of each message's own.
    waiting.put(data);
    slices.add(subject === SUBJECTS.routerRegister ? SUBJECTS.routerRegister : SUBJECTS.routerUnregister);
  };

  const onMessage = (message: Heard) => {
    const isRegister = message.subject === SUBJECTS.routerRegister;
    const decoded = decodeRegister(message.data);
    if (!decoded.ok) {
      log.error(
        { error: decoded.problem, payload: payloadOf(message), subject: message.subject },
        "validation-error",
      );
      return;
    }
    if (!isInShard(decoded.message.isolationSegment)) return;
    if (isRegister) register(decoded.message);
    else unregister(decoded.message);
  };

  const register = (message: RegisterMessage) => {
    const endpoint = endpointOf(message, config.enableHttp2);
    const given = optionsOf(message);
    const algorithm = given["loadbalancing"];
    const isUnknownAlgorithm = algorithm !== undefined && !ALGORITHMS.has(algorithm);
    const routeServiceUrl = message.routeServiceUrl === "" ? null : message.routeServiceUrl;
    const staleAfterMs = staleAfter(message.staleThresholdInSeconds, config.dropletStaleThresholdMs);
    const nowMs = clock.monotonicMs();
    let isNew = false;
    for (const uri of message.uris) {
      if (!hasHost(uri)) {
        log.error(
          { error: `uris: ${JSON.stringify(uri)} has no host`, subject: SUBJECTS.routerRegister },
          "validation-error",
        );
        continue;
      }
      const options = isUnknownAlgorithm ? keepingAlgorithm(uri, given) : given;
      const sizeBefore = table.size;
      const outcome = table.register({ uri, endpoint, options, routeServiceUrl, staleAfterMs }, nowMs);
      counts.countRegistered(componentOf(message), outcome);
      if (table.size > sizeBefore) log.info({ uri }, "route-registered");
      const fields = registrationFields(uri, endpoint, routeServiceUrl);
      if (outcome === "new") log.info(fields, "endpoint-registered");
      else log.debug(fields, "endpoint-registered");
      isNew ||= outcome === "new";
    }
    const heardAtMs = clock.nowMs();
    counts.heard(heardAtMs);
    if (isNew) counts.countLatency(endpoint.updatedAtNs, heardAtMs);
  };

  /** The pool goes on as before when an endpoint asks for what we do not have. */
  const keepingAlgorithm = (uri: string, given: RouteOptions): RouteOptions => {
    const { loadbalancing: asked, ...options } = given;
    const { key, host, path } = parseRouteKey(uri);
    const route = table.lookup(host, path === "" ? "/" : path);
    const kept = route?.key === key ? route.options["loadbalancing"] : undefined;
    if (rememberProblem(`${uri} ${asked}`)) {
      log.error(
        { uri, endpointLBAlgorithm: asked, poolLBAlgorithm: kept ?? config.balancingAlgorithm },
        "invalid-endpoint-load-balancing-algorithm-provided-keeping-pool-lb-algo",
      );
    }
    return kept === undefined ? options : { ...options, loadbalancing: kept };
  };

  const unregister = (message: RegisterMessage) => {
    const endpoint = endpointOf(message, config.enableHttp2);
    for (const uri of message.uris) {
      if (!hasHost(uri)) continue;
      const sizeBefore = table.size;
      const wasRemoved = table.unregister({ uri, endpoint });
      counts.countUnregistered(componentOf(message));
      const fields = registrationFields(uri, endpoint, message.routeServiceUrl || null);
      log.info(fields, wasRemoved ? "endpoint-unregistered" : "endpoint-not-unregistered");
      if (table.size < sizeBefore) log.info({ uri }, "route-unregistered");
      if (wasRemoved) counts.heard(clock.nowMs());
    }
  };

  /** Bad options are left out, said once, and never stand in the way of the route (RFC-0027). */
  const optionsOf = (message: RegisterMessage): RouteOptions => {
    const { options, problems } = readOptions(message.options);
    for (const problem of problems) {
      for (const uri of message.uris) {
        if (rememberProblem(`${uri} ${problem}`)) log.error({ uri, error: problem }, "route-option-ignored");
      }
    }
    return options;
  };

  const tidy = () => {
    heapGrowth.fit(table.size);
    pruneUnlessSuspended();
  };

  const pruneUnlessSuspended = () => {
    if (config.suspendPruningIfNatsUnavailable && bus.status === "disconnected") {
      log.info({}, "prune-suspended");
      return;
    }
    pruner.prune();
  };

  const onReconnected = () => {
    if (config.suspendPruningIfNatsUnavailable) table.renewAll(clock.monotonicMs());
    bus.publish(SUBJECTS.routerStart, startMessage);
  };

  return {
    name: "classic-feed",
    counts,
    async start() {
      log.info({}, "subscriber-starting");
      subscriptions.push(
        bus.subscribe(SUBJECTS.routerGreet, (message) => {
          if (message.replyTo !== "") bus.publish(message.replyTo, startMessage);
        }),
        bus.subscribe("router.*", hear),
      );
      stopStatus = bus.onStatus((status) => {
        if (status === "connected") onReconnected();
      });
      // In force first, so that no answer to our start is missed. A bus that is away meanwhile is no failure:
      // it subscribes when it is back, and then `router.start` goes out as well.
      await bus.flush().catch(() => {});
      bus.publish(SUBJECTS.routerStart, startMessage);
      pruneTimer = clock.setInterval(tidy, config.pruneStaleDropletsIntervalMs);
      log.info({}, "subscriber-started");
    },
    async stop() {
      pruneTimer?.clear();
      pruner.stop();
      heapGrowth.stop();
      stopStatus();
      for (const subscription of subscriptions.splice(0)) subscription.unsubscribe();
      slices.stop();
      waiting.clear();
      waitingBytes = 0;
      counts.waitingMessages = 0;
      goOn();
    },
  };
}

function endpointOf(message: RegisterMessage, isHttp2Enabled: boolean): Endpoint {
  const isTls = message.tlsPort !== 0;
  return {
    processGuid: message.tags["process_id"] ?? "",
    instanceId: message.privateInstanceId,
    instanceIndex: message.privateInstanceIndex,
    appGuid: message.app,
    host: message.host,
    port: isTls ? message.tlsPort : message.port,
    tls: isTls,
    serverCertDomainSan: message.serverCertDomainSan,
    appPort: 0,
    instanceAddress: "",
    protocol: isHttp2Enabled ? message.protocol : "http1",
    availabilityZone: message.availabilityZone,
    isolationSegment: message.isolationSegment,
    tags: message.tags,
    updatedAtNs: message.endpointUpdatedAtNs,
  };
}

function hasHost(uri: string): boolean {
  return uri !== "" && uri[0] !== "/" && uri[0] !== "?";
}

function componentOf(message: RegisterMessage): string {
  return message.tags["component"] ?? "";
}

function payloadOf(message: Heard): string {
  return Buffer.from(message.data.subarray(0, LOGGED_PAYLOAD_BYTES)).toString("utf8");
}

/** True the first time it is told something; forgets everything when it knows too much. */
function createMemory(limit: number): (fact: string) => boolean {
  const known = new Set<string>();
  return (fact) => {
    if (known.has(fact)) return false;
    if (known.size >= limit) known.clear();
    known.add(fact);
    return true;
  };
}

const NO_OPTIONS: { readonly options: RouteOptions; readonly problems: readonly string[] } = Object.freeze({
  options: Object.freeze({}),
  problems: [],
});

/** Keeps what a flat map may hold; says what it left out. */
function readOptions(raw: unknown): typeof NO_OPTIONS {
  if (raw === undefined) return NO_OPTIONS;
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) {
    return { options: {}, problems: [`options ${JSON.stringify(raw)} is not a map and is ignored`] };
  }
  const options: Record<string, string | number | boolean> = {};
  const problems: string[] = [];
  for (const [name, value] of Object.entries(raw)) {
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") {
      options[name] = value;
    } else if (value !== null) {
      problems.push(`options.${name} ${JSON.stringify(value)} is no text, number or boolean and is ignored`);
    }
  }
  return { options, problems };
}
