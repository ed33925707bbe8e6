/**
 * The router as the benchmark drives it: one worker in a process of its own, a native reservation whose process has
 * one endpoint (the origin), the access log written to a file as in production. A second host may have an origin of
 * its own.
 *
 *   node bench/support/router-process.ts PORT ORIGIN_PORT ACCESS_LOG [CERTIFICATE KEY [HOST ORIGIN_PORT]]
 */
import { createLogger, loadConfig, systemClock } from "../../src/kernel/index.ts";
import {
  createHttpRouter,
  createRoutePrograms,
  routerConfigFrom,
  routerSection,
} from "../../src/router/index.ts";
import { createTable, plainEndpoint } from "../../src/table/index.ts";

const [
  port = "0",
  originPort,
  accessLogFile = "",
  certificate = "",
  key = "",
  secondHost = "",
  secondOriginPort,
] = process.argv.slice(2);

const log = createLogger({ level: "warn" });
const listener: Readonly<Record<string, string>> =
  certificate === ""
    ? { "router.port": port }
    : {
        "router.port": "0",
        "router.tls_port": port,
        "router.tls_certificate": certificate,
        "router.tls_key": key,
      };
const flags = { "router.host": "127.0.0.1", "router.access_log": accessLogFile, ...listener };
const config = routerConfigFrom(loadConfig([routerSection], { flags }).get(routerSection));
const table = createTable(createRoutePrograms({ config, log }));
addRoute("127.0.0.1", 1, Number(originPort));
if (secondHost !== "") addRoute(secondHost, 2, Number(secondOriginPort));

const router = createHttpRouter({ config, table, log, clock: systemClock, accessLog: null });
await router.start();
process.once("SIGTERM", () => void router.stop());

/** @param number  makes its identifiers its own */
function addRoute(host: string, number: number, port: number): void {
  const processGuid = `2f8c7a4e-5b1d-4c3a-9e6f-00000000000${number}`;
  table.apply({
    kind: "route-upsert",
    reservation: {
      guid: `7d1f0c52-93f6-4c7e-8a55-00000000000${number}`,
      protocol: "http",
      route: host,
      routerGroup: "",
      destinations: [{ processGuid, appPort: null, weight: null, protocol: "http1" }],
      options: {},
      routeServiceUrl: null,
      isolationSegment: "",
      tags: {},
    },
  });
  table.apply({
    kind: "endpoint-upsert",
    endpoint: plainEndpoint({
      processGuid,
      instanceId: `c0ffee00-1111-4222-8333-00000000000${number}`,
      instanceIndex: "0",
      appGuid: processGuid,
      host: "127.0.0.1",
      port,
      appPort: 8080,
    }),
  });
}
