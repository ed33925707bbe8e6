/**
 * Asks a browser who is there, with its own dialogue (Basic, RFC 7617): a page that shows every route of a foundation
 * is not for everybody who can reach the router. A right answer is remembered for a while, because a password costs
 * much time to check and a page is many requests.
 */
import { createHash } from "node:crypto";
import { type Clock, ViaductError } from "../kernel/index.ts";

/** Whether this user may see everything. Errors of the catalogue are shown to the browser. */
export type CheckLogin = (username: string, password: string) => Promise<boolean>;

/** Null when the request may pass, else why not. */
export type Gate = (authorization: string | undefined) => Promise<string | null>;

const REMEMBER_MS = 10 * 60_000;
const MAX_REMEMBERED = 256;

export function createGate(checkLogin: CheckLogin, clock: Clock): Gate {
  /** Digests of headers that were right, with when they have to be checked again. */
  const remembered = new Map<string, number>();
  return async (authorization) => {
    const given = readBasic(authorization);
    if (given === null) return "log in with a user of the API that may see everything";
    const { username, password } = given;
    const key = createHash("sha256")
      .update(JSON.stringify([username, password]))
      .digest("base64");
    if ((remembered.get(key) ?? 0) > clock.monotonicMs()) return null;

    try {
      const isAllowed = username !== "" && (await checkLogin(username, password));
      if (!isAllowed) return "this user may not see every route";
    } catch (error) {
      if (error instanceof ViaductError) return error.message;
      throw error;
    }
    remembered.delete(key);
    const [oldest] = remembered.keys();
    if (remembered.size >= MAX_REMEMBERED && oldest !== undefined) remembered.delete(oldest);
    remembered.set(key, clock.monotonicMs() + REMEMBER_MS);
    return null;
  };
}

/** Null when there is none; without a colon all of it is the password. */
export function readBasic(
  authorization: string | undefined,
): { readonly username: string; readonly password: string } | null {
  const [, encoded] = /^Basic +([A-Za-z0-9+/]+=*)$/i.exec(authorization ?? "") ?? [];
  if (encoded === undefined) return null;
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  return { username: text.slice(0, Math.max(0, colon)), password: text.slice(colon + 1) };
}
