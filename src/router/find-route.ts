import { emptyHost, unknownRoute } from "../kernel/errors/router.ts";
import { absoluteForm } from "../wire/http1/index.ts";
import type { Exchange } from "./exchange.ts";

/**
 * Phase findRoute: host and path decide the route. Nothing is chosen or sent yet.
 * @throws emptyHost, unknownRoute
 */
export function findRoute(exchange: Exchange): void {
  readAuthority(exchange);
  const { rawHost, client } = exchange;
  // A load balancer that speaks HTTP/1.0 makes up a Host of its own address; that names no route.
  if (rawHost === "" || rawHost === client.address || rawHost === client.peer) throw emptyHost({});
  exchange.host = lowerHost(rawHost);
  exchange.path = exchange.target === "*" ? "/" : exchange.target;
  exchange.route =
    (exchange.router.counters.requests & SAMPLE_MASK) === 0
      ? timedLookup(exchange)
      : exchange.router.table.lookup(exchange.host, exchange.path);
  if (exchange.route === null) throw unknownRoute({ host: rawHost });
}

/** Whom the request names: the target's authority wins over the Host header, and replaces it (RFC 9112 §3.2.2). */
export function readAuthority(exchange: Exchange): void {
  const { head } = exchange.client;
  if (head.text.charCodeAt(head.targetStart) !== 47 /* / */ && head.target !== "*") {
    const absolute = absoluteForm(head.target);
    if (absolute !== null) {
      exchange.rawHost = absolute.authority;
      exchange.replacesHost = true;
      exchange.target = absolute.path;
    }
  } else if (head.hostLine !== -1) exchange.rawHost = head.value(head.hostLine);
}

/** Reading the clock twice costs as much as a lookup: every 64th request tells enough. */
const SAMPLE_MASK = 63;

function timedLookup({ router, host, path }: Exchange): Exchange["route"] {
  const { ticker, table, metrics } = router;
  const startedAtMs = ticker.monotonicMs();
  const route = table.lookup(host, path);
  metrics.lookupTime.observe((ticker.monotonicMs() - startedAtMs) * 1e6);
  return route;
}

// Requests of one connection, and of most connections, name the same few hosts.
let lastRaw = "";
let lastHost = "";

function lowerHost(raw: string): string {
  if (raw === lastRaw) return lastHost;
  const colon = raw.indexOf(":");
  lastHost = (colon === -1 ? raw : raw.slice(0, colon)).toLowerCase();
  lastRaw = raw;
  return lastHost;
}
