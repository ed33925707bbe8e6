/**
 * A Routing API as Cloud Foundry's own answers its readers, and the UAA beside it: lists and events of HTTP routes,
 * made after the documented wire format and sharing no code with the reader under test. Real sockets, TLS and
 * client certificates when they are given.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { TestContext } from "node:test";

export interface RouteFields {
  readonly route: string;
  readonly ip: string;
  readonly port: number;
  readonly ttl?: number;
  readonly log_guid?: string;
  readonly route_service_url?: string;
}

type Row = RouteFields & { readonly modification_tag: { readonly guid: string; readonly index: number } };

export interface RoutingApiV1 {
  readonly port: number;
  /** How often the list was asked for. */
  readonly lists: number;
  /** `Last-Event-ID` of each subscription so far, "" without one. */
  readonly subscriptions: readonly string[];
  /** Creates the route, or is its heartbeat. */
  upsert(fields: RouteFields): Row;
  delete(fields: RouteFields): void;
  /** Forgets a route and tells nobody, as happens while a reader is not connected. */
  forget(fields: RouteFields): void;
  /** Tells the readers anything. */
  send(action: string, data: string): void;
  /** The streams end: `cut` as a crash would, otherwise as at a shutdown. */
  endStreams(cut?: boolean): void;
  /** Answers the next lists with this instead. */
  failLists(failure: { readonly status: number; readonly body: string } | null): void;
  /** Lists are answered when this resolves. */
  holdLists(until: Promise<void>): void;
  /** Resolves when so many subscriptions have been made. */
  subscribed(times: number): Promise<void>;
  /** Resolves when so many lists have been answered. */
  listed(times: number): Promise<void>;
}

export async function startRoutingApiV1(
  t: TestContext,
  options: {
    readonly tls?: ServerOptions;
    /** Null is no objection, a text is the message of a 401. */
    readonly check?: (authorization: string) => Promise<string | null>;
  } = {},
): Promise<RoutingApiV1> {
  const rows = new Map<string, Row>();
  const streams = new Map<ServerResponse, number>();
  const subscriptions: string[] = [];
  let lists = 0;
  let nextGuid = 1;
  let failure: { readonly status: number; readonly body: string } | null = null;
  let hold: Promise<void> | null = null;
  const keyOf = ({ route, ip, port, route_service_url: url = "" }: RouteFields) =>
    `${route} ${ip}:${port} ${url}`;

  const send = (action: string, data: string) => {
    for (const [stream, id] of streams) {
      stream.write(`id: ${id}\nevent: ${action}\ndata: ${data}\n\n`);
      streams.set(stream, id + 1);
    }
  };

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const objection = (await options.check?.(request.headers.authorization ?? "")) ?? null;
    if (objection !== null) {
      response.statusCode = 401;
      response.end(JSON.stringify({ name: "UnauthorizedError", message: objection }));
    } else if (request.url === "/routing/v1/routes") {
      await hold;
      lists++;
      response.statusCode = failure?.status ?? 200;
      response.end(failure?.body ?? `${JSON.stringify([...rows.values()])}\n`);
      server.emit("listed");
    } else if (request.url === "/routing/v1/events") {
      const lastId = request.headers["last-event-id"];
      response.writeHead(200, {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-cache, no-store, must-revalidate",
        connection: "keep-alive",
      });
      response.flushHeaders();
      streams.set(response, 0);
      response.once("close", () => streams.delete(response));
      subscriptions.push(typeof lastId === "string" ? lastId : "");
      server.emit("subscribed");
    } else {
      response.statusCode = 404;
      response.end();
    }
  };

  const { server, port } = await listen(t, options.tls, answer);
  const until = async (event: string, isThere: () => boolean) => {
    while (!isThere()) await once(server, event);
  };

  return {
    port,
    subscriptions,
    get lists() {
      return lists;
    },
    upsert(fields) {
      const known = rows.get(keyOf(fields));
      const modification_tag =
        known === undefined
          ? { guid: `tag-${nextGuid++}`, index: 0 }
          : { ...known.modification_tag, index: known.modification_tag.index + 1 };
      const row = { ttl: 120, log_guid: "", ...fields, modification_tag };
      rows.set(keyOf(fields), row);
      send("Upsert", JSON.stringify(row));
      return row;
    },
    delete(fields) {
      const row = rows.get(keyOf(fields));
      rows.delete(keyOf(fields));
      if (row !== undefined) send("Delete", JSON.stringify(row));
    },
    forget: (fields) => void rows.delete(keyOf(fields)),
    send,
    endStreams(cut = false) {
      for (const stream of streams.keys()) {
        if (cut) stream.socket?.destroy();
        else stream.end();
      }
      streams.clear();
    },
    failLists(given) {
      failure = given;
    },
    holdLists(given) {
      hold = given;
    },
    subscribed: (times) => until("subscribed", () => subscriptions.length >= times),
    listed: (times) => until("listed", () => lists >= times),
  };
}

/** The token endpoint of a UAA. */
export async function startUaa(
  t: TestContext,
  given: {
    readonly tls: ServerOptions;
    readonly grant: (client: { id: string; secret: string }) => Promise<object>;
  },
): Promise<{ readonly port: number; readonly grants: number }> {
  let grants = 0;
  const { port } = await listen(t, given.tls, async (request, response) => {
    const form = new URLSearchParams(await text(request));
    const [id = "", secret = ""] = Buffer.from(
      (request.headers.authorization ?? "").replace("Basic ", ""),
      "base64",
    )
      .toString()
      .split(":");
    const isToken = request.method === "POST" && request.url === "/oauth/token";
    if (!isToken || form.get("grant_type") !== "client_credentials") {
      response.statusCode = 404;
      response.end();
      return;
    }
    try {
      const token = await given.grant({ id, secret });
      grants++;
      response.end(JSON.stringify(token));
    } catch {
      response.statusCode = 401;
      response.end(JSON.stringify({ error: "unauthorized", error_description: "Bad credentials" }));
    }
  });
  return {
    port,
    get grants() {
      return grants;
    },
  };
}

async function listen(
  t: TestContext,
  tls: ServerOptions | undefined,
  answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Promise<{ readonly server: Server; readonly port: number }> {
  const onRequest = (request: IncomingMessage, response: ServerResponse) => void answer(request, response);
  const server = tls === undefined ? createServer(onRequest) : createTlsServer(tls, onRequest);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { server, port: (server.address() as AddressInfo).port };
}
