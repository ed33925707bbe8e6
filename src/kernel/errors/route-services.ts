/**
 * What goes wrong between a route and its route service. Texts are those that clients and service authors of Cloud
 * Foundry know; the cause of a bad signature is for whoever writes the service.
 */
import { defineError } from "./define.ts";

export const routeServiceWebsocket = defineError({
  code: "route_service_websocket",
  source: "router",
  retry: "never",
  status: 503,
  routerError: "route_service_unsupported",
  explain: () => "Websocket requests are not supported for routes bound to Route Services.",
});

// === coming back from the service ===

const signatureRefused = (d: { readonly reason: string }) =>
  `Failed to validate Route Service Signature: ${d.reason}`;

export const routeServiceSignatureInvalid = defineError<{ reason: string }>({
  code: "route_service_signature_invalid",
  source: "client",
  retry: "never",
  status: 502,
  explain: signatureRefused,
});
export const routeServiceSignatureExpired = defineError<{ reason: string }>({
  code: "route_service_signature_expired",
  source: "client",
  retry: "never",
  status: 504,
  explain: signatureRefused,
});
/** The same two when every signature is checked, also those sent to routes without a service. */
export const strictSignatureExpired = defineError<{ reason: string }>({
  code: "expired_route_service_signature",
  source: "client",
  retry: "never",
  status: 504,
  routerError: "expired_route_service_signature",
  explain: signatureRefused,
});
export const strictSignatureInvalid = defineError({
  code: "invalid_route_service_signature",
  source: "client",
  retry: "never",
  status: 400,
  routerError: "invalid_route_service_signature",
  explain: () => "invalid route service signature detected",
});

// === on the way to the service ===

export const routeServiceRequestFailed = defineError({
  code: "route_service_request_failed",
  source: "router",
  retry: "never",
  status: 500,
  explain: () => "Route service request failed.",
});
export const routeServiceLoop = defineError<{ service: string }>({
  code: "route_service_loop",
  source: "router",
  retry: "never",
  status: 502,
  explain: (d) =>
    `the route service ${d.service} is the route itself, or has a route service too; bind another service`,
});
/** Clients read this: where the name led to is in the log only. */
export const routeServiceAddressRefused = defineError<{ service: string }>({
  code: "route_service_address_refused",
  source: "upstream",
  retry: "never",
  status: 502,
  explain: (d) =>
    `route service ${d.service} is in a network that is not for route services; see route_services_allowed_networks, or route_services_hairpinning for one behind this router`,
});
