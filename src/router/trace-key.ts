import type { Exchange } from "./exchange.ts";

/** For who knows the operator's `trace_key`: which router and which endpoint served. Response lines, or "". */
export function traceKeyLines(exchange: Exchange): string {
  const { candidate, client, router } = exchange;
  if (candidate === null || exchange.requestHeader("x-vcap-trace") !== router.config.traceKey) return "";
  const { address } = candidate;
  const here = (client.socket.localAddress ?? "").replace(/^::ffff:/, "");
  return `X-Vcap-Router: ${here}\r\nX-Vcap-Backend: ${address}\r\nX-Cf-RouteEndpoint: ${address}\r\n`;
}
