/** The status listener of a router that runs together with all other roles: for whoever may read `up.json`. */
import { randomBytes } from "node:crypto";
import type { Clock, Logger } from "../kernel/index.ts";
import {
  createHealth,
  createInspection,
  createMetricsPage,
  createRoutesPage,
  createStatusServer,
  type FeedCounts,
  type HttpRouter,
  type StatusServer,
} from "../router/index.ts";
import type { Table } from "../table/index.ts";

const LOOPBACK = "127.0.0.1";
const USERNAME = "viaduct";

export interface RouterStatus {
  readonly part: StatusServer;
  /** Once the part has started. */
  address(): { readonly url: string; readonly username: string; readonly password: string };
}

/** On a free port of the loopback address, with a password for this start only. */
export function createRouterStatus(given: {
  readonly router: HttpRouter;
  readonly table: Table;
  /** Of all its feeds. */
  readonly feeds: FeedCounts;
  readonly dropletStaleThresholdMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}): RouterStatus {
  const { router, table, feeds, clock } = given;
  const password = randomBytes(18).toString("base64url");
  const part = createStatusServer({
    config: {
      host: LOOPBACK,
      // No load balancer asks this one for its health.
      port: null,
      tls: null,
      routesPort: 0,
      user: USERNAME,
      pass: password,
      isOldComponent: false,
      metricsPort: null,
      metricsTls: null,
    },
    health: createHealth(),
    routes: createRoutesPage(table, given.dropletStaleThresholdMs),
    inspect: createInspection(router),
    metrics: createMetricsPage({
      counters: router.counters,
      exchanges: router.metrics,
      table,
      feeds,
      clock,
    }),
    log: given.log,
  });
  return {
    part,
    address: () => ({ url: `http://${LOOPBACK}:${part.ports.routes}`, username: USERNAME, password }),
  };
}
