/**
 * Which API to talk to, and as whom. An API is named by --api, VIADUCT_API, the last `viaduct login`, or the
 * `up.json` of the Viaduct that runs here, in this order; for the latter the password is at hand and login is silent.
 */
import { apiRefused, apiUnreachable, loginRefused, notLoggedIn, usageInvalid } from "../kernel/errors/cli.ts";
import { Answer, parseJson } from "./answer.ts";
import { ApiClient } from "./client.ts";
import {
  nothingRunsHere,
  readSession,
  readUpFile,
  type Session,
  type UpFile,
  writeSession,
} from "./data-dir.ts";
import { call } from "./http.ts";
import type { Host, Output } from "./output.ts";

/** The client that official tools use too; its secret is empty by definition. */
const CLIENT_CREDENTIALS = `Basic ${Buffer.from("cf:").toString("base64")}`;

export type Grant =
  | { readonly kind: "password"; readonly username: string; readonly password: string }
  | { readonly kind: "refresh"; readonly refreshToken: string }
  | { readonly kind: "client"; readonly clientId: string; readonly clientSecret: string };

/** @throws nothingRunning, notLoggedIn, apiUnreachable */
export async function connect(host: Host, out: Output, apiFlag: string | undefined): Promise<ApiClient> {
  const up = readUpFile(host);
  const session = readSession(host);
  const api = chooseApi(host, apiFlag, session, up);
  const renew = (old: Session) => renewSession(host, old, up);
  if (session?.api === api && session.accessToken !== "") return new ApiClient(host, out, session, renew);
  if (up === null || !knowsLogin(up, api)) throw notLoggedIn({ api });
  const fresh = await logIn(host, blankSession(up.api, up.uaa, false), passwordOf(up));
  return new ApiClient(host, out, fresh, renew);
}

/** The API's address, without asking it. @throws nothingRunning, usageInvalid */
export function chooseApi(
  host: Host,
  apiFlag: string | undefined,
  session: Session | null,
  up: UpFile | null,
): string {
  const named = apiFlag ?? (host.environment["VIADUCT_API"] || undefined);
  if (named !== undefined) return parseApi(named);
  // A login to another machine's API stays in force while something runs here, until logout.
  const chosen = session?.isChosen === true ? session.api : up?.api;
  if (chosen === undefined) throw nothingRunsHere(host, "API");
  return chosen;
}

function parseApi(text: string): string {
  const url = URL.parse(text.includes("://") ? text : `https://${text}`);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw usageInvalid({
      problem: `--api «${text}» is no URL`,
      remedy: "write one like https://api.example.com",
    });
  }
  return url.href.replace(/\/$/, "");
}

/** Asks the API where its UAA is. @throws apiUnreachable */
export async function discoverUaa(api: string): Promise<string> {
  const answer = await call("GET", new URL(api), { accept: "application/json" });
  const links = new Answer(parseJson(answer.body), `GET ${api}/`);
  if (answer.status !== 200 || !links.has("links")) {
    throw apiUnreachable({ url: api, reason: `GET / answered ${answer.status} without links` });
  }
  return links.text("links", links.has("links", "login", "href") ? "login" : "uaa", "href");
}

export const blankSession = (api: string, uaa: string, isChosen: boolean): Session => ({
  api,
  isChosen,
  uaa,
  username: "",
  accessToken: "",
  refreshToken: "",
  organization: null,
  space: null,
});

/** Trades a grant for tokens and keeps them. @throws loginRefused, apiUnreachable */
export async function logIn(host: Host, session: Session, grant: Grant): Promise<Session> {
  const isClient = grant.kind === "client";
  const url = new URL(`${session.uaa.replace(/\/$/, "")}/oauth/token`);
  const answer = await call(
    "POST",
    url,
    {
      accept: "application/json",
      "content-type": "application/x-www-form-urlencoded",
      ...(isClient ? {} : { authorization: CLIENT_CREDENTIALS }),
    },
    new URLSearchParams(grantForm(grant)).toString(),
  );
  const body = new Answer(parseJson(answer.body), `POST ${url.pathname}`);
  const username = grant.kind === "password" ? grant.username : isClient ? grant.clientId : session.username;
  if (answer.status !== 200) {
    const reason = body.find("error_description") ?? body.find("error") ?? `status ${answer.status}`;
    if (answer.status >= 500) {
      const detail = `${session.uaa} cannot log anybody in now: ${String(reason)}`;
      throw apiRefused({ status: answer.status, problems: [{ detail }] });
    }
    throw loginRefused({ username, uaa: session.uaa, reason: String(reason) });
  }
  const fresh: Session = {
    ...session,
    username,
    accessToken: body.text("access_token"),
    refreshToken: body.has("refresh_token") ? body.text("refresh_token") : "",
  };
  writeSession(host, fresh);
  return fresh;
}

function grantForm(grant: Grant): Record<string, string> {
  switch (grant.kind) {
    case "password":
      return { grant_type: "password", username: grant.username, password: grant.password };
    case "refresh":
      return { grant_type: "refresh_token", refresh_token: grant.refreshToken };
    case "client":
      return {
        grant_type: "client_credentials",
        client_id: grant.clientId,
        client_secret: grant.clientSecret,
      };
    default:
      return grant satisfies never;
  }
}

/** Of the API that is meant, and with a password: with somebody else's UAA there is none, and ours is not for its ears. */
const knowsLogin = (up: UpFile, api: string) => up.api === api && up.password !== "";

const passwordOf = (up: UpFile): Grant => ({
  kind: "password",
  username: up.username,
  password: up.password,
});

/** After an «Invalid Auth Token»: by the refresh token, else by the password of the Viaduct that runs here. */
async function renewSession(host: Host, old: Session, up: UpFile | null): Promise<Session> {
  if (old.refreshToken !== "") {
    try {
      return await logIn(host, old, { kind: "refresh", refreshToken: old.refreshToken });
    } catch (error) {
      if (!loginRefused.is(error)) throw error;
    }
  }
  if (up === null || !knowsLogin(up, old.api)) throw notLoggedIn({ api: old.api });
  return logIn(host, old, passwordOf(up));
}
