import { type HttpListener, listen } from "../http/index.ts";
import { configInvalid } from "../kernel/errors/config.ts";
import type { Part } from "../kernel/index.ts";
import { buildRoutingApi, type RoutingApiDeps } from "./api.ts";
import type { RoutingApiConfig } from "./config.ts";
import { portListProblem } from "./port-list.ts";
import { seedRouterGroups } from "./router-groups.ts";

export interface RoutingApiOptions extends Omit<RoutingApiDeps, "maxTtlSeconds"> {
  readonly config: RoutingApiConfig;
}

export interface RoutingApi extends Part {
  /** Where it listens; 0 before the start. */
  readonly port: number;
}

/**
 * The role: starts and stops the HTTP side. The table is a part of its own and must run before.
 * @throws configInvalid
 */
export function createRoutingApi({ config, ...deps }: RoutingApiOptions): RoutingApi {
  const problem = config.reservablePorts === "" ? null : portListProblem(config.reservablePorts);
  if (problem !== null) {
    const given = JSON.stringify(config.reservablePorts);
    throw configInvalid({
      problems: [`routing-api.reservable_ports: ${given}: ${problem}; write it like 1024-1123,2000`],
    });
  }
  let listener: HttpListener | null = null;
  return {
    name: "routing-api",
    get port() {
      return listener?.port ?? 0;
    },
    async start() {
      const { routerGroup, reservablePorts, host, port, maxTtlMs } = config;
      await seedRouterGroups(deps.store, deps.clock, { name: routerGroup, ports: reservablePorts });
      const api = buildRoutingApi({ ...deps, maxTtlSeconds: Math.floor(maxTtlMs / 1_000) });
      listener = await listen(api, { role: "routing-api", host, port, setting: "routing-api.port" });
      deps.log.info({ host, port: listener.port }, "routing API listening");
    },
    async stop() {
      await listener?.close();
      listener = null;
    },
  };
}
