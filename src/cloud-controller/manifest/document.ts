/**
 * A manifest as users write it → what it asks for. Everything that can be said without looking at a row is said here, all
 * at once, in upstream's words, each sentence naming its application.
 */
import { messageParseError, unprocessable, wrongContentType } from "../../kernel/errors/cloud-controller.ts";
import type { CloudControllerConfig } from "../config.ts";
import { metadataProblems } from "../metadata.ts";
import type { Payload } from "../endpoint.ts";
import { variableProblems } from "../resources/apps.ts";
import { HEALTH_ENDPOINT, instanceProblems } from "../resources/processes.ts";
import { MAX_INTEGER, NAME } from "../schema.ts";
import { parseMegabytes, SIZE_PROBLEM } from "./sizes.ts";
import { readYaml } from "./yaml.ts";

export interface Manifest {
  readonly applications: readonly ManifestApp[];
  /** As written, for comparing: entry i belongs to application i. */
  readonly raw: readonly RawMap[];
  readonly warnings: readonly string[];
  /** What is wrong with any of them; the caller knows what is wrong besides, and refuses it all together. */
  readonly problems: readonly string[];
}

export type RawMap = Readonly<Record<string, unknown>>;

/** What is undefined is not mentioned, and stays as it is. */
export interface ManifestApp {
  readonly name: string;
  readonly processes: readonly ManifestProcess[];
  readonly environment: Readonly<Record<string, string>> | undefined;
  readonly metadata: RawMap | undefined;
  readonly buildpacks: readonly string[] | undefined;
  readonly stack: string | undefined;
  readonly routes: readonly ManifestRoute[] | undefined;
  readonly noRoute: boolean;
  readonly randomRoute: boolean;
  readonly defaultRoute: boolean;
  readonly services: readonly string[];
}

export interface ManifestProcess {
  readonly type: string;
  /** Null takes the droplet's again. */
  readonly command: string | null | undefined;
  readonly instances: number | undefined;
  readonly memoryMb: number | undefined;
  readonly diskMb: number | undefined;
  readonly logRateBytes: number | undefined;
  readonly healthCheck: ManifestHealthCheck | undefined;
  readonly readinessHealthCheck: ManifestHealthCheck | undefined;
}

export interface ManifestHealthCheck {
  readonly type?: "port" | "http" | "process";
  readonly data: Readonly<Record<string, unknown>>;
}

export interface ManifestRoute {
  /** As written; it is the route's name in every sentence. */
  readonly route: string;
  /** Host and domain, lower-case. */
  readonly name: string;
  readonly port: number | null;
  readonly path: string;
  readonly protocol: "http1" | "http2" | "tcp" | null;
  /** Checked where the route's present options are known. */
  readonly options: unknown;
}

/** A scheme, a name of two labels or more, of which the first may be a wildcard, a port, a path. */
const ROUTE = /^(?:[a-z][a-z\d+.-]*:\/\/)?((?:\*|[\w-]+)(?:\.[\w-]+)+)(?::(\d{1,5}))?(\/[^\s?#]*)?$/i;
const PROTOCOLS = ["http1", "http2", "tcp"] as const;
const ENDPOINT = new RegExp(HEALTH_ENDPOINT);
const CHECK_TYPES = ["port", "process", "http"] as const;
const MAX_COMMAND = 4096;

/** Keys of a process, which an application may have itself: they are its web process's then. */
export const PROCESS_KEYS = [
  "command",
  "instances",
  "memory",
  "disk_quota",
  "log-rate-limit-per-second",
  "health-check-type",
  "health-check-http-endpoint",
  "health-check-invocation-timeout",
  "health-check-interval",
  "timeout",
  "readiness-health-check-type",
  "readiness-health-check-http-endpoint",
  "readiness-health-check-invocation-timeout",
  "readiness-health-check-interval",
] as const;
const APP_KEYS = [
  "name",
  "env",
  "metadata",
  "buildpack",
  "buildpacks",
  "stack",
  "routes",
  "no-route",
  "random-route",
  "default-route",
  "services",
  "processes",
] as const;
/** For whoever uploads the files, not for us. */
const CLIENT_KEYS = ["path", "docker-username"] as const;
/** What cannot be had here, with the reason. */
const REFUSED_KEYS: Readonly<Record<string, string>> = {
  docker: "Docker images cannot run here; push a directory instead",
  sidecars: "Sidecars are not supported; start them from the app's command",
  "cnb-credentials": "Cloud Native Buildpacks are not supported",
};

/**
 * @throws wrongContentType, messageParseError, unprocessable where there is no application to speak of
 */
export function readManifest(payload: Payload, config: CloudControllerConfig): Manifest {
  if (!/\byaml\b|\bx-yaml\b/i.test(payload.type)) throw wrongContentType({ wanted: "yaml" });
  const document = parseYaml(payload.text);
  const version = document["version"];
  if (version !== undefined && version !== 1 && version !== "1") {
    refuseAll(["Unsupported manifest schema version. Currently supported versions: [1]."]);
  }
  const given = document["applications"];
  if (!Array.isArray(given) || given.length === 0) {
    throw unprocessable({ problems: ["Cannot parse manifest with no 'applications' field."] });
  }
  const problems: string[] = [];
  const warnings: string[] = [];
  const raw = given.map((each: unknown) => underscoreAliases(isMap(each) ? each : {}));
  const applications = raw.map((each, index) => {
    const own: string[] = [];
    const app = readApp(each, own, warnings, config);
    problems.push(...own.map((problem) => subjectOf(app, index) + problem));
    return app;
  });
  const names = applications.map(({ name }) => name.toLowerCase()).filter((name) => name !== "");
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) problems.push(`For application '${twice}': Name is there twice in the manifest`);
  return { applications, raw, warnings, problems };
}

/** How sentences about an application begin. */
export const subjectOf = ({ name }: Pick<ManifestApp, "name">, index: number): string =>
  name === "" ? `For application at index ${index}: ` : `For application '${name}': `;

function parseYaml(text: string): RawMap {
  let value: unknown;
  try {
    value = readYaml(text);
  } catch (error) {
    const [reason = "invalid request body"] = (error as Error).message.split("\n");
    throw messageParseError({ reason: `invalid manifest: ${reason.replace(/:$/, "")}` }, error);
  }
  if (!isMap(value)) throw messageParseError({ reason: "invalid request body" });
  return value;
}

/** `disk-quota` and `disk_quota`, `no_route` and `no-route`: both are in use, and mean the same. */
function underscoreAliases(app: RawMap): RawMap {
  const known: readonly string[] = [...PROCESS_KEYS, ...APP_KEYS, ...CLIENT_KEYS];
  return Object.fromEntries(
    Object.entries(app).map(([key, value]) => {
      const proper = known.find((each) => each.replaceAll("_", "-") === key.replaceAll("_", "-")) ?? key;
      const isProcesses = proper === "processes" && Array.isArray(value);
      return [
        proper,
        isProcesses ? value.map((each: unknown) => (isMap(each) ? underscoreAliases(each) : each)) : value,
      ];
    }),
  );
}

function readApp(
  app: RawMap,
  problems: string[],
  warnings: string[],
  config: CloudControllerConfig,
): ManifestApp {
  const name = typeof app["name"] === "string" ? app["name"] : "";
  if (name === "") problems.push("Name must not be empty");
  else if (name.length > 255) problems.push("Name is too long (maximum is 255 characters)");
  else if (!NAME.test(name)) {
    problems.push("Name must have a character that is no space, and no control characters");
  }
  const known: readonly string[] = [...PROCESS_KEYS, ...APP_KEYS, ...CLIENT_KEYS];
  for (const key of Object.keys(app)) {
    const reason = Object.hasOwn(REFUSED_KEYS, key) ? REFUSED_KEYS[key] : undefined;
    if (reason !== undefined) problems.push(reason);
    else if (key === "lifecycle" && app[key] !== "buildpack") problems.push("Lifecycle must be 'buildpack'");
    else if (key !== "lifecycle" && !known.includes(key)) {
      warnings.push(`For application '${name}': the key '${key}' is unknown and has no effect`);
    }
  }
  const flag = (key: string, label: string) => {
    const value = app[key];
    if (value !== undefined && typeof value !== "boolean") problems.push(`${label} must be a boolean`);
    return value === true;
  };
  const noRoute = flag("no-route", "No-route");
  const randomRoute = flag("random-route", "Random-route");
  const defaultRoute = flag("default-route", "Default-route");
  if (randomRoute && defaultRoute) problems.push("Random-route and default-route may not be used together");
  problems.push(...metadataProblems(app["metadata"]));
  return {
    name,
    processes: readProcesses(app, problems, config),
    environment: readEnvironment(app["env"], problems),
    metadata: isMap(app["metadata"]) ? app["metadata"] : undefined,
    buildpacks: readBuildpacks(app, problems),
    stack: readText(app["stack"], "Stack", problems),
    routes: readRoutes(app["routes"], problems),
    noRoute,
    randomRoute,
    defaultRoute,
    services: readServices(app["services"], problems),
  };
}

// --- processes ---

function readProcesses(app: RawMap, problems: string[], config: CloudControllerConfig): ManifestProcess[] {
  const given = app["processes"] ?? [];
  if (!Array.isArray(given) || !given.every(isMap)) {
    problems.push("Processes must be an array of process configurations");
    return [];
  }
  const types = given.map((each) => (typeof each["type"] === "string" ? each["type"] : ""));
  if (types.includes("")) problems.push("All Processes must specify a type");
  const twice = types.find((type, i) => types.indexOf(type) < i);
  if (twice !== undefined) problems.push(`Process "${twice}" may only be present once`);
  // What an application says itself counts for its web process; what that process says counts more.
  const top = Object.fromEntries(PROCESS_KEYS.flatMap((key) => (key in app ? [[key, app[key]]] : [])));
  const named = new Map<string, RawMap>(given.map((each, i) => [types[i] ?? "", each]));
  if (Object.keys(top).length > 0) named.set("web", { ...top, ...named.get("web") });
  return [...named].map(([type, process]) => readProcess(type, process, problems, config));
}

function readProcess(
  type: string,
  process: RawMap,
  problems: string[],
  config: CloudControllerConfig,
): ManifestProcess {
  const complain = (sentence: string) => problems.push(`Process "${type}": ${sentence}`);
  const whole = (key: string, label: string, minimum: number) => {
    const value = process[key];
    if (value === undefined || value === null) return undefined;
    if (typeof value === "number" && Number.isInteger(value) && value >= minimum && value <= MAX_INTEGER) {
      return value;
    }
    complain(`${label} must be an integer greater than or equal to ${minimum}`);
    return undefined;
  };
  const megabytes = (key: string, label: string) => {
    const value = process[key];
    if (value === undefined) return undefined;
    const size = parseMegabytes(value);
    if (size === null) complain(`${label} ${SIZE_PROBLEM}`);
    else if (size <= 0 || size > MAX_INTEGER) complain(`${label} must be greater than 0MB`);
    return size ?? undefined;
  };
  const instances = whole("instances", "Instances", 0);
  for (const problem of instanceProblems(instances, config)) complain(problem);
  return {
    type,
    command: readCommand(process["command"], complain),
    instances,
    memoryMb: megabytes("memory", "Memory"),
    diskMb: megabytes("disk_quota", "Disk quota"),
    logRateBytes: readLogRate(process["log-rate-limit-per-second"], complain),
    healthCheck: readHealthCheck(process, "health-check", "Health check", complain, {
      timeout: whole("timeout", "Timeout", 1),
      invocation_timeout: whole("health-check-invocation-timeout", "Health check invocation timeout", 1),
      interval: whole("health-check-interval", "Health check interval", 1),
    }),
    readinessHealthCheck: readHealthCheck(
      process,
      "readiness-health-check",
      "Readiness health check",
      complain,
      {
        invocation_timeout: whole(
          "readiness-health-check-invocation-timeout",
          "Readiness health check invocation timeout",
          1,
        ),
        interval: whole("readiness-health-check-interval", "Readiness health check interval", 1),
      },
    ),
  };
}

function readCommand(value: unknown, complain: (sentence: string) => void): string | null | undefined {
  if (value === undefined) return undefined;
  // Both words have meant «as it was staged» since the first cf CLI.
  if (value === null || value === "null" || value === "default") return null;
  if (typeof value === "string" && value !== "" && value.length <= MAX_COMMAND) return value;
  complain(`Command must be between 1 and ${MAX_COMMAND} characters`);
  return undefined;
}

function readLogRate(value: unknown, complain: (sentence: string) => void): number | undefined {
  if (value === undefined) return undefined;
  if (value === -1 || value === "-1" || value === "-1B") return -1;
  if (value === 0 || value === "0") return 0;
  const size = parseMegabytes(value);
  if (size === null) complain(`Log rate limit per second ${SIZE_PROBLEM}`);
  return size === null ? undefined : Math.round(size * 2 ** 20);
}

function readHealthCheck(
  process: RawMap,
  key: string,
  label: string,
  complain: (sentence: string) => void,
  times: Readonly<Record<string, number | undefined>>,
): ManifestHealthCheck | undefined {
  const written = process[`${key}-type`];
  // «none» is the old word for a check of the process alone.
  const type = CHECK_TYPES.find((each) => each === (written === "none" ? "process" : written));
  if (written !== undefined && type === undefined) {
    complain(`${label} type must be "port", "process", or "http"`);
  }
  const endpoint = process[`${key}-http-endpoint`];
  if (endpoint !== undefined) {
    if (typeof endpoint !== "string" || !ENDPOINT.test(endpoint) || endpoint.length > 255) {
      complain(`${label} HTTP endpoint must be a valid URI path`);
    } else if (type !== undefined && type !== "http") {
      complain(`${label} type must be "http" to set a health check HTTP endpoint`);
    }
  }
  const data = Object.fromEntries(
    Object.entries({ ...times, endpoint }).filter(([, value]) => value !== undefined),
  );
  if (type === undefined && Object.keys(data).length === 0) return undefined;
  return { ...(type !== undefined && { type }), data };
}

// --- the rest ---

function readEnvironment(value: unknown, problems: string[]): ManifestApp["environment"] {
  if (value === undefined || value === null) return undefined;
  if (!isMap(value)) {
    problems.push("Env must be an object of keys and values");
    return undefined;
  }
  // YAML has numbers, truth values and lists where an environment has text.
  const texts = Object.fromEntries(Object.entries(value).map(([key, each]) => [key, asText(each)]));
  problems.push(...variableProblems("Env", texts, "refused"));
  return texts;
}

function asText(value: unknown): string {
  if (typeof value === "object" && value !== null) return JSON.stringify(value);
  return value === null ? "" : String(value);
}

function readBuildpacks(app: RawMap, problems: string[]): readonly string[] | undefined {
  const { buildpack, buildpacks = buildpack === undefined ? undefined : [buildpack] } = app;
  if (buildpacks === undefined) return undefined;
  const all = Array.isArray(buildpacks) ? buildpacks : [buildpacks];
  // Null and «default» mean: whichever fits.
  const named = all.filter((each) => each !== null && each !== "null" && each !== "default");
  if (named.every((each) => typeof each === "string")) return named;
  problems.push("Buildpacks must be an array of strings");
  return undefined;
}

function readText(value: unknown, label: string, problems: string[]): string | undefined {
  if (value === undefined || value === null || typeof value === "string") return value ?? undefined;
  problems.push(`${label} must be a string`);
  return undefined;
}

function readServices(value: unknown, problems: string[]): readonly string[] {
  if (value === undefined || value === null) return [];
  const names = Array.isArray(value)
    ? value.map((each: unknown) => (isMap(each) ? each["name"] : each))
    : [undefined];
  if (names.every((name) => typeof name === "string")) return names;
  problems.push("Services must be a list of service instance names");
  return [];
}

function readRoutes(value: unknown, problems: string[]): readonly ManifestRoute[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value) || !value.every((each) => isMap(each) && typeof each["route"] === "string")) {
    problems.push("Routes must be a list of route objects");
    return undefined;
  }
  return value.map((each: RawMap) => {
    const route = String(each["route"]);
    const [, name, port, path = ""] = ROUTE.exec(route) ?? [];
    if (name === undefined || Number(port ?? 0) > 65_535) {
      problems.push(`The route '${route}' is not a properly formed URL`);
    }
    const protocol = each["protocol"] ?? null;
    const known = PROTOCOLS.find((word) => word === protocol) ?? null;
    if (protocol !== null && known === null) {
      problems.push("Route protocol must be 'http1', 'http2' or 'tcp'.");
    }
    return {
      route,
      name: (name ?? "").toLowerCase(),
      port: port === undefined ? null : Number(port),
      path: path === "/" ? "" : path,
      protocol: known,
      options: each["options"] ?? undefined,
    };
  });
}

/** @throws unprocessable */
export function refuseAll(problems: readonly string[]): void {
  if (problems.length > 0) throw unprocessable({ problems });
}

export const isMap = (value: unknown): value is RawMap =>
  typeof value === "object" && value !== null && !Array.isArray(value);
