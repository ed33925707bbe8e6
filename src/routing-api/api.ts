/**
 * `/routing/v1`: reservations, endpoints, the route table and its stream over HTTP.
 */
import { createHash } from "node:crypto";
import type { FastifyReply, FastifyRequest } from "fastify";
import { createHttpApi, type HttpApi } from "../http/index.ts";
import {
  requestNotProcessable,
  reservationChanged,
  routingResourceNotFound,
} from "../kernel/errors/routing-api.ts";
import { type Clock, type Logger, newGuid } from "../kernel/index.ts";
import type { Store } from "../store/index.ts";
import type { Cursor, Reservation } from "../table/index.ts";
import { authorize, SCOPES, type VerifyToken, visibleTo } from "./access.ts";
import { createPositions, newPositionKey } from "./positions.ts";
import { installAnswers } from "./respond.ts";
import type { RouteTable } from "./route-table.ts";
import { listRouterGroups } from "./router-groups.ts";
import type { HeldReservation } from "./state.ts";
import { serveStream, type StreamStart } from "./stream.ts";
import { createView, NO_FILTER, stateOf, type View, type ViewFilter } from "./view.ts";
import {
  acknowledgementsToJson,
  arrayOf,
  cursorFromText,
  cursorToText,
  destinationTo,
  endpointFromJson,
  endpointToJson,
  identityFromJson,
  livenessToJson,
  objectOf,
  reservationFromJson,
  text,
  ttlFromJson,
} from "./wire.ts";

const BASE = "/routing/v1";
/** Carries the position of a write's change; what `acknowledgements` count up to. */
export const CURSOR_HEADER = "x-viaduct-cursor";
/** Whole tables come in one body: 100,000 reservations are about 50 MB. */
const TABLE_BODY_BYTES = 256 * 1024 * 1024;
const MAX_PAGE = 1_000;
const MAX_WAIT_MS = 60_000;

export interface RoutingApiDeps {
  readonly table: RouteTable;
  readonly store: Store;
  readonly verifyToken: VerifyToken;
  readonly clock: Clock;
  readonly log: Logger;
  /** Longest and default life of an endpoint without a heartbeat. */
  readonly maxTtlSeconds: number;
}

/** The API, not listening yet. */
export function buildRoutingApi(deps: RoutingApiDeps): HttpApi {
  const api = createHttpApi();
  installAnswers(api, deps.log);
  takeAnyBody(api);
  addReservations(api, deps);
  addEndpoints(api, deps);
  addRouteTable(api, deps);
  addAcknowledgements(api, deps);
  api.get(`${BASE}/router_groups`, { exposeHeadRoute: false }, async (request) => {
    await authorize(request, deps.verifyToken, SCOPES.readRouterGroups);
    return listRouterGroups(deps.store, parameter(request, "name"));
  });
  return api;
}

// Whatever Content-Type says, a body is JSON; the texts are upstream's.
function takeAnyBody(api: HttpApi): void {
  api.removeAllContentTypeParsers();
  api.addContentTypeParser("*", { parseAs: "string" }, (_request, body, done) => {
    try {
      done(null, JSON.parse(String(body)));
    } catch (error) {
      const reason = body.length === 0 ? "EOF" : error instanceof Error ? error.message : String(error);
      done(requestNotProcessable({ reason }));
    }
  });
}

// --- reservations ---

function addReservations(api: HttpApi, { table, verifyToken }: RoutingApiDeps): void {
  const path = `${BASE}/reservations`;
  const one = `${path}/:guid`;
  const association = `${one}/processes/:process_guid`;

  api.get(path, { exposeHeadRoute: false }, async (request) => {
    const view = await viewOf(request, verifyToken, NO_FILTER);
    return listReservations(request, table, view);
  });

  api.post(path, async (request, reply) => {
    await authorize(request, verifyToken, SCOPES.write);
    const body = objectOf(bodyOf(request), "reservation");
    const guid = text(body, "guid");
    const reservation = reservationFromJson(body, guid === "" ? newGuid() : guid);
    sendCursor(reply, await table.putReservation(reservation));
    return reply.code(201).send(currentReservation(table, reservation.guid));
  });

  api.put(path, { bodyLimit: TABLE_BODY_BYTES }, async (request, reply) => {
    await authorize(request, verifyToken, SCOPES.write);
    const reservations = arrayOf(bodyOf(request)).map((item) => reservationFromJson(item, null));
    sendCursor(reply, await table.replaceReservations(reservations));
    return reply.code(204).send();
  });

  api.get(one, { exposeHeadRoute: false }, async (request) => {
    const view = await viewOf(request, verifyToken, NO_FILTER);
    return view.reservation(visibleReservation(request, table, view));
  });

  api.put(one, async (request, reply) => {
    await authorize(request, verifyToken, SCOPES.write);
    const guid = parameter(request, "guid");
    const reservation = reservationFromJson(bodyOf(request), guid);
    const { cursor, wasNew } = await table.changeReservation(guid, (held) => {
      refuseUnlessMatching(request, guid, held);
      return reservation;
    });
    sendCursor(reply, cursor);
    return reply.code(wasNew ? 201 : 200).send(currentReservation(table, guid));
  });

  api.delete(one, async (request, reply) => {
    await authorize(request, verifyToken, SCOPES.write);
    const guid = parameter(request, "guid");
    const { cursor } = await table.changeReservation(guid, (held) => {
      if (held !== null) refuseUnlessMatching(request, guid, held);
      return null;
    });
    sendCursor(reply, cursor);
    return reply.code(204).send();
  });

  const associate =
    (change: (reservation: Reservation, processGuid: string) => Reservation) =>
    async (request: FastifyRequest, reply: FastifyReply) => {
      await authorize(request, verifyToken, SCOPES.write);
      const guid = parameter(request, "guid");
      const { cursor } = await table.changeReservation(guid, (held) => {
        if (held === null) throw routingResourceNotFound({ what: `reservation '${guid}'` });
        return change(held.reservation, parameter(request, "process_guid"));
      });
      sendCursor(reply, cursor);
      return reply.code(204).send();
    };
  api.put(association, associate(withProcess));
  api.delete(association, associate(withoutProcess));

  api.get(`${one}/endpoints`, { exposeHeadRoute: false }, async (request) => {
    const view = await viewOf(request, verifyToken, NO_FILTER);
    const { reservation } = visibleReservation(request, table, view);
    return Array.from(table.endpointsOf(reservation), (endpoint) => view.endpoint(endpoint, [reservation]));
  });
}

function listReservations(request: FastifyRequest, table: RouteTable, view: View) {
  const wanted = ["route", "protocol", "router_group_guid", "isolation_segment"];
  const filters = wanted
    .filter((name) => hasParameter(request, name))
    .map((name) => [name, parameter(request, name)]);
  const processGuid = hasParameter(request, "process_guid") ? parameter(request, "process_guid") : null;
  const found = [...table.reservations()].filter(({ reservation }) => {
    if (!view.sees(reservation)) return false;
    if (processGuid !== null && !reservation.destinations.some((d) => d.processGuid === processGuid))
      return false;
    const {
      route,
      protocol,
      routerGroup: router_group_guid,
      isolationSegment: isolation_segment,
    } = reservation;
    const fields: Readonly<Record<string, string>> = {
      route,
      protocol,
      router_group_guid,
      isolation_segment,
    };
    return filters.every(([name = "", value]) => fields[name] === value);
  });
  if (!hasParameter(request, "limit")) return { resources: found.map(view.reservation), next: null };

  const limit = Number(parameter(request, "limit"));
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE) {
    throw requestNotProcessable({ reason: `limit must be a whole number 1–${MAX_PAGE}` });
  }
  // By guid, so that changes between two pages neither repeat nor skip a reservation that stays.
  const after = parameter(request, "after");
  const page = found
    .sort((a, b) => (a.reservation.guid < b.reservation.guid ? -1 : 1))
    .filter(({ reservation }) => reservation.guid > after);
  const resources = page.slice(0, limit);
  const next = page.length > limit ? (resources.at(-1)?.reservation.guid ?? null) : null;
  return { resources: resources.map(view.reservation), next };
}

function withProcess(reservation: Reservation, processGuid: string): Reservation {
  if (reservation.destinations.some((destination) => destination.processGuid === processGuid))
    return reservation;
  return { ...reservation, destinations: [...reservation.destinations, destinationTo(processGuid)] };
}

function withoutProcess(reservation: Reservation, processGuid: string): Reservation {
  const destinations = reservation.destinations.filter(
    (destination) => destination.processGuid !== processGuid,
  );
  return { ...reservation, destinations };
}

function visibleReservation(request: FastifyRequest, table: RouteTable, view: View): HeldReservation {
  const guid = parameter(request, "guid");
  const held = table.reservation(guid);
  // Not visible answers exactly as absent does.
  if (held === null || !view.sees(held.reservation)) {
    throw routingResourceNotFound({ what: `reservation '${guid}'` });
  }
  return held;
}

function currentReservation(table: RouteTable, guid: string): object {
  const held = table.reservation(guid);
  if (held === null) throw routingResourceNotFound({ what: `reservation '${guid}'` });
  return createView("all", NO_FILTER).reservation(held);
}

function refuseUnlessMatching(request: FastifyRequest, guid: string, held: HeldReservation | null): void {
  const wanted = request.headers["if-match"];
  if (wanted === undefined) return;
  const current = held === null ? "none" : `${guid}:${held.revision}`;
  if (wanted !== `"${current}"`) throw reservationChanged({ guid, current });
}

// --- endpoints ---

function addEndpoints(api: HttpApi, { table, verifyToken, maxTtlSeconds }: RoutingApiDeps): void {
  const path = `${BASE}/endpoints`;

  api.get(path, { exposeHeadRoute: false }, async (request) => {
    await authorize(request, verifyToken, SCOPES.read);
    const processGuid = hasParameter(request, "process_guid")
      ? parameter(request, "process_guid")
      : undefined;
    return Array.from(table.endpoints(processGuid), endpointToJson);
  });

  api.post(path, async (request, reply) => {
    await authorize(request, verifyToken, SCOPES.write);
    // All are read before any is taken.
    const items = arrayOf(bodyOf(request)).map((item) => ({
      endpoint: endpointFromJson(item),
      ttl: ttlFromJson(item, maxTtlSeconds),
    }));
    for (const [ttl, some] of Map.groupBy(items, (item) => item.ttl)) {
      await table.putEndpoints(
        some.map((item) => item.endpoint),
        ttl * 1_000,
      );
    }
    return reply.code(201).send();
  });

  api.delete(path, async (request, reply) => {
    await authorize(request, verifyToken, SCOPES.write);
    await table.deleteEndpoints(arrayOf(bodyOf(request)).map(identityFromJson));
    return reply.code(204).send();
  });
}

// --- the route table ---

function addRouteTable(api: HttpApi, deps: RoutingApiDeps): void {
  const { table, verifyToken, clock, log } = deps;
  const key = newPositionKey();

  api.get(`${BASE}/route_table`, { exposeHeadRoute: false }, async (request, reply) => {
    const visible = visibleTo(await authorize(request, verifyToken));
    const view = createView(visible, filterOf(request));
    const routes = [...table.reservations()]
      .filter(({ reservation }) => view.sees(reservation))
      .map((held) => {
        const endpoints = [...table.endpointsOf(held.reservation)];
        return {
          ...view.reservation(held),
          state: stateOf(endpoints),
          endpoints: endpoints.map((endpoint) => view.endpoint(endpoint, [held.reservation])),
        };
      });
    const cursor = createPositions(visible, key).toText(table.cursor);
    // A sealed cursor differs each time; what a reader of some routes can see is its own version.
    const version = view.isPartial
      ? createHash("sha256").update(JSON.stringify(routes)).digest("hex")
      : cursor;
    reply.header("etag", `"${version}"`);
    if (request.headers["if-none-match"] === `"${version}"`) return reply.code(304).send();
    return { cursor, routes };
  });

  api.get(`${BASE}/route_table/events`, { exposeHeadRoute: false }, async (request, reply) => {
    const token = await authorize(request, verifyToken);
    const visible = visibleTo(token);
    const positions = createPositions(visible, key);
    const reader = parameter(request, "reader");
    // «Live on n of n» must not depend on somebody who sees a part of the table and never acknowledges.
    if (reader !== "" && visible !== "all") {
      throw requestNotProcessable({ reason: `reader needs the scope ${SCOPES.read}` });
    }
    reply.hijack();
    await serveStream({
      table,
      view: createView(visible, filterOf(request)),
      positions,
      start: streamStart(request, (position) => positions.fromText(position)),
      response: reply.raw,
      reader: reader === "" ? null : reader,
      endsAtMs: token.exp * 1_000,
      clock,
      log,
    });
  });
}

function streamStart(request: FastifyRequest, read: (position: string) => Cursor | null): StreamStart {
  const header = request.headers["last-event-id"];
  const position = typeof header === "string" && header !== "" ? header : parameter(request, "cursor");
  if (position !== "") return { kind: "after", cursor: read(position) };
  return parameter(request, "snapshot") === "true" ? { kind: "snapshot" } : { kind: "now" };
}

function filterOf(request: FastifyRequest): ViewFilter {
  return {
    protocols: parameters(request, "protocol"),
    routerGroups: parameters(request, "router_group_guid"),
    isolationSegments: parameters(request, "isolation_segment"),
  };
}

// --- acknowledgements ---

function addAcknowledgements(api: HttpApi, { table, verifyToken }: RoutingApiDeps): void {
  const path = `${BASE}/route_table/acknowledgements`;

  api.get(path, { exposeHeadRoute: false }, async (request) => {
    await authorize(request, verifyToken, SCOPES.read, SCOPES.write);
    return acknowledgementsToJson(await table.acknowledgements());
  });

  api.post(path, async (request, reply) => {
    await authorize(request, verifyToken, SCOPES.read);
    const body = objectOf(bodyOf(request), "acknowledgement");
    const cursor = cursorFromText(text(body, "cursor"));
    if (cursor === null) throw requestNotProcessable({ reason: "cursor is none" });
    const reader = text(body, "reader");
    if (!table.readers.acknowledge(reader, cursor))
      throw routingResourceNotFound({ what: `reader '${reader}'` });
    return reply.code(204).send();
  });

  api.get(`${path}/:guid`, { exposeHeadRoute: false }, async (request) => {
    await authorize(request, verifyToken, SCOPES.read, SCOPES.write);
    const guid = parameter(request, "guid");
    const waitMs = Number(parameter(request, "timeout_ms") || "0");
    if (!(waitMs >= 0 && waitMs <= MAX_WAIT_MS)) {
      throw requestNotProcessable({ reason: `timeout_ms must be a number 0–${MAX_WAIT_MS}` });
    }
    const liveness = await table.whenLive(guid, waitMs);
    if (liveness === null) throw routingResourceNotFound({ what: `reservation '${guid}'` });
    return livenessToJson(liveness);
  });
}

// --- helpers ---

async function viewOf(request: FastifyRequest, verifyToken: VerifyToken, filter: ViewFilter): Promise<View> {
  return createView(visibleTo(await authorize(request, verifyToken)), filter);
}

function sendCursor(reply: FastifyReply, cursor: Cursor): void {
  reply.header(CURSOR_HEADER, cursorToText(cursor));
}

/** `null` is a body; none at all is upstream's EOF. */
function bodyOf({ body }: FastifyRequest): unknown {
  if (body === undefined) throw requestNotProcessable({ reason: "EOF" });
  return body;
}

/** A path or query parameter; the last one when it is repeated, "" when it is absent. */
function parameter(request: FastifyRequest, name: string): string {
  const inPath = (request.params as Readonly<Record<string, string>>)[name];
  return inPath ?? parameters(request, name).at(-1) ?? "";
}

function hasParameter(request: FastifyRequest, name: string): boolean {
  return parameters(request, name).length > 0;
}

function parameters(request: FastifyRequest, name: string): readonly string[] {
  const value = (request.query as Readonly<Record<string, string | string[] | undefined>>)[name];
  return value === undefined ? [] : [value].flat();
}
