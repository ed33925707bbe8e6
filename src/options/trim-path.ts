import { Type } from "typebox";
import { defineOption } from "./define.ts";
import { repairCookiePath, repairLocation } from "./path-repair.ts";

/** Takes the route's own path off the request before the app sees it, and puts it back into what the app says of paths. */
export default defineOption({
  name: "trim-path",
  summary: "Takes the route's path off the request before the app sees it.",
  details:
    "On a route `shop.example.com/v2` the app gets `/carts?page=2` for `/v2/carts?page=2`, and `/` for `/v2`. " +
    "The rest of the target is passed on byte for byte. `X-Forwarded-Prefix: /v2` tells the app what was taken off. On the " +
    "way back `Location` and `Content-Location` of the same host, and the `Path` of cookies, are put below `/v2` again, " +
    "unless they are there already. Has no effect on a route without a path.",
  schema: Type.Boolean(),
  protocols: ["http1", "http2"],
  since: "0.1",
  examples: [
    {
      value: true,
      effect: "the app gets `/carts` for `/v2/carts`, and its redirect to `/login` leads to `/v2/login`",
    },
    { value: false, effect: "the app gets the path as the client sent it" },
  ],
  refusal: "Trim path must be true or false if present",
  explain: (isOn) => (isOn ? "the app does not see the route's path, and need not name it" : ""),
  hooks(isOn, { path }) {
    // A path from the bus may be anything; what would break a header line is left in peace.
    if (!isOn || !/^\/[\x21-\x7e]+$/.test(path)) return {};
    return {
      prepareRequest: (exchange) => {
        exchange.target = trimPath(exchange.target, path);
      },
      requestHeaders: { hides: new Set(["x-forwarded-prefix"]), lines: `X-Forwarded-Prefix: ${path}\r\n` },
      rewriteResponse: {
        location: (value, exchange) => repairLocation(value, path, exchange.authority),
        "content-location": (value, exchange) => repairLocation(value, path, exchange.authority),
        "set-cookie": (value) => repairCookiePath(value, path),
      },
    };
  },
});

function trimPath(target: string, contextPath: string): string {
  const { length } = contextPath;
  if (target.slice(0, length).toLowerCase() !== contextPath.toLowerCase()) return target;
  const rest = target.slice(length);
  if (rest === "" || rest.startsWith("?")) return `/${rest}`;
  // Anything but a whole segment is another path that happens to begin alike.
  return rest.startsWith("/") ? rest : target;
}
