import { defineOption } from "./define.ts";
import { tokenOf } from "./token.ts";

/** The request header whose value decides the instance, for `loadbalancing=hash`. */
export default defineOption({
  name: "hash_header",
  summary: "The request header whose value decides which instance serves.",
  details:
    "Requests with the same value go to the same instance, on every router, as long as it runs. An instance that " +
    "joins or leaves moves only the values that it gets or had. Requests without the header are spread by the " +
    "router's `balancing_algorithm`.",
  ...tokenOf("Hash header", "header"),
  namesValue: false,
  protocols: ["http1", "http2"],
  since: "0.1",
  examples: [{ value: "X-Tenant-Id", effect: "each tenant is served by one instance" }],
  bond: {
    option: "loadbalancing",
    value: "hash",
    refusal: "Hash header can only be set when loadbalancing is hash",
    missing: "Hash header must be present when loadbalancing is set to hash.",
  },
  hooks: (header) => ({ balancing: { hashHeader: header.toLowerCase() } }),
});
