/**
 * Who is logged in to change things. A page gets a key, keeps it in its memory and sends it with each call; the tokens
 * of the API stay here. There is no cookie: a browser adds nothing to a request that another site made it send.
 */
import { createHash, randomBytes } from "node:crypto";
import { dashboardLoginNeeded } from "../kernel/errors/dashboard.ts";
import type { Clock, Timer } from "../kernel/index.ts";

/** A user of the API, logged in. */
export interface Login {
  readonly username: string;
  /**
   * A token that is good for a call now.
   * @throws errors of the catalogue when the user may not go on
   */
  token(): Promise<string>;
  /** Gives the tokens back. */
  end(): Promise<void>;
}

/** @throws errors of the catalogue; the page shows them */
export type LogIn = (username: string, password: string) => Promise<Login>;

export interface Sessions {
  /** @returns the key */
  open(login: Login): string;
  /** @throws dashboardLoginNeeded */
  find(key: string | undefined): Login;
  close(key: string | undefined): Promise<void>;
  closeAll(): Promise<void>;
}

const KEY_BYTES = 32;
const IDLE_MS = 30 * 60_000;
const SWEEP_EVERY_MS = 60_000;
const MAX_SESSIONS = 256;

export function createSessions(clock: Clock): Sessions {
  /** By the key's digest, the one that was not used for longest first. */
  const open = new Map<string, { readonly login: Login; readonly usedMs: number }>();
  let sweeping: Timer | null = null;

  const end = async (digest: string) => {
    const session = open.get(digest);
    open.delete(digest);
    if (open.size === 0) {
      sweeping?.clear();
      sweeping = null;
    }
    await session?.login.end();
  };
  const sweep = () => {
    for (const [digest, { usedMs }] of open) {
      if (usedMs + IDLE_MS > clock.monotonicMs()) return;
      // What cannot be given back ends by itself.
      end(digest).catch(() => {});
    }
  };

  return {
    open(login) {
      const key = randomBytes(KEY_BYTES).toString("base64url");
      const [oldest] = open.keys();
      if (open.size >= MAX_SESSIONS && oldest !== undefined) end(oldest).catch(() => {});
      open.set(digestOf(key), { login, usedMs: clock.monotonicMs() });
      sweeping ??= clock.setInterval(sweep, SWEEP_EVERY_MS);
      return key;
    },
    find(key = "") {
      sweep();
      const digest = digestOf(key);
      const session = open.get(digest);
      if (session === undefined) throw dashboardLoginNeeded({});
      open.delete(digest);
      open.set(digest, { ...session, usedMs: clock.monotonicMs() });
      return session.login;
    },
    close: (key = "") => end(digestOf(key)),
    async closeAll() {
      await Promise.allSettled([...open.keys()].map(end));
    },
  };
}

const digestOf = (key: string): string => createHash("sha256").update(key).digest("base64");
