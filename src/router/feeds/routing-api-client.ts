/** The Routing API as its readers see it: all routes, and what happens to them. */
import {
  callForList,
  type ClientTokens,
  inTurns,
  openStreamCall,
  StreamRefused,
  type TlsFiles,
} from "../../calls/index.ts";
import { routingApiRefused, routingApiUnavailable } from "../../kernel/errors/routing-api.ts";
import { systemReason } from "../../kernel/index.ts";
import { createSseDecoder } from "../../wire/sse/index.ts";

const CALL_TIMEOUT_MS = 60_000;
const UNAUTHORIZED = 401;

export interface RoutingApi {
  /**
   * The list as it came, decoded as JSON.
   * @throws tokenNotGranted, routingApiUnavailable, routingApiRefused
   */
  routes(): Promise<readonly unknown[]>;
  /**
   * Resolves when the server ends the stream.
   * @throws as {@link routes}
   */
  follow(handler: {
    onOpen(): void;
    /** @param action  `Upsert` or `Delete`, as far as is known. */
    onEvent(action: string, data: string): void;
  }): Promise<void>;
}

export function createRoutingApi(given: {
  /** `https://routing-api.example.com:3001`, without path. */
  readonly url: string;
  /** Null where it wants none. */
  readonly tokens: ClientTokens | null;
  readonly tls: TlsFiles;
  readonly signal: AbortSignal;
}): RoutingApi {
  const { url, tokens, tls, signal } = given;
  let lastEventId = "";

  const list = async () => {
    const token = await tokens?.token();
    const answer = await callForList({
      method: "GET",
      url: `${url}/routing/v1/routes`,
      ...(token !== undefined && { token }),
      timeoutMs: CALL_TIMEOUT_MS,
      tls,
      signal,
    }).catch(unavailable);
    if (answer.status === UNAUTHORIZED && token !== undefined) tokens?.refuse(token);
    return answer;
  };
  const unavailable = (error: unknown): never => {
    throw routingApiUnavailable({ url, reason: systemReason(error) }, error);
  };

  return {
    async routes() {
      let answer = await list();
      // The token may have ended early: its key was replaced, its client changed.
      if (answer.status === UNAUTHORIZED && tokens !== null) answer = await list();
      if (answer.status === 200 && Array.isArray(answer.json)) return answer.json;
      const { name, message } = (answer.json ?? {}) as { name?: unknown; message?: unknown };
      throw routingApiRefused({
        url,
        status: answer.status,
        name: typeof name === "string" ? name : "",
        message: typeof message === "string" ? message : "no list of routes",
      });
    },

    async follow({ onOpen, onEvent }) {
      const token = await tokens?.token();
      const bytes = await openStreamCall({
        url: `${url}/routing/v1/events`,
        ...(token !== undefined && { token }),
        ...(lastEventId !== "" && { lastEventId }),
        tls,
        signal,
      }).catch((error: unknown) => {
        if (!(error instanceof StreamRefused)) return unavailable(error);
        if (error.status === UNAUTHORIZED && token !== undefined) tokens?.refuse(token);
        throw routingApiRefused({ url, status: error.status, name: "", message: error.message }, error);
      });
      onOpen();
      const decoder = createSseDecoder();
      try {
        for await (const piece of inTurns(bytes)) {
          for (const { event, data } of decoder.push(piece)) onEvent(event, data);
          lastEventId = decoder.lastEventId;
        }
      } catch (error) {
        unavailable(error);
      }
    },
  };
}
