/**
 * A Cloud Controller in one file for the tests of this room: as much of v3 as the commands use, in memory, over
 * real HTTP. What it accepts and answers follows the v3 reference; what it does not know it refuses.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Host } from "./output.ts";

type Json = Record<string, unknown>;
interface Refusal {
  readonly status: number;
  readonly code: number;
  readonly details: readonly string[];
}

export interface FakeApi {
  readonly url: string;
  readonly password: string;
  /** `POST /v3/apps`, in order; tokens and reads left out. */
  readonly writes: string[];
  readonly apps: Map<string, Json>;
  readonly routes: Map<string, Json>;
  readonly processes: Map<string, Json>;
  /** State and details of every instance from now on. */
  instanceState: { state: string; details: string | null };
  /** Tokens given so far become invalid. */
  expireTokens(options?: { refreshTokensToo: boolean }): void;
  /** `password`, `refresh_token`: grants used so far. */
  readonly grants: string[];
  /** Why no token is given; "" gives them. */
  uaaTrouble: string;
  /** Added to every answer. */
  warnings: string;
  /** Calls that are refused with a 422: their method and path. */
  refusing: RegExp | null;
}

const SPACE = { guid: "space-1", name: "dev", relationships: { organization: { data: { guid: "org-1" } } } };
const ORGANIZATION = { guid: "org-1", name: "acme" };
const domain = (name: string, extra: Json = {}): Json => ({
  guid: `domain-${name}`,
  name,
  internal: false,
  router_group: null,
  relationships: { organization: { data: null } },
  ...extra,
});
const DOMAINS = [
  domain("localhost"),
  domain("eu.localhost"),
  domain("apps.internal", { internal: true }),
  domain("tcp.localhost", { router_group: { guid: "group-1" } }),
];
const OPTIONS = [
  {
    name: "loadbalancing",
    summary: "Which endpoint serves next.",
    examples: [{ value: "least-connection" }],
  },
];

export async function startFakeApi(t: TestContext): Promise<FakeApi> {
  let valid = "0";
  let validRefresh = "refresh-0";
  let guids = 0;
  const fake: FakeApi = {
    url: "",
    password: "s3cret",
    writes: [],
    apps: new Map(),
    routes: new Map(),
    processes: new Map(),
    instanceState: { state: "RUNNING", details: null },
    grants: [],
    uaaTrouble: "",
    warnings: "",
    refusing: null,
    expireTokens({ refreshTokensToo } = { refreshTokensToo: false }) {
      valid = "none";
      if (refreshTokensToo) validRefresh = "none";
    },
  };

  const token = (body: string): Json => {
    const form = new URLSearchParams(body);
    fake.grants.push(form.get("grant_type") ?? "");
    const isGood =
      form.get("grant_type") === "refresh_token"
        ? form.get("refresh_token") === validRefresh
        : form.get("password") === fake.password;
    if (fake.uaaTrouble !== "") {
      return { status: 503, error: "temporarily_unavailable", error_description: fake.uaaTrouble };
    }
    if (!isGood) return { status: 401, error: "unauthorized", error_description: "Bad credentials" };
    valid = `access-${fake.grants.length}`;
    validRefresh = `refresh-${fake.grants.length}`;
    return { access_token: valid, refresh_token: validRefresh, token_type: "bearer", expires_in: 599 };
  };

  const newGuid = (kind: string) => `${kind}-${++guids}`;
  const api = routesOf(fake, newGuid);

  const server = createServer(async (request, response) => {
    const body = await readBody(request);
    const url = new URL(request.url ?? "/", "http://localhost");
    const send = (status: number, json: unknown, headers: Record<string, string> = {}) => {
      response.writeHead(status, {
        "content-type": "application/json",
        ...(fake.warnings === "" ? {} : { "x-cf-warnings": fake.warnings }),
        ...headers,
      });
      response.end(json === null ? "" : JSON.stringify(json));
    };
    if (url.pathname === "/") return send(200, { links: { login: { href: `${fake.url}/uaa` } } });
    if (url.pathname === "/uaa/oauth/token") {
      const answer = token(body);
      return send(typeof answer["status"] === "number" ? answer["status"] : 200, answer);
    }
    if (request.headers.authorization !== `bearer ${valid}`) {
      return send(401, errorBody({ status: 401, code: 1000, details: ["Invalid Auth Token"] }));
    }
    const method = request.method ?? "GET";
    if (method !== "GET") fake.writes.push(`${method} ${url.pathname}`);
    const call = `${method} ${url.pathname}`;
    const answer = fake.refusing?.test(call)
      ? ({ status: 422, code: 10008, details: [`no ${call}`] } satisfies Refusal)
      : api(method, url, body === "" ? {} : (JSON.parse(body) as Json));
    if (isRefusal(answer)) return send(answer.status, errorBody(answer));
    if (answer === "job") return send(202, null, { location: `${fake.url}/v3/jobs/job-1` });
    return send(200, answer);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close().closeAllConnections());
  return Object.assign(fake, { url: `http://localhost:${(server.address() as AddressInfo).port}` });
}

function routesOf(fake: FakeApi, newGuid: (kind: string) => string) {
  const { apps, routes, processes } = fake;
  const refuse = (code: number, ...details: string[]): Refusal => ({
    status: code === 10010 ? 404 : 422,
    code,
    details,
  });

  return (method: string, url: URL, body: Json): unknown => {
    const [, , kind = "", guid = "", sub = "", last = ""] = url.pathname.split("/");
    const one = `${method} ${kind}${guid === "" ? "" : "/:guid"}${sub === "" ? "" : `/${sub}`}`;
    const app = apps.get(guid);
    const route = routes.get(guid);
    const process = processes.get(guid);
    switch (one) {
      case "GET info":
        return { name: "fake", build: "1" };
      case "GET organizations":
        return page([ORGANIZATION]);
      case "GET spaces":
        return page([SPACE]);
      case "GET spaces/:guid":
        return guid === SPACE.guid ? SPACE : refuse(10010, "Space not found");
      case "GET domains":
        return page(DOMAINS);
      case "GET jobs/:guid":
        return { state: "COMPLETE", errors: [] };
      case "GET viaduct/:guid":
        return guid === "options" ? page(OPTIONS) : refuse(10010, "Unknown request");
      case "GET viaduct/:guid/" + sub: {
        if (guid === "routes") return { live: true, current: 2, readers: 2 };
        const lines = [
          {
            timestamp: "1767225600000000000",
            stream: "out",
            source: "APP/PROC/WEB",
            instance_index: 0,
            text: "hi\u001b[2J",
          },
        ];
        return last === "recent_logs" ? page(lines) : refuse(10010, "Unknown request");
      }
      case "GET apps": {
        const names = url.searchParams.get("names")?.split(",").map(decodeURIComponent);
        return page(
          [...apps.values()].filter((a) => names === undefined || names.includes(String(a["name"]))),
        );
      }
      case "POST apps": {
        const made = { guid: newGuid("app"), state: "STOPPED", ...body };
        apps.set(made.guid, made);
        processes.set(made.guid, {
          guid: made.guid,
          type: "web",
          command: null,
          instances: 1,
          memory_in_mb: 256,
          health_check: { type: "port" },
        });
        return made;
      }
      case "PATCH apps/:guid":
        return Object.assign(app ?? {}, body);
      case "DELETE apps/:guid":
        apps.delete(guid);
        return "job";
      case "GET apps/:guid/environment_variables":
        return { var: app?.["environment_variables"] ?? {} };
      case "PATCH apps/:guid/environment_variables":
        Object.assign(app ?? {}, {
          environment_variables: { ...(app?.["environment_variables"] as Json), ...(body["var"] as Json) },
        });
        return {};
      case "GET apps/:guid/processes":
        return process ?? refuse(10010, "Process not found");
      case "GET apps/:guid/routes":
        return page(
          [...routes.values()].filter((r) => JSON.stringify(r["destinations"]).includes(`"${guid}"`)),
        );
      case "POST apps/:guid/actions":
        return Object.assign(app ?? {}, { state: last === "stop" ? "STOPPED" : "STARTED" });
      case "PATCH processes/:guid":
      case "POST processes/:guid/actions":
        return Object.assign(process ?? {}, body);
      case "GET processes/:guid/stats": {
        const count = apps.get(guid)?.["state"] === "STARTED" ? Number(process?.["instances"]) : 0;
        return page(
          Array.from({ length: count }, (_, index) => ({
            type: "web",
            index,
            ...fake.instanceState,
            host: "127.0.0.1",
            instance_ports: [{ external: 61_000 + index, internal: 8080 }],
            uptime: 3_725,
          })),
        );
      }
      case "GET routes":
        return page([...routes.values()].filter((r) => matches(r, url.searchParams)));
      case "POST routes":
        return addRoute(routes, newGuid("route"), body, refuse);
      case "PATCH routes/:guid": {
        const merged = { ...(route?.["options"] as Json), ...(body["options"] as Json) };
        const options = Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null));
        return checkOptions(options, refuse) ?? Object.assign(route ?? {}, { options });
      }
      case "DELETE routes/:guid":
        routes.delete(guid);
        return "job";
      case "POST routes/:guid/destinations": {
        const destinations = route?.["destinations"] as Json[];
        for (const added of body["destinations"] as Json[]) {
          const { guid: appGuid } = added["app"] as { guid: string };
          if (destinations.some((d) => (d["app"] as Json)["guid"] === appGuid)) continue;
          destinations.push({
            guid: newGuid("destination"),
            app: { guid: appGuid, process: { type: "web" } },
            port: added["port"] ?? 8080,
            weight: null,
            protocol: "http1",
          });
        }
        return { destinations };
      }
      case "DELETE routes/:guid/destinations": {
        const destinations = route?.["destinations"] as Json[];
        const at = destinations.findIndex((d) => d["guid"] === last);
        destinations.splice(at, 1);
        return {};
      }
      default:
        return { status: 404, code: 10_000, details: ["Unknown request"] } satisfies Refusal;
    }
  };
}

function addRoute(
  routes: Map<string, Json>,
  guid: string,
  body: Json,
  refuse: (code: number, ...details: string[]) => Refusal,
): unknown {
  const { domain: to } = body["relationships"] as { domain: { data: { guid: string } } };
  const name = to.data.guid.replace("domain-", "");
  const host = String(body["host"] ?? "");
  const path = String(body["path"] ?? "");
  const options = (body["options"] ?? {}) as Json;
  const isTcp = body["port"] !== undefined;
  const made = {
    guid,
    host,
    path,
    port: body["port"] ?? null,
    protocol: isTcp ? "tcp" : "http",
    url: isTcp ? `${name}:${String(body["port"])}` : `${host === "" ? "" : `${host}.`}${name}${path}`,
    options,
    destinations: [],
    relationships: body["relationships"],
    domain: to.data.guid,
  };
  const refused = checkOptions(options, refuse);
  if (refused === null) routes.set(guid, made);
  return refused ?? made;
}

function checkOptions(
  options: Json,
  refuse: (code: number, ...details: string[]) => Refusal,
): Refusal | null {
  const unknown = Object.keys(options).filter((key) => key !== "loadbalancing");
  if (unknown.length === 0) return null;
  return refuse(10008, ...unknown.map((key) => `Options Unknown field(s): '${key}'`));
}

function matches(route: Json, query: URLSearchParams): boolean {
  const fits = (parameter: string, value: unknown) =>
    query.get(parameter)?.split(",").map(decodeURIComponent).includes(String(value)) ?? true;
  return (
    fits("domain_guids", route["domain"]) && fits("hosts", route["host"]) && fits("paths", route["path"])
  );
}

const page = (resources: readonly unknown[]) => ({
  pagination: { next: null, total_results: resources.length },
  resources,
});
const isRefusal = (answer: unknown): answer is Refusal =>
  typeof answer === "object" && answer !== null && "details" in answer && "status" in answer;
const errorBody = ({ code, details }: Refusal) => ({
  errors: details.map((detail) => ({ code, title: "CF-Error", detail })),
});

async function readBody(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return text;
}

export interface TestHost extends Host {
  readonly home: string;
  /** What has been written since the last look. */
  readStdout(): string;
  readStderr(): string;
}

/** A machine with its own data folder, where `viaduct up` has left its file when there is an API. */
export function createTestHost(
  t: TestContext,
  api: FakeApi | null,
  environment: Record<string, string> = {},
): TestHost {
  const home = mkdtempSync(join(tmpdir(), "viaduct-cli-"));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  if (api !== null) writeUpFile(home, api);
  const collected = { stdout: "", stderr: "" };
  const sink = (name: "stdout" | "stderr") => ({ write: (text: string) => (collected[name] += text) });
  const read = (name: "stdout" | "stderr") => () => {
    const text = collected[name];
    collected[name] = "";
    return text;
  };
  return {
    home,
    stdout: sink("stdout"),
    stderr: sink("stderr"),
    environment: { VIADUCT_HOME: home, ...environment },
    cwd: "/apps/shop",
    ask: async () => null,
    readStdout: read("stdout"),
    readStderr: read("stderr"),
  };
}

/** What `viaduct up` leaves. */
export function writeUpFile(home: string, { url, password }: FakeApi): void {
  const up = { api: url, uaa: `${url}/uaa`, username: "admin", password, pid: 1 };
  writeFileSync(join(home, "up.json"), JSON.stringify(up));
}
