import { BlockList, isIPv4, isIPv6 } from "node:net";
import { Type } from "typebox";
import { clientNotAllowed } from "../kernel/errors/options.ts";
import { setting } from "../kernel/index.ts";
import { defineOption } from "./define.ts";

const MAX_CHARACTERS = 960;

/** Who may come at all, by address. */
export default defineOption({
  name: "allowed-ranges",
  summary: "Which addresses clients may come from; all others get 403.",
  details:
    "Networks like `203.0.113.0/24` or `2001:db8::/32`, or single addresses, with commas between. The client is the other end of the " +
    "connection, or what the PROXY protocol says where the router takes it: behind a load balancer that says nothing, all " +
    "clients have the load balancer's address, and `X-Forwarded-For` is not believed. Requests that a route service hands " +
    "back were judged when they came. A router that is told networks that are none lets everybody in and says so in its log.",
  schema: Type.String({
    description: "networks, with commas between",
    minLength: 2,
    maxLength: MAX_CHARACTERS,
  }),
  protocols: ["http1", "http2"],
  since: "0.1",
  examples: [
    { value: "203.0.113.0/24, 2001:db8::/32", effect: "clients elsewhere get 403" },
    { value: "198.51.100.7", effect: "one address and no other" },
  ],
  refusal: (given) =>
    typeof given === "string" && given.length > MAX_CHARACTERS
      ? `Allowed ranges must be at most ${MAX_CHARACTERS} characters`
      : "Allowed ranges must be networks like '203.0.113.0/24, 2001:db8::/32'",
  operator: {
    maxAllowedRanges: setting.integer({
      key: "max_allowed_ranges",
      default: 128,
      minimum: 1,
      describe:
        "Most networks that a route's `allowed-ranges` may name; a request may be compared with each.",
    }),
  },
  check(text, { operator }) {
    const ranges = rangesOf(text);
    if (ranges.length > operator.maxAllowedRanges)
      return `${ranges.length} networks are more than the ${operator.maxAllowedRanges} that the operator allows`;
    return ranges.map(problemOf).find((problem) => problem !== null) ?? true;
  },
  refusesWith: [clientNotAllowed],
  explain: (text) => `clients at other addresses than ${rangesOf(text).join(" or ")} get 403`,
  hooks(text) {
    const allowed = new BlockList();
    for (const range of rangesOf(text)) {
      const { address, bits, family } = read(range);
      allowed.addSubnet(address, bits, family);
    }
    return {
      admit(exchange) {
        const { host, clientAddress: client } = exchange;
        if (allowed.check(client, isIPv4(client) ? "ipv4" : "ipv6")) return null;
        throw clientNotAllowed({ host, client });
      },
    };
  },
});

const rangesOf = (text: string) => text.split(",").map((range) => range.trim());

function read(range: string) {
  const [address = "", length] = range.split("/");
  const family: "ipv4" | "ipv6" = isIPv4(address) ? "ipv4" : "ipv6";
  const most = family === "ipv4" ? 32 : 128;
  return { address, family, most, bits: length === undefined ? most : Number(length) };
}

function problemOf(range: string): string | null {
  const { address, most, bits } = read(range);
  const isAddress = isIPv4(address) || (isIPv6(address) && !address.includes("%"));
  if (!isAddress || !/^[^/]+(?:\/\d{1,3})?$/.test(range) || bits > most)
    return `'${range}' is not a network; write one like 203.0.113.0/24 or 2001:db8::/32`;
  // Clients with IPv4 are known by their IPv4 address, so nobody would ever be in it.
  if (/^::ffff:/i.test(address)) return `'${range}' is IPv4 in IPv6; write it as IPv4`;
  return null;
}
