import { Type } from "typebox";
import { balancers } from "../balancing/index.ts";
import { defineOption } from "./define.ts";

const names = balancers.map((balancer) => balancer.name);

/** Which endpoint of the route's pool serves the next attempt. */
export default defineOption({
  name: "loadbalancing",
  summary: "How the router picks an instance for a request.",
  details:
    "Takes the place of the router's `balancing_algorithm` for this route. Without it the router's own setting is in force.",
  schema: Type.Enum(names),
  protocols: ["http1", "http2"],
  since: "0.1",
  examples: [
    { value: "round-robin", effect: "the instances serve in turn" },
    { value: "least-connection", effect: "the instance with the fewest requests in flight serves next" },
    { value: "hash", effect: "requests with the same value of `hash_header` go to the same instance" },
  ],
  refusal: `Loadbalancing must be one of '${names.join(", ")}' if present`,
  namesValue: false,
  hooks: (balancer) => ({ balancer }),
});
