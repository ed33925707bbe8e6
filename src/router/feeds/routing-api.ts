/**
 * The feed from Cloud Foundry's Routing API, beside the classic one: platform parts register routes there over HTTP.
 *
 *   start ──► list (fatal when it cannot be had)
 *     │
 *     ├──► events ──end, failure──► a second ──► events …      each event as it comes
 *     │      └ open ─┐
 *     └──► every half of the prune interval ─┴──► list         what is not in it any more is unregistered
 *
 * Events that come while a list is on its way wait for it, because the list may be older than they are. After the
 * start no failure is fatal: it is counted and said, and routes stay until their time to live is over.
 */
import { createClientTokens, pause, type TlsFiles } from "../../calls/index.ts";
import { tokenNotGranted } from "../../kernel/errors/auth.ts";
import { type Clock, keepAliveWhile, type Logger, type Part, type Timer } from "../../kernel/index.ts";
import { type Endpoint, plainEndpoint, type RouteOptions, type Table } from "../../table/index.ts";
import { registrationFields } from "../endpoint-log.ts";
import type { FeedCounts } from "./feed-counts.ts";
import { createPruner, staleAfter } from "./prune.ts";
import { createRoutingApi } from "./routing-api-client.ts";
import {
  type ApiRoute,
  decodeApiRoute,
  isSameTag,
  type ModificationTag,
  succeeds,
} from "./routing-api-route.ts";
import { createShard, type Sharding } from "./sharding.ts";
import { createSlices, createSteps } from "./slices.ts";

/** gorouter's, between two streams of events. */
const RESUBSCRIBE_AFTER_MS = 1_000;

export interface RoutingApiFeedConfig extends Sharding {
  /** `https://routing-api.example.com:3001`, without path. */
  readonly url: string;
  readonly tls: TlsFiles;
  /** Null where the API wants no token. */
  readonly oauth: {
    /** Of the token endpoint. */
    readonly url: string;
    readonly client: { readonly name: string; readonly secret: string };
    readonly tls: TlsFiles;
    readonly maxRetries: number;
    readonly retryIntervalMs: number;
    readonly expirationBufferMs: number;
  } | null;
  readonly dropletStaleThresholdMs: number;
  readonly pruneStaleDropletsIntervalMs: number;
}

/** A route of the API that is in the table. */
interface Known {
  readonly endpoint: Endpoint;
  tag: ModificationTag;
  /** Number of the last list that had it. */
  listed: number;
}

/** What an event says. */
interface Work {
  readonly kind: "upsert" | "delete";
  readonly route: unknown;
}

const NO_OPTIONS: RouteOptions = Object.freeze({});

export function createRoutingApiFeed(given: {
  readonly config: RoutingApiFeedConfig;
  readonly table: Table;
  readonly counts: FeedCounts;
  /** Nobody else does it: there is no classic feed. */
  readonly prunes: boolean;
  readonly log: Logger;
  readonly clock: Clock;
}): Part {
  const { config, table, counts, log, clock } = given;
  const { oauth, dropletStaleThresholdMs } = config;
  const ending = new AbortController();
  const { signal } = ending;
  const tokens = oauth === null ? null : createClientTokens({ ...oauth, clock, signal });
  const api = createRoutingApi({ url: config.url, tokens, tls: config.tls, signal });
  const isInShard = createShard(config);
  const known = new Map<string, Known>();
  const pruner = createPruner({ table, counts, log, clock });
  const timers: Timer[] = [];
  let lists = 0;
  /** Events that came while a list is on its way; null when none is. */
  let held: Work[] | null = null;
  let isRefreshing = false;
  let wantsAnother = false;
  let following: Promise<void> | null = null;

  const slices = createSlices<Work>(clock, (event) => apply(event, 0));
  const steps = createSteps(clock);
  const doInTurn = (event: Work) => {
    if (slices.mayRun()) apply(event, 0);
    else slices.add(event);
  };

  const apply = ({ kind, route: given }: Work, list: number) => {
    const route = decodeApiRoute(given);
    if (typeof route === "string") log.error({ error: route }, "validation-error");
    else if (kind === "upsert") register(route, list);
    else unregister(route);
  };

  const register = (route: ApiRoute, list: number) => {
    const key = keyOf(route);
    const { modificationTag: tag, routeServiceUrl } = route;
    const before = known.get(key);
    if (before !== undefined) {
      before.listed = Math.max(before.listed, list);
      if (!isSameTag(tag, before.tag) && !succeeds(tag, before.tag)) {
        log.debug(
          registrationFields(route.route, before.endpoint, routeServiceUrl),
          "endpoint-not-registered",
        );
        return;
      }
    }
    const endpoint =
      before !== undefined && before.endpoint.appGuid === route.logGuid ? before.endpoint : endpointOf(route);
    const sizeBefore = table.size;
    const staleAfterMs = staleAfter(route.ttlSeconds, dropletStaleThresholdMs);
    const outcome = table.register(
      { uri: route.route, endpoint, options: NO_OPTIONS, routeServiceUrl, staleAfterMs },
      clock.monotonicMs(),
    );
    known.set(key, { endpoint, tag, listed: Math.max(before?.listed ?? 0, list) });
    counts.countRegistered("", outcome);
    if (table.size > sizeBefore) log.info({ uri: route.route }, "route-registered");
    const fields = registrationFields(route.route, endpoint, routeServiceUrl);
    if (outcome === "new") log.info(fields, "endpoint-registered");
    else log.debug(fields, "endpoint-registered");
    counts.heard(clock.nowMs());
  };

  const unregister = (route: ApiRoute) => {
    const key = keyOf(route);
    const before = known.get(key);
    const { modificationTag: tag } = route;
    if (before !== undefined && (isSameTag(tag, before.tag) || succeeds(tag, before.tag))) {
      remove(key, before.endpoint);
      return;
    }
    counts.countUnregistered("");
    log.info(registrationFields(route.route, endpointOf(route), null), "endpoint-not-unregistered");
  };

  const remove = (key: string, endpoint: Endpoint) => {
    known.delete(key);
    const uri = key.slice(0, key.indexOf(" "));
    const sizeBefore = table.size;
    const wasRemoved = table.unregister({ uri, endpoint });
    counts.countUnregistered("");
    // It may have been pruned before.
    log.info(
      registrationFields(uri, endpoint, null),
      wasRemoved ? "endpoint-unregistered" : "endpoint-not-unregistered",
    );
    if (table.size < sizeBefore) log.info({ uri }, "route-unregistered");
    if (wasRemoved) counts.heard(clock.nowMs());
  };

  /** @throws what keeps it from being had */
  const takeList = async () => {
    held = [];
    try {
      const routes = await api.routes();
      if (!signal.aborted) await new Promise<void>((resolve) => steps.begin(load(routes, resolve)));
    } finally {
      const events: readonly Work[] = held;
      held = null;
      if (!signal.aborted) for (const event of events) doInTurn(event);
    }
  };
  function* load(routes: readonly unknown[], onDone: () => void): Generator<undefined, void> {
    const list = ++lists;
    for (const route of routes) {
      apply({ kind: "upsert", route }, list);
      yield;
    }
    for (const [key, { listed, endpoint }] of known) {
      if (listed < list) remove(key, endpoint);
      yield;
    }
    onDone();
  }

  const refresh = async () => {
    if (isRefreshing) {
      // The list on its way may be older than whatever made somebody ask.
      wantsAnother = true;
      return;
    }
    isRefreshing = true;
    do {
      wantsAnother = false;
      try {
        await takeList();
      } catch (error) {
        if (signal.aborted) return;
        countToken(error);
        log.error({ err: error }, "failed-to-fetch-routes");
      }
    } while (wantsAnother && !signal.aborted);
    isRefreshing = false;
  };

  const onEvent = (action: string, data: string) => {
    if (action !== "Upsert" && action !== "Delete") {
      log.error({ error: `unknown-event-action:${action}` }, "failed-to-get-next-routing-api-event");
      return;
    }
    const kind = action === "Upsert" ? "upsert" : "delete";
    const event: Work = { kind, route: parsed(data) };
    if (held === null) doInTurn(event);
    else held.push(event);
  };

  const follow = async () => {
    while (!signal.aborted) {
      log.info({}, "Subscribing-to-routing-api-event-stream");
      try {
        await api.follow({
          onOpen() {
            log.info({}, "Successfully-subscribed-to-routing-api-event-stream");
            // What happened while nobody listened is in no event.
            void refresh();
          },
          onEvent,
        });
      } catch (error) {
        if (signal.aborted) return;
        if (!countToken(error)) counts.subscribeErrors++;
        log.error({ err: error }, "failed-to-subscribe-to-routing-api-event-stream");
      }
      await pause(clock, RESUBSCRIBE_AFTER_MS, signal);
    }
  };

  const countToken = (error: unknown): boolean => {
    if (!tokenNotGranted.is(error)) return false;
    counts.tokenFetchErrors++;
    return true;
  };

  return {
    name: "routing-api-feed",
    async start() {
      if (!isInShard("")) {
        log.warn(
          { routing_table_sharding_mode: config.routingTableShardingMode },
          "routing-api-routes-not-taken: its routes are in no isolation segment, and the sharding mode leaves those out",
        );
        return;
      }
      await keepAliveWhile(takeList());
      const { pruneStaleDropletsIntervalMs } = config;
      timers.push(clock.setInterval(() => void refresh(), pruneStaleDropletsIntervalMs / 2));
      if (given.prunes) {
        timers.push(clock.setInterval(pruner.prune, pruneStaleDropletsIntervalMs));
      }
      following = follow();
    },
    async stop() {
      ending.abort(new Error("the router stops"));
      for (const timer of timers) timer.clear();
      pruner.stop();
      slices.stop();
      steps.stop();
      await following;
    },
  };
}

function keyOf({ route, ip, port }: ApiRoute): string {
  return `${route} ${ip}:${port}`;
}

/** Its certificate's name would be `log_guid`, but the API knows plain endpoints only. */
const endpointOf = ({ logGuid, ip, port }: ApiRoute): Endpoint =>
  plainEndpoint({ host: ip, port, appGuid: logGuid, serverCertDomainSan: logGuid });

function parsed(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return data;
  }
}
