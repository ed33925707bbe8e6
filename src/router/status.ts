/**
 * The listeners beside the traffic: health for load balancers (plain and TLS), the route table for operators on the
 * loopback address, and metrics. Paths, headers and JSON are gorouter's.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type ListenAddress, listenError, type Logger, type Part } from "../kernel/index.ts";
import { type Endpoint, endpointAddress, type Route, type Table } from "../table/index.ts";
import type { StatusConfig } from "./gorouter-config.ts";
import type { Health } from "./health.ts";
import type { Inspect } from "./inspection.ts";

const LOOPBACK = "127.0.0.1";
/** Routes per piece of the answer: traffic has its turn between two pieces. */
const ROUTES_PER_CHUNK = 200;

export interface StatusServer extends Part {
  /** Ports that are listened on; 0 where there is no such listener. */
  readonly ports: {
    readonly health: number;
    readonly healthTls: number;
    readonly routes: number;
    readonly metrics: number;
  };
}

export function createStatusServer(given: {
  readonly config: StatusConfig;
  readonly health: Pick<Health, "state">;
  /** What `/routes` answers, in pieces: a large table as one text would hold up traffic. */
  readonly routes: () => AsyncIterable<string>;
  /** Further questions, answered beside `/routes` and under its password. */
  readonly inspect?: Inspect;
  /** What `/metrics` answers. */
  readonly metrics: () => string | Promise<string>;
  /** What `/varz` answers; asked only for when the configuration says so. */
  readonly varz?: () => Promise<object>;
  readonly log: Logger;
}): StatusServer {
  const { config, log } = given;
  const ports = { health: 0, healthTls: 0, routes: 0, metrics: 0 };
  const servers: Server[] = [];

  const open = async (server: Server, at: Omit<ListenAddress, "role">): Promise<number> => {
    try {
      server.listen({ host: at.host, port: at.port });
      await once(server, "listening");
    } catch (error) {
      throw listenError({ role: "router status", ...at }, error);
    }
    servers.push(server);
    return (server.address() as AddressInfo).port;
  };

  const openAll = async () => {
    const { host, port, tls } = config;
    const health = (request: IncomingMessage, response: ServerResponse) =>
      answerHealth(given.health, request, response);
    const oldComponent = (request: IncomingMessage, response: ServerResponse) =>
      void answerAsOldComponent(request, response);
    ports.routes = await open(
      createServer((request, response) => void answerRoutes(request, response)),
      { host: LOOPBACK, port: config.routesPort, setting: "status.routes.port" },
    );
    if (port !== null) {
      const plain = createServer(config.isOldComponent ? oldComponent : health);
      ports.health = await open(plain, { host, port, setting: "status.port" });
    }
    if (tls !== null) {
      const server = createTlsServer({ cert: tls.certificate, key: tls.key }, health);
      ports.healthTls = await open(server, { host, port: tls.port, setting: "status.tls.port" });
    }
    if (config.metricsPort !== null) {
      const at = { host, port: config.metricsPort, setting: "prometheus.port" };
      const answerOne = (request: IncomingMessage, response: ServerResponse) =>
        void answerMetrics(request, response);
      const { metricsTls } = config;
      const server =
        metricsTls === null
          ? createServer(answerOne)
          : createTlsServer({ ...metricsTls, requestCert: true, rejectUnauthorized: true }, answerOne);
      ports.metrics = await open(server, at);
    }
  };
  const stop = async () => {
    for (const server of servers.splice(0)) {
      server.close();
      server.closeAllConnections();
    }
  };

  return {
    name: "status",
    ports,
    async start() {
      try {
        await openAll();
      } catch (error) {
        // Nobody stops a part that never started.
        await stop();
        throw error;
      }
      log.info(ports, "status-listeners-started");
    },
    stop,
  };

  async function answerMetrics(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (pathOf(request) !== "/metrics") return answer(response, 404);
    response.setHeader("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    response.end(await given.metrics());
  }

  /** The listener that every component of Cloud Foundry once had. */
  async function answerAsOldComponent(request: IncomingMessage, response: ServerResponse): Promise<void> {
    switch (pathOf(request)) {
      case "/routes":
        return answerRoutes(request, response);
      case "/varz":
        return isAuthorized(request, config) ? answerVarz(response) : refuse(response);
      case "/healthz":
        return answer(response, 200, "ok");
      case "/is-process-alive-do-not-use-for-loadbalancing":
        return answer(response, 200, "ok\n");
      default:
        return answerHealthState(given.health, response);
    }
  }

  async function answerVarz(response: ServerResponse): Promise<void> {
    if (given.varz === undefined) return answer(response, 404);
    try {
      const page = JSON.stringify(await given.varz());
      response.setHeader("Content-Type", "application/json");
      return answer(response, 200, `${page}\n`);
    } catch (error) {
      // Our mistake; traffic must not suffer for a question.
      log.error({ err: error, path: "/varz" }, "question-not-answered");
      return answer(response, 500);
    }
  }

  async function answerRoutes(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!isAuthorized(request, config)) return refuse(response);
    if (pathOf(request) === "/metrics") return answerMetrics(request, response);
    if (pathOf(request) !== "/routes") return answerQuestion(request, response);
    response.setHeader("Content-Type", "application/json");
    response.setHeader("Connection", "close");
    try {
      await pipeline(Readable.from(given.routes()), response);
    } catch (error) {
      // The reader went away; the answer has no other use.
      log.debug({ err: error }, "routes-answer-cut");
    }
  }

  async function answerQuestion(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = URL.parse(request.url ?? "", "http://router");
    try {
      const found = url === null ? null : await given.inspect?.(url);
      if (found === null || found === undefined) return answer(response, 404);
      response.setHeader("Content-Type", "application/json");
      return answer(response, found.status, `${JSON.stringify(found.body)}\n`);
    } catch (error) {
      // Our mistake; traffic must not suffer for a question.
      log.error({ err: error, path: request.url }, "question-not-answered");
      return answer(response, 500);
    }
  }
}

function answerHealth(
  health: Pick<Health, "state">,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const path = pathOf(request);
  if (path === "/is-process-alive-do-not-use-for-loadbalancing") return answer(response, 200, "ok\n");
  return path === "/health" ? answerHealthState(health, response) : answer(response, 404);
}

function answerHealthState(health: Pick<Health, "state">, response: ServerResponse): void {
  const isHealthy = health.state === "healthy";
  return answer(response, isHealthy ? 200 : 503, isHealthy ? "ok\n" : "");
}

function refuse(response: ServerResponse): void {
  response.setHeader("WWW-Authenticate", 'Basic realm="Restricted"');
  return answer(response, 401, "Unauthorized\n");
}

/** A short answer, never cached, on a connection that ends with it. */
function answer(response: ServerResponse, status: number, body = ""): void {
  response.statusCode = status;
  response.setHeader("Cache-Control", "private, max-age=0");
  response.setHeader("Expires", "0");
  response.setHeader("Connection", "close");
  if (body !== "" && !response.hasHeader("Content-Type")) {
    response.setHeader("Content-Type", "text/plain; charset=utf-8");
  }
  response.end(body);
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? "").split("?", 1)[0] ?? "";
}

function isAuthorized(request: IncomingMessage, { user, pass }: StatusConfig): boolean {
  const [scheme, credentials = ""] = (request.headers.authorization ?? "").split(" ", 2);
  if (scheme?.toLowerCase() !== "basic") return false;
  const given = Buffer.from(credentials, "base64").toString();
  // Digests have one length, and comparing them takes one time.
  return timingSafeEqual(sha256(given), sha256(`${user}:${pass}`));
}

const sha256 = (text: string) => createHash("sha256").update(text).digest();

/**
 * One JSON object, route → endpoints.
 *
 * @param dropletStaleThresholdMs  Time to live of endpoints that no registration brought.
 */
export function createRoutesPage(table: Table, dropletStaleThresholdMs: number): () => AsyncIterable<string> {
  return () =>
    routesJson(table.snapshot().routes(), (registered) =>
      Math.trunc((table.staleAfterMs(registered) ?? dropletStaleThresholdMs) / 1_000),
    );
}

/** Seconds. */
type TimeToLive = (registered: Parameters<Table["staleAfterMs"]>[0]) => number;

async function* routesJson(routes: Iterable<Route>, ttlOf: TimeToLive): AsyncGenerator<string> {
  let chunk = "{";
  let count = 0;
  for (const route of routes) {
    chunk += `${count === 0 ? "" : ","}${JSON.stringify(route.key)}:${JSON.stringify(endpointsOf(route, ttlOf))}`;
    if (++count % ROUTES_PER_CHUNK === 0) {
      yield chunk;
      chunk = "";
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }
  yield `${chunk}}\n`;
}

function endpointsOf(route: Route, ttlOf: TimeToLive): object[] {
  const { loadbalancing: algorithm, hash_header: hashHeader, hash_balance: hashBalance } = route.options;
  return route.endpoints.map((endpoint: Endpoint) => ({
    address: endpointAddress(endpoint),
    availability_zone: endpoint.availabilityZone,
    protocol: endpoint.protocol,
    tls: endpoint.tls,
    ttl: ttlOf({ uri: route.key, endpoint }),
    ...(route.routeServiceUrl === null ? {} : { route_service_url: route.routeServiceUrl }),
    tags: endpoint.tags,
    ...(endpoint.isolationSegment === "" ? {} : { isolation_segment: endpoint.isolationSegment }),
    ...(endpoint.instanceId === "" ? {} : { private_instance_id: endpoint.instanceId }),
    ...(endpoint.serverCertDomainSan === "" ? {} : { server_cert_domain_san: endpoint.serverCertDomainSan }),
    ...(algorithm === undefined ? {} : { load_balancing_algorithm: algorithm }),
    ...(hashHeader === undefined ? {} : { hash_header: hashHeader }),
    ...(algorithm === "hash" ? { hash_balance: Number(hashBalance ?? 0) } : {}),
  }));
}
