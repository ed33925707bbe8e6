/**
 * The official `cf` command line: as a program where there is one, and where there is none as the calls it makes. Both
 * take the same words and answer with an exit code and what a user reads, so that one list of commands runs with either.
 */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { type IncomingHttpHeaders, request } from "node:http";
import { parseArgs, type ParseArgsOptionsConfig } from "node:util";

export interface CfAnswer {
  readonly code: number;
  /** Standard output and standard error. */
  readonly output: string;
}

export interface Cf {
  run(...words: readonly string[]): Promise<CfAnswer>;
}

/** @param home  Where the program keeps its target and tokens. */
export function officialCf(program: string, home: string): Cf {
  return {
    run: (...words) =>
      new Promise((resolve) => {
        const env = { ...process.env, CF_HOME: home, CF_COLOR: "false", LANG: "en_US.UTF-8" };
        execFile(program, words, { env }, (error, stdout, stderr) =>
          resolve({
            code: error === null ? 0 : typeof error.code === "number" ? error.code : 1,
            output: stdout + stderr,
          }),
        );
      }),
  };
}

// --- the same by its calls ---

/** What a command was given besides its name. */
interface Given {
  readonly words: readonly string[];
  readonly flags: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;
}

/** JSON that may be looked into. */
interface Json {
  readonly [key: string]: Json | undefined;
}

interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Ends a command with exit code 1. */
class Failure extends Error {}

const OPTIONS: ParseArgsOptionsConfig = {
  hostname: { type: "string", short: "n" },
  path: { type: "string" },
  port: { type: "string" },
  option: { type: "string", multiple: true },
  "remove-option": { type: "string", multiple: true },
  "destination-protocol": { type: "string" },
  "router-group": { type: "string" },
  internal: { type: "boolean" },
  "org-level": { type: "boolean" },
  labels: { type: "string" },
  force: { type: "boolean", short: "f" },
  org: { type: "string", short: "o" },
  space: { type: "string", short: "s" },
  instances: { type: "string", short: "i" },
  "route-service": { type: "string", short: "r" },
  username: { type: "string", short: "u" },
  password: { type: "string", short: "p" },
  "client-credentials": { type: "boolean" },
  method: { type: "string", short: "X" },
  data: { type: "string", short: "d" },
};

/** Of `cf delete`, where `-r` takes no value. */
const DELETE_OPTIONS: ParseArgsOptionsConfig = {
  force: { type: "boolean", short: "f" },
  routes: { type: "boolean", short: "r" },
};

/** The program's calls in its order, as far as what a user sees depends on them. */
export function replayedCf(): Cf {
  const session = new Session();
  return {
    async run(...words) {
      session.printed.length = 0;
      const [name = "", ...rest] = words;
      const command = COMMANDS[name];
      if (command === undefined) throw new Error(`the replay does not know «cf ${name}»`);
      const options = name === "delete" ? DELETE_OPTIONS : OPTIONS;
      const { values, positionals } = parseArgs({ args: rest, options, allowPositionals: true });
      try {
        await command(session, { words: positionals, flags: values });
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        return { code: 1, output: [...session.printed, error.message, "FAILED"].join("\n") };
      }
      return { code: 0, output: session.printed.join("\n") };
    },
  };
}

/** What the program keeps in `~/.cf/config.json`, and how it calls. */
class Session {
  readonly printed: string[] = [];
  api = "";
  uaa = "";
  routing = "";
  user = "";
  access = "";
  refresh = "";
  org: Json = {};
  space: Json = {};

  print(...lines: readonly string[]): void {
    this.printed.push(...lines);
  }

  /** Once more with a new token when the old one has run out, as the program does. */
  async send(method: string, url: string, body?: string, type = "application/json"): Promise<HttpAnswer> {
    const answer = await this.#sendOnce(method, url, body, type);
    if (answer.status !== 401 || this.refresh === "") return answer;
    await this.grant({ grant_type: "refresh_token", refresh_token: this.refresh });
    return this.#sendOnce(method, url, body, type);
  }

  #sendOnce(method: string, url: string, body: string | undefined, type: string): Promise<HttpAnswer> {
    return http(method, url, body, {
      accept: "application/json",
      ...(this.access !== "" && { authorization: `bearer ${this.access}` }),
      ...(body !== undefined && { "content-type": type }),
    });
  }

  /** A v3 call; what is refused ends the command with the API's words. */
  async call(method: string, path: string, body?: object): Promise<Json> {
    const answer = await this.send(
      method,
      path.startsWith("http") ? path : `${this.api}${path}`,
      body === undefined ? undefined : JSON.stringify(body),
    );
    const json = parse(answer.body);
    if (answer.status >= 300) {
      const errors = (json.errors ?? []) as unknown as readonly { detail: string }[];
      throw new Failure(errors.map(({ detail }) => detail).join("\n") || `status ${answer.status}`);
    }
    if (answer.status === 202 && answer.headers.location !== undefined)
      await this.#poll(answer.headers.location);
    return json;
  }

  async #poll(job: string): Promise<void> {
    for (;;) {
      const { state, errors } = await this.call("GET", job);
      if (String(state) === "COMPLETE") return;
      if (String(state) === "FAILED") throw new Failure(JSON.stringify(errors));
    }
  }

  /** All pages, as many at once as there may be. */
  async list(path: string, query: Readonly<Record<string, string>> = {}): Promise<readonly Json[]> {
    const found: Json[] = [];
    const search = new URLSearchParams({ ...query, per_page: "5000" });
    for (let next: string | null = `${path}?${search}`; next !== null; ) {
      const page = await this.call("GET", next);
      found.push(...(page.resources as unknown as readonly Json[]));
      next = page.pagination?.next === null ? null : String(page.pagination?.next?.href);
    }
    return found;
  }

  async only(path: string, query: Readonly<Record<string, string>>, refusal: string): Promise<Json> {
    const [found] = await this.list(path, query);
    if (found === undefined) throw new Failure(refusal);
    return found;
  }

  async grant(form: Readonly<Record<string, string>>): Promise<void> {
    const answer = await http("POST", `${this.uaa}/oauth/token`, new URLSearchParams(form).toString(), {
      "content-type": "application/x-www-form-urlencoded",
      accept: "application/json",
      ...(form["client_id"] === undefined && {
        authorization: `Basic ${Buffer.from("cf:").toString("base64")}`,
      }),
    });
    const json = parse(answer.body);
    if (answer.status !== 200) throw new Failure(`${json.error_description}`);
    this.access = String(json.access_token);
    this.refresh = json.refresh_token === undefined ? "" : String(json.refresh_token);
  }

  targeted(): { readonly org: Json; readonly space: Json } {
    if (this.org.guid === undefined)
      throw new Failure("No org targeted, use 'cf target -o ORG' to target an org.");
    return { org: this.org, space: this.space };
  }

  domain(name: string): Promise<Json> {
    return this.only("/v3/domains", { names: name }, `Domain '${name}' not found.`);
  }

  organization(name: string): Promise<Json> {
    return this.only("/v3/organizations", { names: name }, `Organization '${name}' not found.`);
  }

  spaceIn(org: Json, name: string): Promise<Json> {
    const query = { names: name, organization_guids: String(org.guid) };
    return this.only("/v3/spaces", query, `Space '${name}' not found.`);
  }

  app(name: string): Promise<Json> {
    const query = { names: name, space_guids: String(this.space.guid) };
    return this.only("/v3/apps", query, `App '${name}' not found.`);
  }

  instance(name: string): Promise<Json> {
    const query = { names: name, space_guids: String(this.space.guid) };
    return this.only("/v3/service_instances", query, `Service instance '${name}' not found.`);
  }

  /** By its parts, as most commands name one. */
  async route(domain: Json, flags: Given["flags"]): Promise<Json> {
    const port = textOf(flags["port"]);
    const query: Record<string, string> =
      port === "" ? { hosts: textOf(flags["hostname"]), paths: textOf(flags["path"]) } : { ports: port };
    const found = await this.list("/v3/routes", { domain_guids: String(domain.guid), ...query });
    const [route] = found;
    if (route === undefined)
      throw new Failure(`Route with ${described(query)} and domain '${domain.name}' not found.`);
    return route;
  }
}

const described = (parts: Readonly<Record<string, string>>) =>
  Object.entries(parts)
    .map(([name, value]) => `${name} '${value}'`)
    .join(", ");
const textOf = (value: Given["flags"][string]) => (typeof value === "string" ? value : "");
const listOf = (value: Given["flags"][string]) => (Array.isArray(value) ? value.map(String) : []);
const parse = (body: string): Json => {
  try {
    return JSON.parse(body) as Json;
  } catch {
    return {};
  }
};

async function http(
  method: string,
  url: string,
  body: string | undefined,
  headers: Readonly<Record<string, string>>,
): Promise<HttpAnswer> {
  const { port, pathname, search, host } = new URL(url);
  const call = request({
    // Every host name of the foundation is this machine.
    host: "127.0.0.1",
    port,
    method,
    path: `${pathname}${search}`,
    headers: { ...headers, host, ...(body !== undefined && { "content-length": Buffer.byteLength(body) }) },
    agent: false,
  });
  call.end(body);
  const [answer] = await once(call, "response");
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return { status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks).toString() };
}

/** `key=value` pairs; a null for what is removed. */
function optionsOf({ flags }: Given): object | undefined {
  const set = listOf(flags["option"]).map((pair) => {
    const [key = "", ...value] = pair.split("=");
    if (value.length === 0) {
      throw new Failure(
        `Route option '${pair}' was specified incorrectly. Please use key-value pair format key=value.`,
      );
    }
    return [key, value.join("=")] as const;
  });
  const removed = listOf(flags["remove-option"]).map((key) => [key, null] as const);
  return set.length + removed.length === 0 ? undefined : Object.fromEntries([...set, ...removed]);
}

const newRoute = (session: Session, domain: Json, given: Given) => {
  const { flags } = given;
  const options = optionsOf(given);
  return session.call("POST", "/v3/routes", {
    ...(flags["hostname"] !== undefined && { host: flags["hostname"] }),
    ...(flags["path"] !== undefined && { path: flags["path"] }),
    ...(flags["port"] !== undefined && { port: Number(flags["port"]) }),
    relationships: {
      space: { data: { guid: session.space.guid } },
      domain: { data: { guid: domain.guid } },
    },
    ...(options !== undefined && { options }),
  });
};

const newRole = (session: Session, type: string, place: object) =>
  session.call("POST", "/v3/roles", {
    type,
    relationships: { user: { data: { username: session.user, origin: "uaa" } }, ...place },
  });

const optionText = (route: Json) =>
  Object.entries(route.options ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(", ");

/** Where the route of `share-route`, `unshare-route` and `move-route` goes. */
async function otherSpace(session: Session, { flags }: Given): Promise<Json> {
  const { org } = session.targeted();
  const other = textOf(flags["org"]);
  return session.spaceIn(other === "" ? org : await session.organization(other), textOf(flags["space"]));
}

async function appAction(session: Session, name: string, action: string): Promise<void> {
  const app = await session.app(name);
  await session.call("POST", `/v3/apps/${app.guid}/actions/${action}`);
  if (action !== "stop") await summary(session, name, "wait");
  session.print("OK");
}

/** What `cf app` shows; waits for the first running instance as `cf start` does. */
async function summary(session: Session, name: string, mode: "look" | "wait"): Promise<void> {
  const app = await session.app(name);
  const states = async () => {
    const { resources } = await session.call("GET", `/v3/processes/${app.guid}/stats`);
    return (resources as unknown as readonly { state: string }[]).map(({ state }) => state);
  };
  let seen = await states();
  while (mode === "wait" && !seen.includes("RUNNING")) seen = await states();
  const routes = await session.list(`/v3/apps/${app.guid}/routes`);
  session.print(
    `name: ${name}`,
    `requested state: ${String(app.state).toLowerCase()}`,
    `routes: ${routes.map((route) => String(route.url)).join(", ")}`,
    `instances: ${seen.filter((state) => state === "RUNNING").length}/${seen.length}`,
  );
}

type Command = (session: Session, given: Given) => Promise<void>;

const COMMANDS: Readonly<Record<string, Command>> = {
  async api(session, { words: [url = ""] }) {
    session.api = url;
    const { links } = await session.call("GET", "/");
    session.api = String(links?.cloud_controller_v3?.href).replace(/\/v3$/, "");
    session.uaa = String(links?.uaa?.href);
    session.routing = String(links?.routing?.href);
    const login = await session.send("GET", `${links?.login?.href}/login`);
    const { prompts } = parse(login.body);
    if (prompts?.username === undefined) throw new Failure("the login server names no prompts");
    session.print(
      `API endpoint: ${session.api}`,
      `API version: ${links?.cloud_controller_v3?.meta?.version}`,
    );
  },
  async auth(session, { words: [user = "", password = ""], flags }) {
    const form: Record<string, string> =
      flags["client-credentials"] === true
        ? { grant_type: "client_credentials", client_id: user, client_secret: password }
        : { grant_type: "password", username: user, password };
    await session.grant(form);
    session.user = user;
    session.print("Authenticating...", "OK");
  },
  async login(session, { flags }) {
    await session.grant({
      grant_type: "password",
      username: textOf(flags["username"]),
      password: textOf(flags["password"]),
    });
    session.user = textOf(flags["username"]);
    const [org] = await session.list("/v3/organizations");
    if (org !== undefined) {
      session.org = org;
      session.space = (await session.list("/v3/spaces", { organization_guids: String(org.guid) }))[0] ?? {};
    }
    session.print("OK");
  },
  async logout(session) {
    const [, claims = ""] = session.access.split(".");
    const { jti } = parse(Buffer.from(claims, "base64url").toString());
    await session.call("DELETE", `${session.uaa}/oauth/token/revoke/${jti}`);
    [session.access, session.refresh] = ["", ""];
    session.print("OK");
  },
  async "oauth-token"(session) {
    await session.grant({ grant_type: "refresh_token", refresh_token: session.refresh });
    session.print(`bearer ${session.access}`);
  },
  async target(session, { flags }) {
    const [org, space] = [textOf(flags["org"]), textOf(flags["space"])];
    if (org !== "") [session.org, session.space] = [await session.organization(org), {}];
    if (space !== "") session.space = await session.spaceIn(session.org, space);
    session.print(`org: ${session.org.name}`, `space: ${session.space.name}`);
  },
  async curl(session, { words: [path = ""], flags }) {
    const method = textOf(flags["method"]) || "GET";
    const data = flags["data"] === undefined ? undefined : textOf(flags["data"]);
    session.print((await session.send(method, `${session.api}${path}`, data)).body);
  },

  async orgs(session) {
    session.print(
      ...(await session.list("/v3/organizations", { order_by: "name" })).map((org) => String(org.name)),
    );
  },
  async "create-org"(session, { words: [name = ""] }) {
    const { guid } = await session.call("POST", "/v3/organizations", { name });
    const place = { organization: { data: { guid } } };
    await newRole(session, "organization_user", place);
    await newRole(session, "organization_manager", place);
    session.print("OK");
  },
  async "delete-org"(session, { words: [name = ""] }) {
    const { guid } = await session.organization(name);
    // With the slash at the end, as the program writes it.
    await session.call("DELETE", `/v3/organizations/${guid}/`);
    session.print("OK");
  },
  async spaces(session) {
    const { org } = session.targeted();
    const query = { organization_guids: String(org.guid), order_by: "name" };
    session.print(...(await session.list("/v3/spaces", query)).map((space) => String(space.name)));
  },
  async "create-space"(session, { words: [name = ""], flags }) {
    const other = textOf(flags["org"]);
    const org = other === "" ? session.targeted().org : await session.organization(other);
    const relationships = { organization: { data: { guid: org.guid } } };
    const { guid } = await session.call("POST", "/v3/spaces", { name, relationships });
    await newRole(session, "organization_user", relationships).catch(() => null);
    for (const role of ["space_manager", "space_developer"])
      await newRole(session, role, { space: { data: { guid } } });
    session.print("OK");
  },
  async "delete-space"(session, { words: [name = ""] }) {
    const { guid } = await session.spaceIn(session.targeted().org, name);
    await session.call("DELETE", `/v3/spaces/${guid}`);
    session.print("OK");
  },

  async domains(session) {
    const { org } = session.targeted();
    for (const domain of await session.list(`/v3/organizations/${org.guid}/domains`)) {
      const kind = domain.relationships?.organization?.data === null ? "shared" : "private";
      const internal = String(domain["internal"]) === "true" ? " true" : "";
      session.print(`${domain.name} ${kind}${internal} ${String(domain["supported_protocols"])}`);
    }
  },
  async "create-shared-domain"(session, { words: [name = ""], flags }) {
    const group = textOf(flags["router-group"]);
    let guid: unknown;
    if (group !== "") {
      const answer = await session.send("GET", `${session.routing}/v1/router_groups?name=${group}`);
      if (answer.status !== 200) throw new Failure(`Router group '${group}' not found.`);
      guid = parse(answer.body)["0"]?.guid;
    }
    await session.call("POST", "/v3/domains", {
      name,
      ...(flags["internal"] === true && { internal: true }),
      ...(guid !== undefined && { router_group: { guid } }),
    });
    session.print("OK");
  },
  async "create-private-domain"(session, { words: [org = "", name = ""] }) {
    const { guid } = await session.organization(org);
    await session.call("POST", "/v3/domains", { name, relationships: { organization: { data: { guid } } } });
    session.print("OK");
  },
  async "delete-shared-domain"(session, { words: [name = ""] }) {
    await session.call("DELETE", `/v3/domains/${(await session.domain(name)).guid}`);
    session.print("OK");
  },
  async "delete-private-domain"(session, { words: [name = ""] }) {
    await session.call("DELETE", `/v3/domains/${(await session.domain(name)).guid}`);
    session.print("OK");
  },
  async "share-private-domain"(session, { words: [org = "", name = ""] }) {
    const { guid } = await session.organization(org);
    const domain = await session.domain(name);
    const path = `/v3/domains/${domain.guid}/relationships/shared_organizations`;
    await session.call("POST", path, { data: [{ guid }] });
    session.print("OK");
  },
  async "unshare-private-domain"(session, { words: [org = "", name = ""] }) {
    const { guid } = await session.organization(org);
    const domain = await session.domain(name);
    await session.call("DELETE", `/v3/domains/${domain.guid}/relationships/shared_organizations/${guid}`);
    session.print("OK");
  },
  async "router-groups"(session) {
    const answer = await session.send("GET", `${session.routing}/v1/router_groups`);
    for (const group of Object.values(parse(answer.body))) session.print(`${group?.name} ${group?.["type"]}`);
  },

  async "create-route"(session, given) {
    const domain = await session.domain(given.words[0] ?? "");
    const route = await newRoute(session, domain, given);
    session.print(`Route ${route.url} has been created.`, "OK");
  },
  async "check-route"(session, { words: [name = ""], flags }) {
    const { guid } = await session.domain(name);
    const search = new URLSearchParams({
      ...(flags["hostname"] !== undefined && { host: textOf(flags["hostname"]) }),
      ...(flags["path"] !== undefined && { path: textOf(flags["path"]) }),
      ...(flags["port"] !== undefined && { port: textOf(flags["port"]) }),
    });
    const answer = await session.call("GET", `/v3/domains/${guid}/route_reservations?${search}`);
    const isTaken = String(answer["matching_route"]) === "true";
    session.print(`Route ${isTaken ? "does" : "does not"} exist.`.replace("Route", `Route '${name}'`), "OK");
  },
  async routes(session, { flags }) {
    const { org, space } = session.targeted();
    const scope: Record<string, string> =
      flags["org-level"] === true
        ? { organization_guids: String(org.guid) }
        : { space_guids: String(space.guid) };
    const labels = textOf(flags["labels"]);
    const found = await session.list("/v3/routes", {
      ...scope,
      ...(labels !== "" && { label_selector: labels }),
    });
    const spaces = [...new Set(found.map((route) => String(route.relationships?.space?.data?.guid)))];
    if (spaces.length > 0) await session.list("/v3/spaces", { guids: spaces.join(",") });
    const bindings = await session.list("/v3/service_route_bindings", {
      route_guids: found.map((route) => String(route.guid)).join(","),
      include: "service_instance",
    });
    const bound = new Set(bindings.map((binding) => String(binding.relationships?.route?.data?.guid)));
    for (const route of found) {
      session.print(
        `${route.url} ${optionText(route)} ${bound.has(String(route.guid)) ? "route service" : ""}`,
      );
    }
  },
  async route(session, given) {
    const domain = await session.domain(given.words[0] ?? "");
    const query = {
      space_guids: String(session.space.guid),
      domain_guids: String(domain.guid),
      hosts: textOf(given.flags["hostname"]),
      paths: textOf(given.flags["path"]),
      // Empty for an HTTP route, and sent all the same.
      ports: textOf(given.flags["port"]),
    };
    const route = await session.only("/v3/routes", query, "Route not found.");
    const { destinations } = await session.call("GET", `/v3/routes/${route.guid}/destinations`);
    session.print(`url: ${route.url}`, `options: ${optionText(route)}`);
    for (const each of Object.values(destinations ?? {})) {
      session.print(`destination: ${each?.app?.guid} ${each?.port} ${each?.["protocol"]}`);
    }
  },
  async "map-route"(session, given) {
    const [name = "", domainName = ""] = given.words;
    const domain = await session.domain(domainName);
    const app = await session.app(name);
    let route: Json;
    try {
      route = await session.route(domain, given.flags);
      const options = optionsOf(given);
      if (options !== undefined) await session.call("PATCH", `/v3/routes/${route.guid}`, { options });
    } catch (error) {
      if (!(error instanceof Failure) || !error.message.startsWith("Route with")) throw error;
      route = await newRoute(session, domain, given);
    }
    const protocol = textOf(given.flags["destination-protocol"]);
    const destination = { app: { guid: app.guid }, ...(protocol !== "" && { protocol }) };
    await session.call("POST", `/v3/routes/${route.guid}/destinations`, { destinations: [destination] });
    session.print(`Mapping route ${route.url} to app ${name}`, "OK");
  },
  async "update-route"(session, given) {
    const domain = await session.domain(given.words[0] ?? "");
    const route = await session.route(domain, given.flags);
    await session.call("PATCH", `/v3/routes/${route.guid}`, { options: optionsOf(given) });
    session.print(`Route ${route.url} has been updated`, "OK");
  },
  async "unmap-route"(session, given) {
    const [name = "", domainName = ""] = given.words;
    const domain = await session.domain(domainName);
    const app = await session.app(name);
    const route = await session.route(domain, given.flags);
    const { destinations } = await session.call("GET", `/v3/routes/${route.guid}/destinations`);
    const mapped = Object.values(destinations ?? {}).find(
      (each) => String(each?.app?.guid) === String(app.guid),
    );
    if (mapped === undefined)
      throw new Failure("Route to be unmapped is not currently mapped to the application.");
    await session.call("DELETE", `/v3/routes/${route.guid}/destinations/${mapped.guid}`);
    session.print("OK");
  },
  async "delete-route"(session, given) {
    const domain = await session.domain(given.words[0] ?? "");
    const route = await session.route(domain, given.flags);
    await session.call("DELETE", `/v3/routes/${route.guid}`);
    session.print("OK");
  },
  async "delete-orphaned-routes"(session) {
    await session.call("DELETE", `/v3/spaces/${session.targeted().space.guid}/routes?unmapped=true`);
    session.print("OK");
  },
  async "share-route"(session, given) {
    const route = await session.route(await session.domain(given.words[0] ?? ""), given.flags);
    const space = await otherSpace(session, given);
    const path = `/v3/routes/${route.guid}/relationships/shared_spaces`;
    await session.call("POST", path, { data: [{ guid: space.guid }] });
    session.print("OK");
  },
  async "unshare-route"(session, given) {
    const route = await session.route(await session.domain(given.words[0] ?? ""), given.flags);
    const space = await otherSpace(session, given);
    await session.call("DELETE", `/v3/routes/${route.guid}/relationships/shared_spaces/${space.guid}`);
    session.print("OK");
  },
  async "move-route"(session, given) {
    const route = await session.route(await session.domain(given.words[0] ?? ""), given.flags);
    const space = await otherSpace(session, given);
    await session.call("PATCH", `/v3/routes/${route.guid}/relationships/space`, {
      data: { guid: space.guid },
    });
    session.print("OK");
  },

  async "create-app"(session, { words: [name = ""] }) {
    const relationships = { space: { data: { guid: session.targeted().space.guid } } };
    await session.call("POST", "/v3/apps", { name, relationships });
    session.print("OK");
  },
  async apps(session) {
    const query = { space_guids: String(session.targeted().space.guid), order_by: "name" };
    const apps = await session.list("/v3/apps", query);
    const guids = apps.map((app) => String(app.guid)).join(",");
    await session.list("/v3/processes", { app_guids: guids, embed: "process_instances" });
    await session.list("/v3/routes", { app_guids: guids });
    for (const app of apps) session.print(`${app.name} ${String(app.state).toLowerCase()}`);
  },
  app: (session, { words: [name = ""] }) => summary(session, name, "look"),
  start: (session, { words: [name = ""] }) => appAction(session, name, "start"),
  stop: (session, { words: [name = ""] }) => appAction(session, name, "stop"),
  restart: (session, { words: [name = ""] }) => appAction(session, name, "restart"),
  async scale(session, { words: [name = ""], flags }) {
    const app = await session.app(name);
    const path = `/v3/apps/${app.guid}/processes/web/actions/scale`;
    await session.call("POST", path, { instances: Number(flags["instances"]) });
    session.print("OK");
  },
  async env(session, { words: [name = ""] }) {
    const { environment_variables: variables } = await session.call(
      "GET",
      `/v3/apps/${(await session.app(name)).guid}/env`,
    );
    for (const [key, value] of Object.entries(variables ?? {})) session.print(`${key}: ${value}`);
  },
  async "set-env"(session, { words: [name = "", key = "", value = ""] }) {
    const path = `/v3/apps/${(await session.app(name)).guid}/environment_variables`;
    await session.call("PATCH", path, { var: { [key]: value } });
    session.print("OK");
  },
  async delete(session, { words: [name = ""], flags }) {
    const app = await session.app(name);
    const routes = flags["routes"] === true ? await session.list(`/v3/apps/${app.guid}/routes`) : [];
    await session.call("DELETE", `/v3/apps/${app.guid}`);
    for (const route of routes) await session.call("DELETE", `/v3/routes/${route.guid}`);
    session.print("OK");
  },

  async "create-user-provided-service"(session, { words: [name = ""], flags }) {
    await session.call("POST", "/v3/service_instances", {
      type: "user-provided",
      name,
      ...(flags["route-service"] !== undefined && { route_service_url: flags["route-service"] }),
      relationships: { space: { data: { guid: session.targeted().space.guid } } },
    });
    session.print("OK");
  },
  async "update-user-provided-service"(session, { words: [name = ""], flags }) {
    const { guid } = await session.instance(name);
    const path = `/v3/service_instances/${guid}`;
    await session.call("PATCH", path, { route_service_url: flags["route-service"] });
    session.print("OK");
  },
  async services(session) {
    const instances = await session.list("/v3/service_instances", {
      space_guids: String(session.targeted().space.guid),
      order_by: "name",
      "fields[service_plan]": "guid,name,relationships.service_offering",
      "fields[service_plan.service_offering]": "guid,name,relationships.service_broker",
      "fields[service_plan.service_offering.service_broker]": "guid,name",
    });
    for (const instance of instances) session.print(`${instance.name} ${instance["type"]}`);
  },
  async service(session, { words: [name = ""] }) {
    const instance = await session.instance(name);
    session.print(
      `name: ${name}`,
      `type: ${instance["type"]}`,
      `route service url: ${instance["route_service_url"]}`,
    );
  },
  async "bind-route-service"(session, { words: [domainName = "", name = ""], flags }) {
    const instance = await session.instance(name);
    const route = await session.route(await session.domain(domainName), flags);
    await session.call("POST", "/v3/service_route_bindings", {
      relationships: {
        service_instance: { data: { guid: instance.guid } },
        route: { data: { guid: route.guid } },
      },
    });
    session.print("OK");
  },
  async "unbind-route-service"(session, { words: [domainName = "", name = ""], flags }) {
    const instance = await session.instance(name);
    const route = await session.route(await session.domain(domainName), flags);
    const query = { route_guids: String(route.guid), service_instance_guids: String(instance.guid) };
    const binding = await session.only("/v3/service_route_bindings", query, "Binding not found.");
    await session.call("DELETE", `/v3/service_route_bindings/${binding.guid}`);
    session.print("OK");
  },
  async "delete-service"(session, { words: [name = ""] }) {
    const { guid } = await session.instance(name);
    await session.call("DELETE", `/v3/service_instances/${guid}`);
    session.print("OK");
  },

  async "feature-flags"(session) {
    for (const flag of await session.list("/v3/feature_flags")) {
      session.print(`${flag.name} ${String(flag.enabled) === "true" ? "enabled" : "disabled"}`);
    }
  },
  async "enable-feature-flag"(session, { words: [name = ""] }) {
    await session.call("PATCH", `/v3/feature_flags/${name}`, { enabled: true });
    session.print("OK");
  },
  async "disable-feature-flag"(session, { words: [name = ""] }) {
    await session.call("PATCH", `/v3/feature_flags/${name}`, { enabled: false });
    session.print("OK");
  },
};
