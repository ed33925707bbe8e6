/**
 * Tokens of an OAuth client that acts for itself (client credentials), from a UAA.
 *
 *   token() ──► kept and good? ──yes──► it
 *                  │ no, or refused
 *                  └──► fetch ── no answer, 5xx ──► pause ──► again, so often ──► tokenNotGranted
 */
import { tokenNotGranted } from "../kernel/errors/auth.ts";
import type { Clock } from "../kernel/index.ts";
import { call, type TlsFiles } from "./call.ts";
import { pause } from "./pause.ts";

const CALL_TIMEOUT_MS = 60_000;

export interface ClientTokensOptions {
  /** Of the token endpoint: `https://uaa.example.com:8443/oauth/token`. */
  readonly url: string;
  readonly client: { readonly name: string; readonly secret: string };
  readonly tls?: TlsFiles;
  /** After the first try, when there was no answer. */
  readonly maxRetries: number;
  readonly retryIntervalMs: number;
  /** A token is not used any more this long before its end. */
  readonly expirationBufferMs: number;
  readonly clock: Clock;
  /** Ends a fetch that is under way. */
  readonly signal: AbortSignal;
}

export interface ClientTokens {
  /** @throws tokenNotGranted */
  token(): Promise<string>;
  /** An API did not take this one: the next is a new one. */
  refuse(token: string): void;
}

export function createClientTokens(options: ClientTokensOptions): ClientTokens {
  const { url, client, clock, signal } = options;
  let kept: { readonly token: string; readonly untilMs: number } | null = null;
  let fetching: Promise<string> | null = null;

  const ask = async (): Promise<
    { token: string; expiresInMs: number } | { problem: string; isFinal: boolean }
  > => {
    try {
      const { status, json } = await call({
        method: "POST",
        url,
        form: { grant_type: "client_credentials" },
        client,
        timeoutMs: CALL_TIMEOUT_MS,
        tls: options.tls,
        signal,
      });
      const answer =
        typeof json === "object" && json !== null ? (json as Readonly<Record<string, unknown>>) : {};
      const { access_token: token, expires_in: seconds, error, error_description: reason } = answer;
      if (status === 200 && typeof token === "string" && token !== "") {
        return { token, expiresInMs: typeof seconds === "number" ? seconds * 1_000 : 0 };
      }
      const said = [error, reason].filter((word) => typeof word === "string").join(": ");
      return { problem: said === "" ? `status ${status}` : `${status} ${said}`, isFinal: status < 500 };
    } catch (error) {
      return { problem: (error as Error).message, isFinal: signal.aborted };
    }
  };

  const fetch = async (): Promise<string> => {
    for (let retriesLeft = options.maxRetries; ; retriesLeft--) {
      const askedAtMs = clock.monotonicMs();
      const answer = await ask();
      if ("token" in answer) {
        kept = { token: answer.token, untilMs: askedAtMs + answer.expiresInMs - options.expirationBufferMs };
        return answer.token;
      }
      if (answer.isFinal || retriesLeft <= 0) {
        throw tokenNotGranted({ url, client: client.name, reason: answer.problem });
      }
      await pause(clock, options.retryIntervalMs, signal);
    }
  };

  return {
    async token() {
      if (kept !== null && clock.monotonicMs() < kept.untilMs) return kept.token;
      fetching ??= fetch().finally(() => {
        fetching = null;
      });
      return fetching;
    },
    refuse(token) {
      if (kept?.token === token) kept = null;
    },
  };
}
