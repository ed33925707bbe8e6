/**
 * The role: watches Diego, joins, feeds.
 */
import type { Bus } from "../bus/index.ts";
import type { Bbs, LrpEvent, RouteTableWriter } from "../contracts/index.ts";
import { configInvalid } from "../kernel/errors/config.ts";
import type { Clock, Logger, Part, Timer } from "../kernel/index.ts";
import { ClassicFeed } from "./classic-feed.ts";
import type { EmitterConfig } from "./config.ts";
import { classicEntriesOf, endpointsOf } from "./join.ts";
import { Lrps } from "./lrps.ts";
import { NativeFeed } from "./native-feed.ts";

/** After a sync that failed; a working one is followed by the configured interval. */
const SYNC_AGAIN_MS = 1_000;

export interface EmitterOptions {
  readonly bbs: Pick<Bbs, "desiredLrps" | "actualLrps" | "subscribe">;
  readonly routeTable: RouteTableWriter;
  /** Used when `config.classic` is on. */
  readonly bus: Bus | null;
  readonly config: EmitterConfig;
  readonly clock: Clock;
  readonly log: Logger;
  /** In [0, 1); for tests. */
  readonly random?: () => number;
}

/** @throws configInvalid */
export function createEmitter({ random = Math.random, ...options }: EmitterOptions): Part {
  const { bbs, routeTable, bus, config, clock, log } = options;
  const { heartbeatMs, endpointTtlMs } = config;
  if (heartbeatMs >= endpointTtlMs) {
    const problem = `emitter.heartbeat_interval: ${heartbeatMs / 1_000}s is not below emitter.endpoint_ttl, ${endpointTtlMs / 1_000}s; every endpoint would leave before its next heartbeat`;
    throw configInvalid({ problems: [problem] });
  }
  const lrps = new Lrps();
  const native = new NativeFeed({
    routeTable,
    ttlMs: endpointTtlMs,
    heartbeatMs,
    clock,
    log,
  });
  const classic =
    config.classic && bus !== null
      ? new ClassicFeed({ bus, intervalMs: config.registerIntervalMs, clock, log, random })
      : null;
  let unsubscribe: (() => void) | null = null;
  let nextSync: Timer | null = null;
  let isStopped = false;

  const emit = (guid: string) => {
    const desired = lrps.desired(guid);
    const instances = lrps.routable(guid);
    native.want(guid, desired === null ? [] : endpointsOf(desired, instances));
    classic?.want(guid, desired === null ? [] : classicEntriesOf(desired, instances), instances);
  };

  const sync = async () => {
    lrps.beginSync();
    let nextMs = config.syncIntervalMs;
    try {
      const [desired, actuals] = await Promise.all([bbs.desiredLrps(), bbs.actualLrps()]);
      const before = new Set(lrps.guids());
      lrps.endSync(desired, actuals);
      for (const guid of before.union(new Set(lrps.guids()))) emit(guid);
    } catch (error) {
      lrps.abandonSync();
      nextMs = SYNC_AGAIN_MS;
      log.warn({ err: error }, "sync with Diego failed; what is known stays in force");
    }
    if (!isStopped) nextSync = clock.setTimeout(() => void sync(), nextMs);
  };

  return {
    name: "emitter",
    async start() {
      native.start();
      classic?.start();
      unsubscribe = bbs.subscribe((event: LrpEvent) => emit(lrps.apply(event)));
      await sync();
    },
    async stop() {
      isStopped = true;
      unsubscribe?.();
      nextSync?.clear();
      native.stop();
      classic?.stop();
    },
  };
}
