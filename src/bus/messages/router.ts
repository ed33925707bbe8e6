/**
 * `router.register`, `router.unregister`, `router.start` and `router.greet`: how gorouter and everything that feeds
 * it talk.
 */
import {
  type Decoded,
  decodeJson,
  type Json,
  refuse,
  refuseMessage,
  seconds,
  text,
  textMap,
  texts,
  wholeNumber,
} from "./fields.ts";

/** `router.register` and `router.unregister`, with defaults filled in. */
export interface RegisterMessage {
  /** IP or name of the endpoint; never "". */
  readonly host: string;
  /** Plain port; 0 when only `tlsPort` is given. */
  readonly port: number;
  /** Not 0: the endpoint speaks TLS on this port and `port` is ignored. */
  readonly tlsPort: number;
  /** Expected SAN in the endpoint's certificate. */
  readonly serverCertDomainSan: string;
  readonly protocol: "http1" | "http2";
  /** Host or host/path, may start with `*.`; each is a route of its own. */
  readonly uris: readonly string[];
  /** App GUID; "" for platform routes. */
  readonly app: string;
  /** Instance GUID. */
  readonly privateInstanceId: string;
  /** Decimal index as text. */
  readonly privateInstanceIndex: string;
  readonly tags: Readonly<Record<string, string>>;
  /** 0 takes the router's own threshold. */
  readonly staleThresholdInSeconds: number;
  /** `https…`, or "". */
  readonly routeServiceUrl: string;
  /** "" is the shared segment. */
  readonly isolationSegment: string;
  readonly availabilityZone: string;
  /** UNIX nanoseconds in decimal, more than a JavaScript number holds; "" when unknown. */
  readonly endpointUpdatedAtNs: string;
  /** As received, checked by nobody here: bad options must not drop a route. Undefined when absent. */
  readonly options: unknown;
}

const MAX_PORT = 65_535;

/** Checks what `router.register` and `router.unregister` carry. Never throws. */
export function decodeRegister(bytes: Uint8Array): Decoded<RegisterMessage> {
  return decodeJson(bytes, readRegister);
}

function readRegister(json: Json, raw: string): RegisterMessage {
  const message: RegisterMessage = {
    host: text(json["host"], "host"),
    port: wholeNumber(json["port"], "port", 0, MAX_PORT),
    tlsPort: wholeNumber(json["tls_port"], "tls_port", 0, MAX_PORT),
    serverCertDomainSan: text(json["server_cert_domain_san"], "server_cert_domain_san"),
    protocol: text(json["protocol"], "protocol") === "http2" ? "http2" : "http1",
    uris: texts(json["uris"], "uris"),
    app: text(json["app"], "app"),
    privateInstanceId: text(json["private_instance_id"], "private_instance_id"),
    privateInstanceIndex: text(json["private_instance_index"], "private_instance_index"),
    tags: textMap(json["tags"], "tags"),
    staleThresholdInSeconds: wholeNumber(
      json["stale_threshold_in_seconds"],
      "stale_threshold_in_seconds",
      Number.MIN_SAFE_INTEGER,
      Number.MAX_SAFE_INTEGER,
    ),
    routeServiceUrl: text(json["route_service_url"], "route_service_url"),
    isolationSegment: text(json["isolation_segment"], "isolation_segment"),
    availabilityZone: text(json["availability_zone"], "availability_zone"),
    endpointUpdatedAtNs: nanoseconds(json["endpoint_updated_at_ns"], "endpoint_updated_at_ns", raw),
    options: json["options"] ?? undefined,
  };
  if (message.routeServiceUrl !== "" && !message.routeServiceUrl.startsWith("https")) {
    refuseMessage("Unable to validate message. route_service_url must be https");
  }
  // Stricter than upstream, on purpose: an empty host dials the router's own machine, and port 0 nothing at all.
  if (message.host === "") refuseMessage("host: is missing");
  if (message.port === 0 && message.tlsPort === 0) refuseMessage("port: is missing, and so is tls_port");
  return message;
}

const NANOSECONDS = /"endpoint_updated_at_ns"\s*:\s*(\d+)/;

/** All digits of the number as it was written: today's nanoseconds need 61 bits, a JavaScript number has 53. */
function nanoseconds(value: unknown, field: string, raw: string): string {
  if (value === undefined || value === null || value === 0) return "";
  if (typeof value !== "number" || !Number.isInteger(value) || Math.abs(value) > 2 ** 63) {
    return refuse(field, value, "a whole number of nanoseconds");
  }
  const digits = NANOSECONDS.exec(raw)?.[1];
  // The first match may be a field of that name inside another one; then the rounded number has to do.
  return digits !== undefined && Number(digits) === value ? digits : BigInt(value).toString();
}

/** What a registrar or emitter must say, and what it may add. */
export type RegisterFields = Pick<RegisterMessage, "host" | "uris"> & Partial<RegisterMessage>;

/** The JSON of a `router.register` or `router.unregister`; fields at their default are left out. */
export function encodeRegister(fields: RegisterFields): string {
  const body: Record<string, unknown> = { host: fields.host };
  const add = (name: string, value: unknown) => {
    if (value !== undefined && value !== "" && value !== 0) body[name] = value;
  };
  add("port", fields.port);
  add("tls_port", fields.tlsPort);
  add("server_cert_domain_san", fields.serverCertDomainSan);
  if (fields.protocol === "http2") add("protocol", "http2");
  body["uris"] = fields.uris;
  add("app", fields.app);
  add("private_instance_id", fields.privateInstanceId);
  add("private_instance_index", fields.privateInstanceIndex);
  if (fields.tags !== undefined && Object.keys(fields.tags).length > 0) add("tags", fields.tags);
  add("stale_threshold_in_seconds", fields.staleThresholdInSeconds);
  add("route_service_url", fields.routeServiceUrl);
  add("isolation_segment", fields.isolationSegment);
  add("availability_zone", fields.availabilityZone);
  add("options", fields.options);
  const json = JSON.stringify(body);
  // Spliced in as text, because no JavaScript number holds it.
  const updatedAt = fields.endpointUpdatedAtNs ?? "";
  return updatedAt === "" ? json : `${json.slice(0, -1)},"endpoint_updated_at_ns":${BigInt(updatedAt)}}`;
}

/** `router.start`, and the answer to `router.greet`. */
export interface RouterStartMessage {
  /** `<index>-<uuid>` of the router. */
  readonly id: string;
  /** Addresses of the router. */
  readonly hosts: readonly string[];
  /** Register again at least this often. */
  readonly minimumRegisterIntervalInSeconds: number;
  /** What is not registered again for this long is pruned. */
  readonly pruneThresholdInSeconds: number;
}

export function encodeRouterStart(message: RouterStartMessage): string {
  const { id, hosts, minimumRegisterIntervalInSeconds, pruneThresholdInSeconds } = message;
  return JSON.stringify({ id, hosts, minimumRegisterIntervalInSeconds, pruneThresholdInSeconds });
}

export function decodeRouterStart(bytes: Uint8Array): Decoded<RouterStartMessage> {
  return decodeJson(bytes, (json) => ({
    id: text(json["id"], "id"),
    hosts: texts(json["hosts"], "hosts"),
    minimumRegisterIntervalInSeconds: seconds(
      json["minimumRegisterIntervalInSeconds"],
      "minimumRegisterIntervalInSeconds",
    ),
    pruneThresholdInSeconds: seconds(json["pruneThresholdInSeconds"], "pruneThresholdInSeconds"),
  }));
}
