import type { Exchange } from "./exchange.ts";

/** What those who count exchanges look at; to be read at once. */
export type EndedExchange = Pick<
  Exchange,
  "candidate" | "status" | "startedAtMs" | "answeredAtMs" | "endedAtMs" | "isTunnel"
>;

/** Called once per exchange, when it has ended. Whoever is not there costs nothing. */
export type ExchangeObserver = (exchange: EndedExchange) => void;
