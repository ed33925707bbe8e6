/**
 * Reservations, endpoints and cursors ⇄ their JSON: the one place where camelCase meets snake_case. Reading is
 * strict about values and, as upstream's decoder is, silent about fields it does not know.
 */
import type { Acknowledgements, Liveness } from "../contracts/index.ts";
import {
  requestNotProcessable,
  routeInvalid,
  routeOptionsInvalid,
  routeServiceUrlInvalid,
} from "../kernel/errors/routing-api.ts";
import type {
  Cursor,
  Destination,
  Endpoint,
  EndpointProtocol,
  Reservation,
  RouteOptions,
  RouteProtocol,
} from "../table/index.ts";
import type { EndpointIdentity } from "./state.ts";

/** Keeps `routing.route.<guid>.read` a plain scope. */
const GUID = /^[0-9A-Za-z_-]{1,64}$/;
const HTTP_HOST = /^(?:\*\.)?[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*$/;
const MAX_HOST_CHARS = 253;
/** A URL path (RFC 3986 §3.3). */
const HTTP_PATH = /^(?:\/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)*$/;
/** As the Cloud Controller limits them (RFC-0027). */
const MAX_OPTIONS_BYTES = 1024;
const CURSOR = /^(.+)-(\d+)$/;

export interface ModificationTag {
  readonly guid: string;
  readonly index: number;
}

// --- reservations ---

export function reservationToJson(reservation: Reservation, revision: number) {
  const { guid, protocol, route, routerGroup, destinations, options, routeServiceUrl } = reservation;
  return {
    guid,
    protocol,
    route,
    ...(protocol === "tcp" && { router_group_guid: routerGroup, port: Number(route) }),
    process_guids: [...new Set(destinations.map((destination) => destination.processGuid))],
    destinations: destinations.map((destination) => ({
      process_guid: destination.processGuid,
      app_port: destination.appPort,
      weight: destination.weight,
      protocol: destination.protocol,
    })),
    ...(routeServiceUrl !== null && { route_service_url: routeServiceUrl }),
    options,
    isolation_segment: reservation.isolationSegment,
    tags: reservation.tags,
    modification_tag: modificationTag(guid, revision),
  };
}

export function modificationTag(guid: string, revision: number): ModificationTag {
  return { guid, index: revision };
}

/**
 * @param guid  From the path; the body's own is used when this is null.
 * @throws requestNotProcessable, routeInvalid, routeServiceUrlInvalid, routeOptionsInvalid
 */
export function reservationFromJson(json: unknown, guid: string | null): Reservation {
  const fields = objectOf(json, "reservation");
  const protocol = oneOf<RouteProtocol>(fields, "protocol", ["http", "tcp", "internal"], "http");
  const read: Reservation = {
    guid: guidOf(guid ?? text(fields, "guid")),
    protocol,
    route: routeOf(fields, protocol),
    routerGroup: protocol === "tcp" ? text(fields, "router_group_guid") : "",
    destinations: destinationsOf(fields),
    options: optionsOf(fields["options"] ?? {}),
    routeServiceUrl: routeServiceUrlOf(text(fields, "route_service_url")),
    isolationSegment: text(fields, "isolation_segment"),
    tags: textMap(fields, "tags"),
  };
  return read;
}

function guidOf(guid: string): string {
  if (GUID.test(guid)) return guid;
  throw requestNotProcessable({ reason: `guid ${shown(guid)} must be 1 to 64 letters, digits, "_" or "-"` });
}

function routeOf(fields: Fields, protocol: RouteProtocol): string {
  switch (protocol) {
    case "http":
      return httpRouteOf(text(fields, "route"));
    case "internal": {
      const host = text(fields, "route").toLowerCase();
      if (!isHost(host) || host.startsWith("*.")) {
        throw routeInvalid({ reason: `route ${shown(host)} is not a host name` });
      }
      return host;
    }
    case "tcp": {
      for (const field of ["sni_hostname", "alpns", "terminate_frontend_tls"]) {
        if (fields[field])
          throw requestNotProcessable({ reason: `${field} is not supported yet; leave it out` });
      }
      const port = fields["port"] ?? Number(text(fields, "route"));
      if (isWholeNumber(port, 1, 65_535)) return String(port);
      throw routeInvalid({ reason: "Each route request requires a port greater than 0" });
    }
    default:
      return protocol satisfies never;
  }
}

/** `App.Example.com/v2/` → `app.example.com/v2`. */
function httpRouteOf(route: string): string {
  if (route === "") throw routeInvalid({ reason: "Each route request requires a valid route" });
  if (/[?#]/.test(route)) throw routeInvalid({ reason: "url cannot contain any of [?, #]" });
  const slash = route.indexOf("/");
  const host = (slash === -1 ? route : route.slice(0, slash)).toLowerCase();
  const path = slash === -1 ? "" : route.slice(slash).replace(/\/$/, "");
  if (!isHost(host) || !HTTP_PATH.test(path)) {
    throw routeInvalid({ reason: "url cannot contain invalid characters" });
  }
  return host + path;
}

function isHost(host: string): boolean {
  return host.length <= MAX_HOST_CHARS && HTTP_HOST.test(host);
}

function routeServiceUrlOf(url: string): string | null {
  if (url === "") return null;
  if (!url.startsWith("https://")) {
    throw routeServiceUrlInvalid({ reason: "Route service url must use HTTPS." });
  }
  if (!URL.canParse(url)) throw routeServiceUrlInvalid({ reason: "url cannot contain invalid characters" });
  return url;
}

function destinationsOf(fields: Fields): readonly Destination[] {
  const listed = fields["destinations"];
  if (listed === undefined || listed === null) {
    const guids = fields["process_guids"] ?? [];
    if (!Array.isArray(guids) || !guids.every((guid) => typeof guid === "string" && guid !== "")) {
      throw requestNotProcessable({ reason: "process_guids must be a list of texts" });
    }
    return guids.map(destinationTo);
  }
  if (!Array.isArray(listed)) throw requestNotProcessable({ reason: "destinations must be a list" });
  return listed.map((item) => {
    const destination = objectOf(item, "destination");
    const processGuid = text(destination, "process_guid");
    if (processGuid === "") throw requestNotProcessable({ reason: "a destination has no process_guid" });
    return {
      processGuid,
      appPort: wholeNumberOrNull(destination, "app_port", 1, 65_535),
      weight: wholeNumberOrNull(destination, "weight", 1, 100),
      protocol: endpointProtocol(destination),
    };
  });
}

/** An association with nothing said but the process. */
export function destinationTo(processGuid: string): Destination {
  return { processGuid, appPort: null, weight: null, protocol: "http1" };
}

function optionsOf(value: unknown): RouteOptions {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw routeOptionsInvalid({ reason: "options must be an object" });
  }
  for (const [name, item] of Object.entries(value)) {
    if (!["string", "number", "boolean"].includes(typeof item)) {
      throw routeOptionsInvalid({ reason: `option ${shown(name)} must be text, a number, true or false` });
    }
  }
  if (Buffer.byteLength(JSON.stringify(value)) > MAX_OPTIONS_BYTES) {
    throw routeOptionsInvalid({ reason: `options are longer than ${MAX_OPTIONS_BYTES} bytes` });
  }
  return value as RouteOptions;
}

// --- endpoints ---

export function endpointToJson(endpoint: Endpoint) {
  return {
    ...identityToJson(endpoint),
    instance_index: endpoint.instanceIndex,
    app_guid: endpoint.appGuid,
    server_cert_domain_san: endpoint.serverCertDomainSan,
    app_port: endpoint.appPort,
    instance_ip: endpoint.instanceAddress,
    protocol: endpoint.protocol,
    availability_zone: endpoint.availabilityZone,
    isolation_segment: endpoint.isolationSegment,
    tags: endpoint.tags,
    updated_at_ns: endpoint.updatedAtNs,
  };
}

export function identityToJson(endpoint: Endpoint) {
  return {
    process_guid: endpoint.processGuid,
    instance_id: endpoint.instanceId,
    ip: endpoint.host,
    port: endpoint.tls ? 0 : endpoint.port,
    tls_port: endpoint.tls ? endpoint.port : 0,
  };
}

/** @throws routeInvalid, requestNotProcessable */
export function endpointFromJson(json: unknown): Endpoint {
  const fields = objectOf(json, "endpoint");
  const identity = identityFromJson(fields);
  const index = fields["instance_index"] ?? "";
  return {
    ...identity,
    instanceId: text(fields, "instance_id"),
    instanceIndex: isWholeNumber(index, 0, 2 ** 31) ? String(index) : text(fields, "instance_index"),
    appGuid: text(fields, "app_guid"),
    tls: (wholeNumberOrNull(fields, "tls_port", 0, 65_535) ?? 0) > 0,
    serverCertDomainSan: text(fields, "server_cert_domain_san"),
    appPort: wholeNumberOrNull(fields, "app_port", 0, 65_535) ?? 0,
    instanceAddress: text(fields, "instance_ip"),
    protocol: endpointProtocol(fields),
    availabilityZone: text(fields, "availability_zone"),
    isolationSegment: text(fields, "isolation_segment"),
    tags: textMap(fields, "tags"),
    updatedAtNs: text(fields, "updated_at_ns"),
  };
}

/** @throws routeInvalid, requestNotProcessable */
export function identityFromJson(json: unknown): EndpointIdentity {
  const fields = objectOf(json, "endpoint");
  const tlsPort = wholeNumberOrNull(fields, "tls_port", 0, 65_535) ?? 0;
  const port = tlsPort > 0 ? tlsPort : (wholeNumberOrNull(fields, "port", 0, 65_535) ?? 0);
  if (port === 0) throw routeInvalid({ reason: "Each route request requires a port greater than 0" });
  const host = text(fields, "ip");
  if (host === "") throw routeInvalid({ reason: "Each route request requires an IP" });
  const processGuid = text(fields, "process_guid");
  if (processGuid === "") throw requestNotProcessable({ reason: "an endpoint has no process_guid" });
  return { processGuid, host, port };
}

/** The TTL of an endpoint object in seconds, upstream's texts. Absent means `maxSeconds`. */
export function ttlFromJson(json: unknown, maxSeconds: number): number {
  const ttl = objectOf(json, "endpoint")["ttl"] ?? maxSeconds;
  if (typeof ttl !== "number" || !Number.isInteger(ttl)) {
    throw requestNotProcessable({ reason: `ttl ${shown(ttl)} is not a whole number of seconds` });
  }
  if (ttl > maxSeconds) throw routeInvalid({ reason: `Max ttl is ${maxSeconds}` });
  if (ttl <= 0) throw routeInvalid({ reason: "Request requires a ttl greater than 0" });
  return ttl;
}

// --- cursors and acknowledgements ---

export function cursorToText({ epoch, sequence }: Cursor): string {
  return `${epoch}-${sequence}`;
}

/** Null when it is none. */
export function cursorFromText(cursor: string): Cursor | null {
  const match = CURSOR.exec(cursor);
  const sequence = Number(match?.[2]);
  return match?.[1] !== undefined && Number.isSafeInteger(sequence) ? { epoch: match[1], sequence } : null;
}

export function acknowledgementsToJson({ cursor, readers }: Acknowledgements) {
  return {
    cursor: cursorToText(cursor),
    readers: readers.map(({ reader, sequence, isCurrent }) => ({ reader, sequence, is_current: isCurrent })),
  };
}

export function acknowledgementsFromJson(json: unknown): Acknowledgements {
  const fields = objectOf(json, "acknowledgements");
  const cursor = cursorFromText(text(fields, "cursor"));
  if (cursor === null) throw requestNotProcessable({ reason: "cursor is none" });
  return {
    cursor,
    readers: arrayOf(fields["readers"]).map((item) => {
      const reader = objectOf(item, "reader");
      return {
        reader: text(reader, "reader"),
        sequence: typeof reader["sequence"] === "number" ? reader["sequence"] : -1,
        isCurrent: reader["is_current"] === true,
      };
    }),
  };
}

export function livenessToJson({ live, of, isLive }: Liveness) {
  return { live, of, is_live: isLive };
}

export function livenessFromJson(json: unknown): Liveness {
  const fields = objectOf(json, "liveness");
  return {
    live: wholeNumberOrNull(fields, "live", 0, Number.MAX_SAFE_INTEGER) ?? 0,
    of: wholeNumberOrNull(fields, "of", 0, Number.MAX_SAFE_INTEGER) ?? 0,
    isLive: fields["is_live"] === true,
  };
}

// --- readers of fields ---

type Fields = Readonly<Record<string, unknown>>;

export function objectOf(json: unknown, what: string): Fields {
  if (typeof json === "object" && json !== null && !Array.isArray(json)) return json as Fields;
  throw requestNotProcessable({ reason: `the ${what} is not a JSON object` });
}

/** Null counts as empty, as upstream's decoder has it. */
export function arrayOf(json: unknown): readonly unknown[] {
  if (json === null) return [];
  if (Array.isArray(json)) return json;
  throw requestNotProcessable({ reason: "the body is not a JSON array" });
}

export function text(fields: Fields, name: string): string {
  const value = fields[name] ?? "";
  if (typeof value === "string") return value;
  throw requestNotProcessable({ reason: `${name} ${shown(value)} is not text` });
}

function textMap(fields: Fields, name: string): Readonly<Record<string, string>> {
  const value = fields[name] ?? {};
  if (
    typeof value === "object" &&
    !Array.isArray(value) &&
    Object.values(value).every((item) => typeof item === "string")
  ) {
    return value as Readonly<Record<string, string>>;
  }
  throw requestNotProcessable({ reason: `${name} is not a map of texts` });
}

function isWholeNumber(value: unknown, minimum: number, maximum: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= minimum && value <= maximum;
}

function wholeNumberOrNull(fields: Fields, name: string, minimum: number, maximum: number): number | null {
  const value = fields[name] ?? null;
  if (value === null || isWholeNumber(value, minimum, maximum)) return value;
  throw requestNotProcessable({
    reason: `${name} ${shown(value)} is not a whole number ${minimum}–${maximum}`,
  });
}

function oneOf<V extends string>(fields: Fields, name: string, values: readonly V[], otherwise: V): V {
  const value = text(fields, name);
  if (value === "") return otherwise;
  const found = values.find((candidate) => candidate === value);
  if (found !== undefined) return found;
  throw requestNotProcessable({ reason: `${name} ${shown(value)} is not one of ${values.join(", ")}` });
}

function endpointProtocol(fields: Fields): EndpointProtocol {
  return oneOf<EndpointProtocol>(fields, "protocol", ["http1", "http2"], "http1");
}

/** A peer's value inside a message: quoted, and never longer than a line. */
function shown(value: unknown): string {
  return (JSON.stringify(value) ?? "nothing").slice(0, 80);
}
