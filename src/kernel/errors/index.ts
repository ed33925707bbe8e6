/**
 * The error catalogue: one file per area, listed here, walked by a test that checks the codes.
 */
export { defineError, ViaductError } from "./define.ts";
export type { ErrorDefinition, ErrorFactory, ErrorSource, RetryAnswer } from "./define.ts";
export * as appErrors from "./app.ts";
export * as configErrors from "./config.ts";
export * as cliErrors from "./cli.ts";
export * as busErrors from "./bus.ts";
export * as bitsErrors from "./bits.ts";
export * as diegoErrors from "./diego.ts";
export * as optionsErrors from "./options.ts";
export * as routingApiErrors from "./routing-api.ts";
export * as storeErrors from "./store.ts";
export * as wireErrors from "./wire.ts";
export * as http2Errors from "./http2.ts";
export * as routerErrors from "./router.ts";
export * as routeServicesErrors from "./route-services.ts";
export * as authErrors from "./auth.ts";
export * as cloudControllerErrors from "./cloud-controller.ts";
export * as dashboardErrors from "./dashboard.ts";
export * as dnsErrors from "./dns.ts";
export * as registrarErrors from "./registrar.ts";
