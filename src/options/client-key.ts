import { isIPv6 } from "node:net";

const NETWORK_GROUPS = 4;

/**
 * Whom a client counts as: its address, or the /64 of an IPv6 address, which is what one customer has at least; by
 * address alone it could be a new client with every request.
 */
export function clientKey(address: string): string {
  if (!isIPv6(address)) return address;
  const [before = "", after] = address.split("::");
  const groups = before === "" ? [] : before.split(":");
  if (after !== undefined) {
    const behind = after === "" ? 0 : after.split(":").length + (after.includes(".") ? 1 : 0);
    while (groups.length + behind < 8) groups.push("0");
  }
  // What `::` left out may begin or end within these.
  const known = after === undefined || after === "" ? groups : [...groups, ...after.split(":")];
  const network = known.slice(0, NETWORK_GROUPS).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(":")}::/64`;
}
