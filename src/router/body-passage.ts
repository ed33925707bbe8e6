/**
 * The middle of a large body whose length is known, which nobody looks at: it may go from one connection to the other
 * without coming here. Its beginning and its end are received, for what comes before and after them.
 */
import type { BodyPassage, Carrier } from "./carrier.ts";
import type { Exchange } from "./exchange.ts";

/** From the endpoint to the client. */
export class AnswerPassage implements BodyPassage {
  readonly #exchange: Exchange;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  get to(): Carrier {
    return this.#exchange.client.socket;
  }

  get bytes(): number {
    const { upstream, hasResponded, sendsChunks, isTunnel } = this.#exchange;
    return upstream === null || !hasResponded || sendsChunks || isTunnel ? 0 : upstream.body.unframedBytes;
  }

  passed(size: number): void {
    const exchange = this.#exchange;
    const { upstream } = exchange;
    if (upstream === null) return;
    upstream.body.skip(size);
    exchange.responseBodyBytes += size;
    if (this.to.writableNeedDrain) exchange.waitForClient(upstream);
  }
}

/** From the client to the endpoint. */
export class RequestPassage implements BodyPassage {
  readonly #exchange: Exchange;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  get to(): Carrier | null {
    return this.#exchange.upstream?.socket ?? null;
  }

  /** The head and the first bytes have gone before. */
  get bytes(): number {
    const { client, hasSentBody, isTunnel } = this.#exchange;
    return !hasSentBody || isTunnel || client.held !== null ? 0 : client.body.unframedBytes;
  }

  passed(size: number): void {
    const exchange = this.#exchange;
    const { client } = exchange;
    client.body.skip(size);
    client.touch();
    exchange.requestBodyBytes += size;
    if (this.to?.writableNeedDrain === true) client.pause();
  }
}
