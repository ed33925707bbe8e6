/**
 * Tells on `router.active_apps`, now and then, which apps had requests since the last time: a JSON list of GUIDs,
 * compressed with zlib.
 */
import { promisify } from "node:util";
import { deflate } from "node:zlib";
import { type Bus, SUBJECTS } from "../bus/index.ts";
import type { Clock, Logger, Part, Timer } from "../kernel/index.ts";
import type { ExchangeObserver } from "./ended-exchange.ts";

// In another thread: a hundred thousand GUIDs take a while.
const compress = promisify(deflate);

export interface ActiveApps extends Part {
  readonly observe: ExchangeObserver;
}

export function createActiveApps(given: {
  readonly bus: Pick<Bus, "publish">;
  readonly everyMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}): ActiveApps {
  const { bus, everyMs, clock, log } = given;
  let apps = new Set<string>();
  let timer: Timer | null = null;

  const publish = async () => {
    const active = [...apps];
    apps = new Set();
    try {
      const body = await compress(JSON.stringify(active));
      bus.publish(SUBJECTS.routerActiveApps, body);
      log.debug({ apps: active.length, bytes: body.length }, "active-apps-published");
    } catch (error) {
      // Longer than NATS takes; the next one may be shorter.
      log.error({ error, apps: active.length }, "error-publishing-active-apps-to-nats");
    }
  };

  return {
    name: "active-apps",
    observe({ candidate }) {
      if (candidate !== null && candidate.endpoint.appGuid !== "") apps.add(candidate.endpoint.appGuid);
    },
    async start() {
      timer = clock.setInterval(() => void publish(), everyMs);
    },
    async stop() {
      timer?.clear();
    },
  };
}
