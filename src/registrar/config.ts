/**
 * route-registrar's configuration file: JSON with its keys, its defaults and its complaints, word for word. Like Go's
 * decoder, it takes no notice of keys it does not know.
 */
import { registrarConfigInvalid } from "../kernel/errors/registrar.ts";
import { Problems } from "./problems.ts";
import { readRoute } from "./route-schema.ts";
import type { RegistrarRoute } from "./types.ts";

const UNREGISTRATION_MESSAGE_LIMIT = 5;

export interface MessageBusServer {
  /** `host:port` */
  readonly host: string;
  readonly user: string;
  readonly password: string;
}

export interface RegistrarConfig {
  readonly messageBusServers: readonly MessageBusServer[];
  /** Paths; null speaks TLS only when the server insists. */
  readonly natsTls: { readonly certPath: string; readonly keyPath: string; readonly caPath: string } | null;
  readonly host: string;
  readonly availabilityZone: string;
  readonly unregistrationMessageLimit: number;
  /** Route files that other jobs write, scanned while the registrar runs. */
  readonly dynamicConfigGlobs: readonly string[];
  readonly routes: readonly RegistrarRoute[];
}

/**
 * @param path  Only for messages.
 * @throws registrarConfigInvalid with every problem
 */
export function loadRegistrarConfig(text: string, path: string): RegistrarConfig {
  const problems = new Problems("config");
  const json = parseJson(text, path);

  const host = textIn(json, "host");
  const listed = Array.isArray(json["routes"]) ? json["routes"] : [];
  const routes = listed.flatMap((item: unknown, index) => {
    const read = readRoute(item, index, host);
    problems.add(read.problems);
    return read.route === null ? [] : [read.route];
  });

  const limit = json["unregistration_message_limit"] ?? UNREGISTRATION_MESSAGE_LIMIT;
  const isLimit = typeof limit === "number" && Number.isInteger(limit) && limit > 0;
  if (!isLimit) problems.add("unregistration_message_limit must be a positive integer");

  const messageBusServers = objectsIn(json, "message_bus_servers").map((server) => ({
    host: textIn(server, "host"),
    user: textIn(server, "user"),
    password: textIn(server, "password"),
  }));
  if (messageBusServers.length === 0 && listed.length > 0) {
    problems.add("message_bus_servers must have at least one entry");
  }
  if (problems.count > 0) throw registrarConfigInvalid({ path, tree: problems.toString() });

  const mtls = objectIn(json, "nats_mtls_config");
  return Object.freeze({
    messageBusServers,
    natsTls:
      mtls["enabled"] === true
        ? {
            certPath: textIn(mtls, "cert_path"),
            keyPath: textIn(mtls, "key_path"),
            caPath: textIn(mtls, "ca_path"),
          }
        : null,
    host,
    availabilityZone: textIn(json, "availability_zone"),
    unregistrationMessageLimit: Number(limit),
    dynamicConfigGlobs: textsIn(json, "dynamic_config_globs"),
    routes,
  });
}

type Json = Readonly<Record<string, unknown>>;

function parseJson(text: string, path: string): Json {
  const refuse = (problem: string): never => {
    throw registrarConfigInvalid({ path, tree: `${path}: ${problem}` });
  };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return refuse(`not JSON: ${(error as Error).message}`);
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) return refuse("not a JSON object");
  return json as Json;
}

function objectIn(json: Json, key: string): Json {
  const value = json[key];
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function objectsIn(json: Json, key: string): readonly Json[] {
  const value = json[key];
  return Array.isArray(value) ? value.filter((item) => typeof item === "object" && item !== null) : [];
}

function textIn(json: Json, key: string): string {
  const value = json[key];
  return typeof value === "string" ? value : "";
}

function textsIn(json: Json, key: string): readonly string[] {
  const value = json[key];
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}
