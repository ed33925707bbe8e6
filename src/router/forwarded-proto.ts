import type { Exchange } from "./exchange.ts";

/** What the endpoint is told of the scheme. @param given  The client's own `X-Forwarded-Proto`; "" without one. */
export function forwardedProtoOf(exchange: Exchange, given: string): string {
  const { cameFromRouteService, client, router } = exchange;
  // The router that sent it to its service has said it already, and the service may have come by another scheme.
  if (cameFromRouteService && given !== "") return given;
  if (router.config.forceForwardedProtoHttps) return "https";
  if (router.config.sanitizeForwardedProto || given === "") return client.usesTls ? "https" : "http";
  return given;
}
