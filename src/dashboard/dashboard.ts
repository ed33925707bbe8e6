/**
 * The dashboard role: serves one page, the stream that keeps it live, and where it may change routes, the way to the API.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { RouteTableReader, RouteTableSubscription } from "../contracts/index.ts";
import { createHttpApi, type HttpApi, type HttpListener, listen } from "../http/index.ts";
import type { Clock, Logger, Part } from "../kernel/index.ts";
import { type Cursor, createTable } from "../table/index.ts";
import { type Asset, loadAssets } from "./assets.ts";
import { type Changes, type ChangesOptions, createChanges } from "./changes.ts";
import type { DashboardConfig } from "./config.ts";
import { createEvents, type Events, type TrafficStats } from "./events.ts";
import { type CheckLogin, createGate, type Gate } from "./login.ts";
import { createLiveRoutes, type LiveTable } from "./live-routes.ts";

/** Where the page lives, behind the router and on its own port alike. */
export const DASHBOARD_PREFIX = "/dashboard";

export interface DashboardOptions {
  readonly config: Pick<DashboardConfig, "host" | "port">;
  /** Feeds the page with the native table. */
  readonly reader: RouteTableReader;
  /** Shown instead of the reader's table where one process has more: the router's own, with classic routes. */
  readonly table?: LiveTable;
  /** Traffic totals; null while there are none. */
  readonly stats?: () => TrafficStats | null;
  /** Asked before anything is shown; null lets everybody in. */
  readonly checkLogin?: CheckLogin | null;
  /** How routes are changed; null for a page that only looks. */
  readonly changes?: ChangesOptions | null;
  readonly log: Logger;
  readonly clock: Clock;
}

export interface Dashboard extends Part {
  /** 0 before the start. */
  readonly port: number;
}

const SECURITY_HEADERS = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
} as const;

export function createDashboard(options: DashboardOptions): Dashboard {
  const { config, reader, stats = () => null, checkLogin = null, log, clock } = options;
  const changes = options.changes ? createChanges(options.changes, clock, log) : null;
  const gate = checkLogin === null ? null : createGate(checkLogin, clock);
  const own = createTable<null>({ attach: () => null });
  const events = createEvents({ routes: createLiveRoutes(options.table ?? own), clock, stats });
  let listener: HttpListener | null = null;
  let subscription: RouteTableSubscription | null = null;
  let inForce: Cursor | null = null;

  // Once for all that came in the same turn, and never inside `subscribe`, which has not returned by then.
  const advance = (cursor: Cursor) => {
    if (inForce === null) {
      setImmediate(() => {
        if (inForce !== null) subscription?.acknowledge(inForce);
        inForce = null;
      });
    }
    inForce = cursor;
  };

  return {
    name: "dashboard",
    get port() {
      return listener?.port ?? 0;
    },
    async start() {
      const api = buildPageServer(events, gate, changes);
      listener = await listen(api, { ...config, role: "dashboard", setting: "dashboard.port" });
      subscription = reader.subscribe("dashboard/0", {
        onImage(image) {
          own.load(image);
          advance(image.cursor);
        },
        onEvent({ cursor, event }) {
          own.apply(event);
          advance(cursor);
        },
        onStatus: (status) => events.setFeed(status),
      });
      log.info({ host: listener.host, port: listener.port }, "dashboard is listening");
    },
    async stop() {
      subscription?.close();
      subscription = null;
      events.close();
      await listener?.close();
      listener = null;
      await changes?.close();
    },
  };
}

function buildPageServer(events: Events, gate: Gate | null, changes: Changes | null): HttpApi {
  const { page, files, contentSecurityPolicy } = loadAssets();
  const api = createHttpApi();
  api.addHook("onSend", async (_request, reply) => {
    reply.headers(SECURITY_HEADERS);
  });
  if (gate !== null) {
    api.addHook("onRequest", async (request, reply) => {
      const refusal = await gate(request.headers.authorization);
      if (refusal === null) return;
      reply.header("www-authenticate", 'Basic realm="Viaduct", charset="UTF-8"');
      await reply.code(401).type("text/plain; charset=utf-8").send(`${refusal}\n`);
    });
  }

  /** Told to the page: whether it can change routes, and whether the browser's login will do for that. */
  const howToChange = changes === null ? "not" : gate === null ? "after login" : "as logged in";

  api.get(DASHBOARD_PREFIX, (request, reply) => {
    // Without the slash every relative address of the page would miss the prefix.
    if (!new URL(request.url, "http://localhost").pathname.endsWith("/")) {
      return reply.redirect(`${DASHBOARD_PREFIX}/`, 308);
    }
    reply.header("content-security-policy", contentSecurityPolicy);
    return sendAsset(request, reply, page);
  });
  for (const [path, file] of files) {
    api.get(`${DASHBOARD_PREFIX}/${path}`, (request, reply) => sendAsset(request, reply, file));
  }
  api.get(`${DASHBOARD_PREFIX}/events`, (request, reply) => {
    reply.hijack();
    reply.raw.writeHead(200, {
      ...SECURITY_HEADERS,
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
    });
    events.connect(reply.raw, { routerOrigin: routerOrigin(request), changes: howToChange });
  });
  changes?.register(api, DASHBOARD_PREFIX);
  return api;
}

/** Browsers ask again each time and mostly hear 304: a new version is there at once, and nothing is sent twice. */
function sendAsset(request: FastifyRequest, reply: FastifyReply, { type, body, etag }: Asset) {
  reply.headers({ etag, "cache-control": "no-cache" });
  if (request.headers["if-none-match"]?.includes(etag)) return reply.code(304).send();
  return reply.type(type).send(body);
}

/**
 * How a browser reaches routes: where it reached this page, if that was the router. Null when the page was asked
 * for directly, whose port says nothing about the router's.
 */
function routerOrigin({ headers }: FastifyRequest): { scheme: string; port: string } | null {
  const { host = "", "x-forwarded-for": forwardedFor, "x-forwarded-proto": proto } = headers;
  if (forwardedFor === undefined) return null;
  const port = /:(\d{1,5})$/.exec(host)?.[1] ?? "";
  return { scheme: proto === "https" ? "https" : "http", port };
}
