/** What the `cf` program keeps between commands, and how it calls: its client of the API, told by what is on the wire. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingHttpHeaders, request } from "node:http";
import { demandDecodable } from "./decoded.ts";

/** JSON that may be looked into. */
export interface Json {
  readonly [key: string]: Json | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What a command was given besides its name. */
export interface Given {
  readonly words: readonly string[];
  readonly flags: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;
}

export type Command = (session: Session, given: Given) => Promise<void>;

/** Ends a command with exit code 1. */
export class Failure extends Error {}

export type Query = Readonly<Record<string, string>>;

/** With these the program asks for one of what there may be many. */
const ONE: Query = { per_page: "1", page: "1" };
/** The most that the API gives at once. */
export const MOST: Query = { per_page: "5000" };
const USER_AGENT = "cf/8.18.4 (go1.24; amd64 linux)";
const EXPIRED = 1000;

export const textOf = (value: Given["flags"][string]) => (typeof value === "string" ? value : "");
export const listOf = (value: Given["flags"][string]) => (Array.isArray(value) ? value.map(String) : []);
export const parse = (body: string): Json => {
  try {
    return JSON.parse(body) as Json;
  } catch {
    return {};
  }
};
export const guidOf = (json: Json) => ({ data: { guid: String(json.guid) } });

export class Session {
  readonly printed: string[] = [];
  api = "";
  uaa = "";
  routing = "";
  logCache = "";
  networkPolicy = "";
  user = "";
  access = "";
  refresh = "";
  org: Json = {};
  space: Json = {};

  print(...lines: readonly string[]): void {
    this.printed.push(...lines);
  }

  /** Once more with a new token when the API says that the old one has run out, as the program does. */
  async send(
    method: string,
    url: string,
    body?: string | Buffer,
    type = "application/json",
  ): Promise<HttpAnswer> {
    const answer = await this.#sendOnce(method, url, body, type);
    if (answer.status !== 401 || this.refresh === "" || codeOf(answer) !== EXPIRED) return answer;
    await this.grant({ grant_type: "refresh_token", refresh_token: this.refresh });
    return this.#sendOnce(method, url, body, type);
  }

  #sendOnce(method: string, url: string, body: string | Buffer | undefined, type: string) {
    return http(method, url, body, {
      accept: "application/json",
      "content-type": type,
      "user-agent": USER_AGENT,
      ...(this.access !== "" && { authorization: `bearer ${this.access}` }),
    });
  }

  /** A v3 call, and the job it may have begun; what is refused ends the command with the API's words. */
  async call(method: string, path: string, body?: object): Promise<Json> {
    const json = body === undefined ? undefined : JSON.stringify(body);
    return this.follow(path, await this.send(method, this.#url(path), json));
  }

  #url(path: string): string {
    return path.startsWith("http") ? path : `${this.api}${path}`;
  }

  /** @throws Failure; AssertionError where the program could not read the answer */
  async follow(path: string, answer: HttpAnswer): Promise<Json> {
    const json = parse(answer.body);
    if (answer.status >= 300) {
      const errors = (json.errors ?? []) as unknown as readonly { detail: string }[];
      throw new Failure(errors.map(({ detail }) => detail).join("\n") || `status ${answer.status}`);
    }
    if (answer.body !== "" && !path.includes("/manifest")) demandDecodable(path, json);
    // Nothing but the header tells of a job.
    if (answer.status === 202 && answer.headers.location !== undefined)
      await this.#poll(answer.headers.location);
    return json;
  }

  async #poll(job: string): Promise<void> {
    for (;;) {
      const { state, errors } = await this.call("GET", job);
      if (String(state) === "COMPLETE") return;
      if (String(state) === "FAILED") {
        const [first] = errors as unknown as readonly { detail: string }[];
        assert(first !== undefined, "a failed job says why");
        throw new Failure(`Job failed: ${first.detail}`);
      }
    }
  }

  /** All pages. */
  async list(path: string, query: Query = {}): Promise<readonly Json[]> {
    const { resources } = await this.listWith(path, query);
    return resources;
  }

  /** All pages, and what came along with them. */
  async listWith(path: string, query: Query) {
    const resources: Json[] = [];
    const included: Record<string, Json[]> = {};
    const search = new URLSearchParams(query).toString();
    for (let next: string | null = search === "" ? path : `${path}?${search}`; next !== null; ) {
      const page = await this.call("GET", next);
      resources.push(...(page.resources as unknown as readonly Json[]));
      for (const [key, each] of Object.entries(page.included ?? {}))
        (included[key] ??= []).push(...(each as unknown as readonly Json[]));
      const href = page.pagination?.next?.href;
      next = query["page"] !== undefined || href === undefined ? null : String(href);
    }
    return { resources, included };
  }

  async only(path: string, query: Query, refusal: string): Promise<Json> {
    const [found] = await this.list(path, query);
    if (found === undefined) throw new Failure(refusal);
    return found;
  }

  async grant(form: Query): Promise<void> {
    const answer = await http("POST", `${this.uaa}/oauth/token`, new URLSearchParams(form).toString(), {
      "content-type": "application/x-www-form-urlencoded",
      accept: "application/json",
      "user-agent": USER_AGENT,
      ...(form["client_id"] === undefined && {
        authorization: `Basic ${Buffer.from("cf:").toString("base64")}`,
      }),
    });
    const json = parse(answer.body);
    if (answer.status !== 200) {
      const isRejected = String(json.error) === "unauthorized";
      throw new Failure(
        isRejected ? "Credentials were rejected, please try again." : `${json.error_description}`,
      );
    }
    this.access = String(json.access_token);
    this.refresh = json.refresh_token === undefined ? "" : String(json.refresh_token);
  }

  targeted(): { readonly org: Json; readonly space: Json } {
    if (this.org.guid === undefined)
      throw new Failure("No org targeted, use 'cf target -o ORG' to target an org.");
    return { org: this.org, space: this.space };
  }

  domain(name: string): Promise<Json> {
    return this.only("/v3/domains", { names: name, ...ONE }, `Domain '${name}' not found.`);
  }

  organization(name: string): Promise<Json> {
    return this.only("/v3/organizations", { names: name, ...ONE }, `Organization '${name}' not found.`);
  }

  spaceIn(org: Json, name: string): Promise<Json> {
    const query = { names: name, organization_guids: String(org.guid), ...ONE };
    return this.only("/v3/spaces", query, `Space '${name}' not found.`);
  }

  app(name: string): Promise<Json> {
    const query = { names: name, space_guids: String(this.targeted().space.guid) };
    return this.only("/v3/apps", query, `App '${name}' not found.`);
  }

  instance(name: string, fields: Query = {}): Promise<Json> {
    const query = { names: name, space_guids: String(this.targeted().space.guid), ...fields, ...ONE };
    return this.only("/v3/service_instances", query, `Service instance '${name}' not found.`);
  }

  /** By its parts, as most commands name one; null where there is none. */
  async findRoute(domain: Json, flags: Given["flags"]): Promise<Json | null> {
    const isTcp = Object.values(domain["supported_protocols"] ?? {}).some((each) => String(each) === "tcp");
    const [found] = await this.list("/v3/routes", {
      domain_guids: String(domain.guid),
      // Empty ones are sent all the same, and mean routes without.
      hosts: textOf(flags["hostname"]),
      paths: pathOf(flags),
      ...ONE,
      ...(isTcp && { ports: textOf(flags["port"]) || "0" }),
    });
    return found ?? null;
  }

  /** @throws Failure */
  async route(domain: Json, flags: Given["flags"]): Promise<Json> {
    const found = await this.findRoute(domain, flags);
    if (found !== null) return found;
    const [host, path, port] = [textOf(flags["hostname"]), pathOf(flags), textOf(flags["port"])];
    const parts = [
      ...(host === "" ? [] : [`host '${host}'`]),
      `domain '${domain.name}'`,
      ...(path === "" ? [] : [`path '${path}'`]),
      ...(port === "" ? [] : [`port ${port}`]),
    ];
    throw new Failure(`Route with ${parts.join(" and ")} not found.`);
  }
}

/** The program puts the slash in front. */
export const pathOf = (flags: Given["flags"]) => {
  const path = textOf(flags["path"]);
  return path === "" || path.startsWith("/") ? path : `/${path}`;
};

const codeOf = ({ body }: HttpAnswer) => {
  const [first] = (parse(body).errors ?? []) as unknown as readonly { code: number }[];
  return first?.code;
};

export async function http(
  method: string,
  url: string,
  body: string | Buffer | undefined,
  headers: Query,
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
