import { Type } from "typebox";
import { defineOption } from "./define.ts";

/** Takes the route's own path off the request before the app sees it. */
export default defineOption({
  name: "trim-path",
  summary: "Takes the route's path off the request before the app sees it.",
  details:
    "On a route `shop.example.com/v2` the app gets `/carts?page=2` for `/v2/carts?page=2`, and `/` for `/v2`. " +
    "The rest of the target is passed on byte for byte. Has no effect on a route without a path.",
  schema: Type.Boolean(),
  protocols: ["http1", "http2"],
  since: "0.1",
  examples: [
    { value: true, effect: "the app gets `/carts` for `/v2/carts`" },
    { value: false, effect: "the app gets the path as the client sent it" },
  ],
  refusal: "Trim path must be true or false if present",
  hooks: (isOn) =>
    isOn
      ? {
          prepareRequest: (exchange) => {
            exchange.target = trimPath(exchange.target, exchange.contextPath);
          },
        }
      : {},
});

function trimPath(target: string, contextPath: string): string {
  const { length } = contextPath;
  if (length === 0 || target.slice(0, length).toLowerCase() !== contextPath.toLowerCase()) return target;
  const rest = target.slice(length);
  if (rest === "" || rest.startsWith("?")) return `/${rest}`;
  // Anything but a whole segment is another path that happens to begin alike.
  return rest.startsWith("/") ? rest : target;
}
