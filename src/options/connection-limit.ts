import { Type } from "typebox";
import { defineOption } from "./define.ts";

const MAX_LIMIT = 1_000_000;

/** Most exchanges in flight at one instance of the route. */
export default defineOption({
  name: "connection-limit",
  aliases: ["conn-limit"],
  summary: "How many requests each router has in flight at one instance at most.",
  details:
    "WebSockets count as long as they are open. When all instances are at the limit, the router answers 503 with " +
    "`X-Cf-RouterError: Connection Limit Reached`. Counted by each router for itself; an instance that serves several " +
    "routes has one count. It can only lower the router's own `max_conns`.",
  schema: Type.Integer({ minimum: 1, maximum: MAX_LIMIT }),
  protocols: ["http1", "http2"],
  since: "0.1",
  examples: [{ value: 50, effect: "the 51st request at the same time goes to another instance" }],
  refusal: `Connection limit must be a whole number between 1 and ${MAX_LIMIT}`,
  hooks: (limit) => ({ maxInFlightPerEndpoint: limit }),
});
