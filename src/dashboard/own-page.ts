/**
 * Whether a request comes from the dashboard's own page. Any site a user visits can send requests to this machine, so
 * three things are looked at before a change is considered; that nothing is done without a session's key, which only
 * our page has, does not depend on them.
 */
import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";
import { foreignHost, foreignPage } from "../kernel/errors/dashboard.ts";

/**
 * @param hosts  Names under which browsers reach the page, besides addresses and `localhost`.
 * @throws foreignPage, foreignHost
 */
export function demandOwnPage(headers: IncomingHttpHeaders, hosts: readonly string[]): void {
  const { host = "", origin } = headers;
  // A name that somebody else's DNS leads here makes their page look like ours (DNS rebinding); an address cannot.
  const name = nameOf(host);
  if (!isOwnName(name, hosts)) throw foreignHost({ host });
  const site = headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin")
    throw foreignPage({ sentBy: `a ${String(site)} page`, host });
  // The scheme is left out: behind a TLS end before the router nobody here knows it.
  if (origin !== undefined && origin.replace(/^https?:\/\//, "") !== host)
    throw foreignPage({ sentBy: origin, host });
}

function isOwnName(name: string, hosts: readonly string[]): boolean {
  return isIP(name) !== 0 || name === "localhost" || name.endsWith(".localhost") || hosts.includes(name);
}

/** `[::1]:8080` → `::1` */
const nameOf = (host: string): string =>
  host
    .toLowerCase()
    .replace(/:\d+$/, "")
    .replace(/^\[(.*)\]$/, "$1");
