/**
 * The two ways of a request to a route that has a route service.
 *
 *   client ──► router ──signed──► service ──► router ──signature checked, taken off──► endpoint
 *                │ leaveForService   │           │ isBackFromService
 *                │                   └── or the service answers itself
 *                └── hairpin: the service is a route of ours, and the same exchange goes on along that one
 */
import {
  routeServiceLoop,
  routeServiceRequestFailed,
  routeServiceSignatureExpired,
  routeServiceSignatureInvalid,
  routeServiceWebsocket,
  strictSignatureExpired,
  strictSignatureInvalid,
} from "../../kernel/errors/route-services.ts";
import { noEndpoints, routeServiceUnsupported } from "../../kernel/errors/router.ts";
import type { Route } from "../../table/index.ts";
import { absoluteForm } from "../../wire/http1/index.ts";
import type { Exchange } from "../exchange.ts";
import type { RouteProgram } from "../program.ts";
import type { RouteServices } from "./route-services.ts";
import type { Signature } from "./signature.ts";
import type { BoundService } from "./service-route.ts";

/** What an exchange takes along to its route service. */
export interface ServiceLeg {
  readonly url: string;
  /** Value of the Host header. */
  readonly host: string;
  /** `X-CF-Forwarded-Url`, `X-CF-Proxy-Signature`, `X-CF-Proxy-Metadata`, each with its CRLF. */
  readonly lines: string;
}

/**
 * The request has been at the service of its route, and may go on to an endpoint; false when it has to go there first.
 * @throws routeServiceUnsupported, routeServiceWebsocket, routeServiceSignatureInvalid, …Expired
 */
export function isBackFromService(exchange: Exchange, route: Route<RouteProgram>): boolean {
  const { routeServices, table } = exchange.router;
  if (routeServices === null) throw routeServiceUnsupported({});
  if (exchange.isUpgrade) throw routeServiceWebsocket({});
  const sealed = signatureHeader(exchange);
  if (sealed === "") return false;
  const { forwardedUrl } = openSignature(exchange, routeServices, sealed);
  const url = absoluteForm(forwardedUrl);
  const asked = url === null ? null : table.lookup(hostOf(url.authority).toLowerCase(), url.path);
  // A signature opens the one route that it was made for, not all that have a service.
  if (asked?.key !== route.key) {
    throw routeServiceSignatureInvalid({ reason: "the signature is for another route" });
  }
  exchange.cameFromRouteService = true;
  return true;
}

/**
 * Sends the exchange along the service's route instead of its own.
 * @throws routeServiceRequestFailed, routeServiceLoop, noEndpoints, and what an option of the service's route throws
 */
export function leaveForService(
  exchange: Exchange,
  service: BoundService | null,
): Pick<RouteProgram, "admit"> {
  const { router, route } = exchange;
  const { routeServices, clock } = router;
  if (service === null || routeServices === null) throw routeServiceRequestFailed({});
  const { target, url } = service;
  const forwardedUrl = `${routeServices.scheme}://${hostOf(exchange.rawHost)}${exchange.path}`;
  const { signature, metadata } = routeServices.signer.seal({
    forwardedUrl,
    requestedAtMs: clock.nowMs(),
  });
  exchange.serviceLeg = {
    url,
    host: target.host,
    lines:
      `X-CF-Forwarded-Url: ${forwardedUrl}\r\nX-CF-Proxy-Signature: ${signature}\r\n` +
      `X-CF-Proxy-Metadata: ${metadata}\r\n`,
  };
  exchange.replacesHost = true;
  exchange.target = target.requestTarget;

  const own = routeServices.mayHairpin(target)
    ? router.table.lookup(target.hostname, target.requestTarget)
    : null;
  exchange.route = own ?? service.route;
  exchange.host = target.hostname;
  exchange.path = target.requestTarget;
  exchange.candidates = exchange.route.attachment.candidates;
  if (own === null) return service.route.attachment;
  // Its signature would be taken for one of the guarded route, or refused as one of another.
  if (own.key === route?.key || own.routeServiceUrl !== null)
    throw routeServiceLoop({ service: target.host });
  if (exchange.candidates.length === 0) throw noEndpoints({ host: target.host });
  return own.attachment;
}

/**
 * With strict validation, for a route without a service: a signature that is no signature never reaches an app.
 * @throws strictSignatureInvalid, strictSignatureExpired
 */
export function checkStraySignature(exchange: Exchange, routeServices: RouteServices): void {
  const sealed = signatureHeader(exchange);
  if (sealed === "") return;
  try {
    openSignature(exchange, routeServices, sealed);
  } catch (error) {
    throw routeServiceSignatureInvalid.is(error) ? strictSignatureInvalid({}, error) : error;
  }
}

function openSignature(exchange: Exchange, routeServices: RouteServices, sealed: string): Signature {
  const metadata = exchange.requestHeader("x-cf-proxy-metadata") ?? "";
  const signature = routeServices.signer.open({ signature: sealed, metadata });
  const { clock } = exchange.router;
  if (clock.nowMs() - signature.requestedAtMs > routeServices.timeoutMs) {
    const expired = routeServices.isStrict ? strictSignatureExpired : routeServiceSignatureExpired;
    throw expired({ reason: "Route service request expired" });
  }
  return signature;
}

/** Several are joined, and thereby none: which of them the service meant cannot be known. */
function signatureHeader(exchange: Exchange): string {
  return exchange.requestHeader("x-cf-proxy-signature") ?? "";
}

const hostOf = (authority: string) => authority.replace(/:\d*$/, "");
