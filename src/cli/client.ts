/**
 * The v3 API as commands see it: JSON in, {@link Answer} out, refusals as `api_refused` with the API's own texts.
 * Tokens are renewed once when the API calls them invalid; jobs are waited for.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { apiRefused, waitExpired } from "../kernel/errors/cli.ts";
import { Answer, parseJson } from "./answer.ts";
import type { Session } from "./data-dir.ts";
import { call, type HttpAnswer } from "./http.ts";
import type { Host, Output } from "./output.ts";
import { problemsOf, refusal } from "./refusal.ts";

const INVALID_TOKEN = 1000;
const PAGE_SIZE = 500;
const JOB_POLL_MS = 100;
const JOB_LIMIT_MS = 120_000;

export type Query = Readonly<Record<string, string | readonly string[]>>;

export class ApiClient {
  readonly host: Host;
  readonly #out: Output;
  readonly #renew: (old: Session) => Promise<Session>;
  #session: Session;

  constructor(host: Host, out: Output, session: Session, renew: (old: Session) => Promise<Session>) {
    this.host = host;
    this.#out = out;
    this.#session = session;
    this.#renew = renew;
  }

  get session(): Session {
    return this.#session;
  }

  /** @param path  Below the API's address, or a whole URL that the API gave. */
  async get(path: string, query: Query = {}): Promise<Answer> {
    return this.#json("GET", withQuery(path, query));
  }

  /** Null where the API does not know it (404). */
  async getIfThere(path: string, query: Query = {}): Promise<Answer | null> {
    try {
      return await this.get(path, query);
    } catch (error) {
      if (apiRefused.is(error) && error.details.status === 404) return null;
      throw error;
    }
  }

  async post(path: string, body?: unknown): Promise<Answer> {
    return this.#json("POST", path, body);
  }

  async patch(path: string, body: unknown): Promise<Answer> {
    return this.#json("PATCH", path, body);
  }

  async delete(path: string): Promise<Answer> {
    return this.#json("DELETE", path);
  }

  /** Every resource of a list, all pages. */
  async list(path: string, query: Query = {}): Promise<readonly Answer[]> {
    const resources: Answer[] = [];
    let next: string | null = withQuery(path, { per_page: String(PAGE_SIZE), ...query });
    while (next !== null) {
      const page: Answer = await this.#json("GET", next);
      resources.push(...page.list("resources"));
      next = page.has("pagination", "next", "href") ? page.text("pagination", "next", "href") : null;
    }
    return resources;
  }

  /** One call as it is, for `viaduct curl`: no waiting, no opinion about the status. */
  async raw(
    method: string,
    path: string,
    body: string | Buffer = "",
    headers: Readonly<Record<string, string>> = {},
  ): Promise<HttpAnswer> {
    const url = new URL(isWhole(path) ? path : `${this.#session.api}/${path.replace(/^\//, "")}`);
    const send = () =>
      call(
        method,
        url,
        {
          accept: "application/json",
          ...(body === "" ? {} : { "content-type": "application/json" }),
          ...headers,
          authorization: `bearer ${this.#session.accessToken}`,
        },
        body,
      );
    const answer = await send();
    if (answer.status !== 401 || !errorCodes(answer.body).includes(INVALID_TOKEN)) return answer;
    this.#session = await this.#renew(this.#session);
    return send();
  }

  async #json(method: string, path: string, body?: unknown): Promise<Answer> {
    return this.send(method, path, body === undefined ? "" : JSON.stringify(body));
  }

  /** For bodies that are no JSON: a manifest, an upload. Refusals, warnings and jobs are as everywhere. */
  async send(method: string, path: string, body: string | Buffer, type?: string): Promise<Answer> {
    const headers: Record<string, string> = type === undefined ? {} : { "content-type": type };
    const answer = await this.raw(method, path, body, headers);
    for (const warning of String(answer.headers["x-cf-warnings"] ?? "").split(",")) {
      if (warning !== "") this.#out.note(`viaduct: warning: ${decodeWarning(warning)}`);
    }
    if (answer.status >= 400) throw refusal(method, path, answer);
    const { location } = answer.headers;
    if (answer.status === 202 && location?.includes("/jobs/")) return this.#finishJob(location);
    return new Answer(parseJson(answer.body), `${method} ${path}`);
  }

  async #finishJob(location: string): Promise<Answer> {
    // The job's host may be a name that only the API's own network knows; ask where the API was asked.
    const { pathname } = new URL(location, this.#session.api);
    const job = new URL(pathname, this.#session.api).href;
    for (let waitedMs = 0; waitedMs < JOB_LIMIT_MS; waitedMs += JOB_POLL_MS) {
      const answer = await this.get(job);
      const state = answer.text("state");
      if (state === "COMPLETE") {
        const warnings = answer.has("warnings") ? answer.list("warnings") : [];
        for (const warning of warnings) this.#out.note(`viaduct: warning: ${warning.text("detail")}`);
        return answer;
      }
      if (state === "FAILED") {
        const problems = problemsOf(answer);
        throw apiRefused({
          status: 422,
          problems: problems.length > 0 ? problems : [{ detail: `${pathname} failed` }],
        });
      }
      await sleep(JOB_POLL_MS);
    }
    throw waitExpired({ what: pathname, afterMs: JOB_LIMIT_MS, state: "still processing" });
  }
}

/** With scheme and host, as the API writes the address of a next page. */
export const isWhole = (path: string) => /^https?:\/\//i.test(path);

function withQuery(path: string, query: Query): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    search.set(key, [value].flat().map(listed).join(","));
  }
  return search.size === 0 ? path : `${path}?${search}`;
}

/** A value as one of a list: the API takes lists apart at their commas and decodes each value once more. */
const listed = (value: string) => value.replaceAll("%", "%25").replaceAll(",", "%2C");

function errorCodes(text: string): readonly number[] {
  const body = new Answer(parseJson(text), "");
  const errors = body.find("errors");
  return Array.isArray(errors)
    ? errors.map((error: unknown) => Number(new Answer(error, "").find("code") ?? 0))
    : [];
}

function decodeWarning(text: string): string {
  try {
    return decodeURIComponent(text.trim().replaceAll("+", " "));
  } catch {
    return text.trim();
  }
}
