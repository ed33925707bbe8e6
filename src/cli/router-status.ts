/**
 * The status listener of a running router, which answers what an API cannot know: what this router did and would do.
 * It is named by --router, VIADUCT_ROUTER, or the `up.json` of the Viaduct that runs here.
 */
import { apiUnreachable, routerRefused, routerUnreachable, usageInvalid } from "../kernel/errors/cli.ts";
import { Answer, parseJson } from "./answer.ts";
import { nothingRunsHere, readUpFile, type RouterAccess } from "./data-dir.ts";
import { call, type HttpAnswer } from "./http.ts";
import type { Host } from "./output.ts";

/** @throws nothingRunning, usageInvalid, routerUnreachable, routerRefused */
export async function askRouter(
  host: Host,
  named: string | undefined,
  path: string,
  query: Readonly<Record<string, string>>,
): Promise<Answer> {
  const { url, username, password } = routerAccess(host, named);
  const asked = new URL(`${url}${path}`);
  for (const [key, value] of Object.entries(query)) asked.searchParams.set(key, value);
  const credentials = Buffer.from(`${username}:${password}`).toString("base64");
  let answer: HttpAnswer;
  try {
    answer = await call("GET", asked, { authorization: `Basic ${credentials}` });
  } catch (error) {
    if (!apiUnreachable.is(error)) throw error;
    throw routerUnreachable({ url, reason: error.details.reason }, error);
  }
  const body = new Answer(parseJson(answer.body), `GET ${url}${path}`);
  if (answer.status === 401) {
    throw routerRefused({ url, reason: "it wants another user or password; write http://USER:PASSWORD@…" });
  }
  if (answer.status !== 200) {
    const error = body.find("error");
    throw routerRefused({ url, reason: typeof error === "string" ? error : `status ${answer.status}` });
  }
  return body;
}

function routerAccess(host: Host, flag: string | undefined): RouterAccess {
  const named = flag ?? (host.environment["VIADUCT_ROUTER"] || undefined);
  if (named === undefined) {
    const up = readUpFile(host);
    if (up === null || up.routerStatus === null) throw nothingRunsHere(host, "router");
    return up.routerStatus;
  }
  const url = URL.parse(named.includes("://") ? named : `http://${named}`);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw usageInvalid({
      problem: "--router names no URL",
      remedy: "write http://USER:PASSWORD@127.0.0.1:8082",
    });
  }
  return {
    url: url.origin,
    username: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  };
}
