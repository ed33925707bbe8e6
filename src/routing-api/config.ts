import { type ConfigOf, configSection, setting } from "../kernel/index.ts";

export const routingApiSection = configSection("routing-api", {
  host: setting.string({ key: "host", default: "127.0.0.1", describe: "Address the API listens on." }),
  port: setting.port({ key: "port", default: 3000, describe: "Port the API listens on." }),
  maxTtlMs: setting.duration({
    key: "max_ttl",
    default: "2m",
    minimum: "1s",
    describe: "Longest, and default, life of an endpoint without a heartbeat.",
  }),
  warmUpMs: setting.duration({
    key: "warm_up",
    default: "30s",
    describe:
      "After a start, how long readers that have a table keep it until the emitters have reported every endpoint.",
  }),
  replayedChanges: setting.integer({
    key: "replayed_changes",
    default: 10_000,
    minimum: 10_000,
    describe: "Changes kept so that a reader which was away goes on where it was.",
  }),
  routerGroup: setting.string({
    key: "router_group",
    default: "default-tcp",
    describe: "Name of the TCP router group that the first start creates.",
  }),
  reservablePorts: setting.string({
    key: "reservable_ports",
    default: "",
    describe: "Ports of that group, like 1024-1123,2000; empty creates no group.",
  }),
});

export type RoutingApiConfig = ConfigOf<typeof routingApiSection>;
