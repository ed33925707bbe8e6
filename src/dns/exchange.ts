/** One message in, at most one message out; the same for UDP and TCP but for size and keep-alive. */
import type { Logger } from "../kernel/index.ts";
import {
  decodeQuery,
  EDNS_OPTION,
  type EdnsOption,
  emptyResponse,
  encodeResponse,
  MAX_MESSAGE_BYTES,
  type QueryFrame,
  RCODE,
  type Response,
  udpLimit,
} from "../wire/dns/index.ts";
import type { DnsConfig } from "./config.ts";
import type { DnsMetrics } from "./metrics.ts";
import type { Responder } from "./responder.ts";

export type Transport = "udp" | "tcp";

/** @returns the answer, or null when there must be none. */
export type Exchange = (message: Uint8Array, transport: Transport) => Uint8Array | null;

const RCODE_NAMES = new Map<number, string>(Object.entries(RCODE).map(([name, code]) => [code, name]));

export function createExchange(options: {
  config: DnsConfig;
  respond: Responder;
  metrics: DnsMetrics;
  log: Logger;
}): Exchange {
  const { config, respond, metrics, log } = options;

  const answer = (message: Uint8Array): Response | null => {
    const decoded = decodeQuery(message);
    if (decoded.kind === "drop") return null;
    if (decoded.kind === "refuse") return emptyResponse(decoded.query, decoded.rcode);
    try {
      return respond(decoded.query);
    } catch (error) {
      // A mistake of ours about one name must not silence the others.
      metrics.failures++;
      log.error({ err: error, type: decoded.query.question.type }, "a DNS query could not be answered");
      return emptyResponse(decoded.query, RCODE.SERVFAIL);
    }
  };

  return (message, transport) => {
    if (transport === "udp") metrics.queriesUdp++;
    else metrics.queriesTcp++;
    const response = answer(message);
    if (response === null) {
      metrics.dropped++;
      return null;
    }
    const name = RCODE_NAMES.get(response.rcode) ?? String(response.rcode);
    metrics.responses[name] = (metrics.responses[name] ?? 0) + 1;
    const { query } = response;
    const bytes = encodeResponse(
      transport === "tcp"
        ? { ...response, options: [...response.options, ...keepAlive(query, config)] }
        : response,
      {
        maxBytes: transport === "tcp" ? MAX_MESSAGE_BYTES : udpLimit(query, config.udpMaxBytes),
        advertisedUdpBytes: config.udpMaxBytes,
        truncation: config.truncate,
      },
    );
    if (((bytes[2] ?? 0) & TRUNCATED_BIT) !== 0) metrics.truncated++;
    return bytes;
  };
}

/** TC in the third byte of a header. */
const TRUNCATED_BIT = 0x02;

/** How long a client may keep its connection idle, to those who ask (RFC 7828): units of 100 ms. */
function keepAlive(query: QueryFrame, config: DnsConfig): readonly EdnsOption[] {
  const isAsked = query.edns?.options.some((option) => option.code === EDNS_OPTION.TCP_KEEPALIVE) ?? false;
  if (!isAsked) return [];
  const units = Math.min(0xffff, Math.floor(config.idleTimeoutMs / 100));
  return [{ code: EDNS_OPTION.TCP_KEEPALIVE, data: Uint8Array.of(units >> 8, units & 0xff) }];
}
