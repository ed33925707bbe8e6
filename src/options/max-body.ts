import { Type } from "typebox";
import { requestBodyTooLarge } from "../kernel/errors/options.ts";
import { parseBytes, setting } from "../kernel/index.ts";
import { defineOption } from "./define.ts";

/** Longest body of a request. */
export default defineOption({
  name: "max-body",
  summary: "How long the body of a request may be.",
  details:
    "A number with `B`, `KB`, `MB`, `GB` or `KiB`, `MiB`, `GiB`. A longer request gets 413: one that says its length before the app " +
    "sees anything of it, one that does not (chunked) when it has sent that much; then the app's connection is cut, and the " +
    "client is answered, or cut off if the app has answered already. A route service is not: there what it hands back counts. " +
    "`0B` takes no body at all. What goes through a WebSocket is no body.",
  schema: Type.String({
    description: "a size with a unit, like `512KiB` or `10MB`",
    maxLength: 16,
    pattern: "^\\d{1,6} ?(?:[KMG]i?)?B$",
  }),
  protocols: ["http1", "http2"],
  since: "0.1",
  examples: [
    { value: "10MB", effect: "an upload of more than 10,000,000 bytes gets 413" },
    { value: "64KiB", effect: "65,536 bytes are taken, one more is not" },
  ],
  refusal: (given) =>
    /^\d+$/.test(String(given))
      ? `Max body must have a unit: ${String(given)}B`
      : "Max body must be a size with a unit, like 512KiB or 10MB",
  operator: {
    smallestMaxBodyBytes: setting.bytes({
      key: "smallest_max_body",
      default: "0B",
      describe: "Smallest body that a route's `max-body` must let through.",
    }),
    largestMaxBodyBytes: setting.bytes({
      key: "largest_max_body",
      default: "999999GiB",
      describe: "Largest body that a route's `max-body` may let through.",
    }),
  },
  check(text, { operator: { smallestMaxBodyBytes, largestMaxBodyBytes } }) {
    const bytes = bytesOf(text);
    if (bytes > largestMaxBodyBytes)
      return `${text} is more than the ${largestMaxBodyBytes} bytes that the operator allows`;
    return (
      bytes >= smallestMaxBodyBytes ||
      `${text} is less than the ${smallestMaxBodyBytes} bytes that the operator wants let through`
    );
  },
  refusesWith: [requestBodyTooLarge],
  explain: (text) => `requests with more than ${bytesOf(text)} bytes of body get 413`,
  hooks(text) {
    const limitBytes = bytesOf(text);
    return {
      admit(exchange) {
        if (exchange.contentLength > limitBytes) throw requestBodyTooLarge({ limitBytes });
        return null;
      },
      maxChunkedBodyBytes: limitBytes,
    };
  },
});

/** Of a value that the schema took. */
const bytesOf = (text: string): number => parseBytes(text) ?? 0;
