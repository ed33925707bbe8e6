/**
 * One element of `routes`, in the JSON file and in dynamic YAML files: checked completely, in upstream's words.
 */
import { Fields, isObject, type Json } from "./fields.ts";
import { parseGoDuration, printGoDuration } from "./go-duration.ts";
import { Problems } from "./problems.ts";
import type { HealthCheck, RegistrarRoute } from "./types.ts";

const LOADBALANCING = ["round-robin", "least-connection"];

export interface ReadRoute {
  /** Null when there are problems. */
  readonly route: RegistrarRoute | null;
  readonly problems: Problems;
}

/**
 * @param index  Its place in the list: what a route without a name is called.
 * @param globalHost  The host of routes without their own.
 */
export function readRoute(item: unknown, index: number, globalHost: string): ReadRoute {
  const fields = new Fields(isObject(item) ? item : {});
  const name = fields.text("name");
  const problems = new Problems(`route ${name === "" ? index : JSON.stringify(name)}`);
  const complain = (problem: string) => problems.add(problem);
  if (!isObject) complain("not an object");

  const type = fields.text("type");
  if (type === "tcp" || type === "sni") {
    complain(`${type} routes are not supported: there is no TCP router yet; remove the route`);
  } else if (type !== "" && type !== "http") {
    complain(`unknown type: ${type}`);
  }
  if (name === "") complain("no name");
  const host = fields.text("host") || globalHost;
  if (host === "") complain("no host");

  const port = fields.port("port", complain);
  const tlsPort = fields.port("tls_port", complain);
  if (!fields.has("port") && !fields.has("tls_port") && !fields.has("sni_port")) complain("no port");

  const protocol = fields.text("protocol");
  if (!["", "http1", "http2"].includes(protocol)) complain(`unknown protocol: ${protocol}`);
  const uris = readUris(fields, complain);
  const tags = fields.textMap("tags");

  const routeServiceUrl = fields.text("route_service_url");
  if (routeServiceUrl !== "" && !URL.canParse(routeServiceUrl)) {
    complain(`parse ${JSON.stringify(routeServiceUrl)}: invalid route_service_url`);
  }
  const registrationIntervalMs = readInterval(fields.text("registration_interval"), complain);
  const healthCheck = fields.has("health_check")
    ? readHealthCheck(new Fields(fields.object("health_check")), registrationIntervalMs, complain)
    : null;
  const options = readOptions(fields.object("options"), complain);

  fields.reportTypes(complain);
  if (problems.count > 0) return { route: null, problems };
  const serverCertDomainSan = fields.text("server_cert_domain_san");
  return {
    problems,
    route: {
      name,
      uris,
      registrationIntervalMs: registrationIntervalMs ?? 0,
      host,
      ...(port !== null && { port }),
      ...(tlsPort !== null && { tlsPort }),
      ...(serverCertDomainSan !== "" && { serverCertDomainSan }),
      ...(protocol !== "" && { protocol: protocol === "http2" ? "http2" : "http1" }),
      ...(Object.keys(tags).length > 0 && { tags }),
      ...(routeServiceUrl !== "" && { routeServiceUrl }),
      ...(options !== null && { options }),
      ...(fields.has("allowed_sources") && { allowedSources: fields.object("allowed_sources") }),
      ...(healthCheck !== null && { healthCheck }),
    },
  };
}

function readUris(fields: Fields, complain: (problem: string) => void): readonly string[] {
  const uris = fields.texts("uris");
  if (uris?.length === 0) complain("no URIs");
  if (uris?.includes("")) complain("empty URIs");
  return uris ?? [];
}

function readInterval(text: string, complain: (problem: string) => void): number | null {
  if (text === "") {
    complain("no registration_interval");
    return null;
  }
  const parsed = parseGoDuration(text);
  if ("problem" in parsed) complain(`invalid registration_interval: ${parsed.problem}`);
  else if (parsed.ms <= 0) complain("invalid registration_interval: interval must be greater than 0");
  else return parsed.ms;
  return null;
}

function readHealthCheck(
  fields: Fields,
  intervalMs: number | null,
  complain: (problem: string) => void,
): HealthCheck | null {
  const name = fields.text("name");
  const scriptPath = fields.text("script_path");
  const timeout = fields.text("timeout");
  if (name === "") complain("no name");
  if (scriptPath === "") complain("no script_path");
  fields.reportTypes(complain);
  if (timeout === "" && intervalMs !== null) return { name, scriptPath, timeoutMs: intervalMs / 2 };
  const parsed = parseGoDuration(timeout);
  if ("problem" in parsed) complain(`invalid healthcheck timeout: ${parsed.problem}`);
  else if (parsed.ms <= 0) complain(`invalid healthcheck timeout: ${printGoDuration(parsed.ms)}`);
  else if (intervalMs !== null && parsed.ms >= intervalMs) {
    complain(
      `invalid healthcheck timeout: ${printGoDuration(parsed.ms)} must be less than the registration interval: ${printGoDuration(intervalMs)}`,
    );
  } else return { name, scriptPath, timeoutMs: parsed.ms };
  return null;
}

/** The platform's job calls the algorithm `lb_algo`, its binary `loadbalancing`; both are meant. */
function readOptions(
  options: Json,
  complain: (problem: string) => void,
): Readonly<Record<string, unknown>> | null {
  const loadbalancing = options["loadbalancing"] ?? options["lb_algo"];
  if (loadbalancing === undefined || loadbalancing === "") return null;
  if (!LOADBALANCING.includes(String(loadbalancing))) {
    complain(
      `unknown load balancing algorithm: ${String(loadbalancing)}. Allowed values: [${LOADBALANCING.join(" ")}]`,
    );
  }
  return { loadbalancing };
}
