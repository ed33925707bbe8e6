import { type ConfigOf, configSection, setting } from "../kernel/index.ts";

export const emitterSection = configSection("emitter", {
  syncIntervalMs: setting.duration({
    key: "sync_interval",
    default: "30s",
    minimum: "1s",
    describe: "How often everything is compared with Diego's full lists, to repair what events missed.",
  }),
  heartbeatMs: setting.duration({
    key: "heartbeat_interval",
    default: "20s",
    minimum: "1s",
    describe: "How often the routing API is told that endpoints are still there.",
  }),
  endpointTtlMs: setting.duration({
    key: "endpoint_ttl",
    default: "2m",
    minimum: "1s",
    describe: "How long an endpoint stays without a heartbeat; at most the routing API's max_ttl.",
  }),
  classic: setting.boolean({
    key: "classic",
    default: false,
    describe:
      "Also publishes router.register and service-discovery.register on the bus, for classic routers.",
  }),
  registerIntervalMs: setting.duration({
    key: "register_interval",
    default: "20s",
    minimum: "1s",
    describe: "How often everything is registered on the bus, until a router asks for another interval.",
  }),
});

export type EmitterConfig = ConfigOf<typeof emitterSection>;
