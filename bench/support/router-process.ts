/**
 * The router as the benchmark drives it: one worker in a process of its own, a native reservation whose process has
 * one endpoint (the origin), the access log written to a file as in production.
 *
 *   node bench/support/router-process.ts PORT ORIGIN_PORT ACCESS_LOG [CERTIFICATE KEY]
 */
import { createLogger, loadConfig, systemClock } from "../../src/kernel/index.ts";
import {
  createHttpRouter,
  createRoutePrograms,
  routerConfigFrom,
  routerSection,
} from "../../src/router/index.ts";
import { createTable, plainEndpoint } from "../../src/table/index.ts";

const [port = "0", originPort, accessLogFile = "", certificate = "", key = ""] = process.argv.slice(2);
const PROCESS = "2f8c7a4e-5b1d-4c3a-9e6f-0a1b2c3d4e5f";

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
table.apply({
  kind: "route-upsert",
  reservation: {
    guid: "7d1f0c52-93f6-4c7e-8a55-d2a1b0c9e8f7",
    protocol: "http",
    route: "127.0.0.1",
    routerGroup: "",
    destinations: [{ processGuid: PROCESS, appPort: null, weight: null, protocol: "http1" }],
    options: {},
    routeServiceUrl: null,
    isolationSegment: "",
    tags: {},
  },
});
table.apply({
  kind: "endpoint-upsert",
  endpoint: plainEndpoint({
    processGuid: PROCESS,
    instanceId: "c0ffee00-1111-4222-8333-444455556666",
    instanceIndex: "0",
    appGuid: PROCESS,
    host: "127.0.0.1",
    port: Number(originPort),
    appPort: 8080,
  }),
});

const router = createHttpRouter({ config, table, log, clock: systemClock, accessLog: null });
await router.start();
process.once("SIGTERM", () => void router.stop());
