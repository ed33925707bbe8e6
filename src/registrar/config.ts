/**
 * route-registrar's configuration file: JSON with its keys, its defaults and its complaints, word for word. Like Go's
 * decoder, it takes no notice of keys it does not know.
 */
import { registrarConfigInvalid } from "../kernel/errors/registrar.ts";
import { Fields, isObject, type Json } from "./fields.ts";
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

  const fields = new Fields(json);
  const complain = (problem: string) => problems.add(problem);

  const host = fields.text("host");
  const listed = fields.list("routes");
  const routes = listed.flatMap((item, index) => {
    const read = readRoute(item, index, host);
    problems.add(read.problems);
    return read.route === null ? [] : [read.route];
  });

  const limit = json["unregistration_message_limit"] ?? UNREGISTRATION_MESSAGE_LIMIT;
  const isLimit = typeof limit === "number" && Number.isInteger(limit) && limit > 0;
  if (!isLimit) complain("unregistration_message_limit must be a positive integer");

  const dynamicConfigGlobs = fields.texts("dynamic_config_globs") ?? [];
  const messageBusServers = readServers(fields.list("message_bus_servers"), complain);
  if (messageBusServers.length === 0 && listed.length + dynamicConfigGlobs.length > 0) {
    complain("message_bus_servers must have at least one entry");
  }
  const natsTls = readNatsTls(new Fields(fields.object("nats_mtls_config")), complain);
  const availabilityZone = fields.text("availability_zone");
  fields.reportTypes(complain);
  if (problems.count > 0) throw registrarConfigInvalid({ path, tree: problems.toString() });

  return Object.freeze({
    messageBusServers,
    natsTls,
    host,
    availabilityZone,
    unregistrationMessageLimit: Number(limit),
    dynamicConfigGlobs,
    routes,
  });
}

type Complain = (problem: string) => void;

function readServers(listed: readonly unknown[], complain: Complain): readonly MessageBusServer[] {
  const servers = listed.map((item, index) => {
    const fields = new Fields(isObject(item) ? item : {});
    const [host, user, password] = [fields.text("host"), fields.text("user"), fields.text("password")];
    fields.reportTypes(complain, `message_bus_servers[${index}]: `);
    if (host === "") complain(`message_bus_servers[${index}] has no host`);
    return { host, user, password };
  });
  const [first] = servers;
  if (servers.some(({ user, password }) => user !== first?.user || password !== first.password)) {
    complain(
      "message_bus_servers must all have the same user and password: one client logs in to each of them",
    );
  }
  return servers;
}

function readNatsTls(fields: Fields, complain: Complain): RegistrarConfig["natsTls"] {
  const isEnabled = fields.flag("enabled");
  const path = (key: string) => {
    const value = fields.text(key);
    if (isEnabled && value === "") complain(`nats_mtls_config must have a ${key}`);
    return value;
  };
  const paths = { certPath: path("cert_path"), keyPath: path("key_path"), caPath: path("ca_path") };
  fields.reportTypes(complain, "nats_mtls_config: ");
  return isEnabled ? paths : null;
}

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
  return isObject(json) ? json : refuse("not a JSON object");
}
