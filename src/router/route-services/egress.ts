/**
 * Which addresses a route service may be at. Whoever may bind a service chooses its URL, and the router calls it from
 * inside the platform's network: without this, the URL of an internal machine would be a door to it (CVE-2026-22726).
 *
 * Judged are addresses, never names: a name is resolved here, and the connection goes to one of the addresses that
 * were judged, so that a name that means something else a moment later gains nothing.
 */
import { lookup as systemLookup } from "node:dns";
import { BlockList, isIP, isIPv4, type LookupFunction } from "node:net";
import { routeServiceAddressRefused } from "../../kernel/errors/route-services.ts";

/** This machine, its link, networks that are not routed on the internet, and what is no single machine. */
const REFUSED_NETWORKS = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "224.0.0.0/4",
  "240.0.0.0/4",
  // Loopback and «no address», and other spellings of IPv4 addresses: compatible, 6to4, translators.
  "::/96",
  "2002::/16",
  "64:ff9b::/96",
  "64:ff9b:1::/48",
  "fc00::/7",
  "fe80::/10",
  "fec0::/10",
  "ff00::/8",
];

export interface EgressPolicy {
  allows(address: string): boolean;
}

/** The sentence for a network that is none, or null. */
export function networkProblem(network: string): string | null {
  const [address = "", prefix = "", rest] = network.split("/");
  const bits = isIPv4(address) ? 32 : isIP(address) === 6 ? 128 : -1;
  if (rest === undefined && /^\d{1,3}$/.test(prefix) && Number(prefix) <= bits) return null;
  return `${JSON.stringify(network)} is not a network; write one like 10.0.0.0/8`;
}

/** @param allowedNetworks  Allowed although they are among the refused ones; without problems. */
export function createEgressPolicy(allowedNetworks: readonly string[]): EgressPolicy {
  const refused = blockListOf(REFUSED_NETWORKS);
  const allowed = blockListOf(allowedNetworks);
  return {
    allows(address) {
      if (isIP(address) === 0 || address.includes("%")) return false;
      // An IPv4 address in IPv6 (`::ffff:a.b.c.d`) is checked as what it stands for.
      const family = isIPv4(address) ? "ipv4" : "ipv6";
      return !refused.check(address, family) || allowed.check(address, family);
    },
  };
}

/**
 * The `lookup` of a socket: as the system's, less the addresses that are refused. Fails with
 * `routeServiceAddressRefused` when none is left. Not called for hosts that are addresses: judge those yourself.
 */
export function guardedLookup(
  policy: EgressPolicy,
  service: string,
  lookup: typeof systemLookup = systemLookup,
): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) {
        callback(error, "", 0);
        return;
      }
      const allowed = addresses.filter(({ address }) => policy.allows(address));
      const [first] = allowed;
      if (first === undefined) {
        const found = addresses.map(({ address }) => address).join(", ");
        callback(routeServiceAddressRefused({ service }, new Error(`${hostname} is ${found}`)), "", 0);
      } else if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

function blockListOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", prefix = ""] = network.split("/");
    list.addSubnet(address, Number(prefix), isIPv4(address) ? "ipv4" : "ipv6");
  }
  return list;
}
