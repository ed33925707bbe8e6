/** The URL of a route service, taken apart once when the route changes. */
import { isIP } from "node:net";

const HTTPS_PORT = 443;

export interface ServiceTarget {
  /** Value of the Host header: with the port when it is not 443. */
  readonly host: string;
  /** Name or address, lower-case, without brackets. */
  readonly hostname: string;
  readonly port: number;
  /** Path and query. */
  readonly requestTarget: string;
  /** For certificates: "" when the host is an address. */
  readonly serverName: string;
}

/** Null when it is no URL that begins with https. */
export function serviceTarget(routeServiceUrl: string): ServiceTarget | null {
  const url = URL.canParse(routeServiceUrl) ? new URL(routeServiceUrl) : null;
  if (url === null || url.protocol !== "https:" || url.hostname === "") return null;
  const hostname = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return {
    host: url.host,
    hostname,
    port: url.port === "" ? HTTPS_PORT : Number(url.port),
    requestTarget: url.pathname + url.search,
    serverName: isIP(hostname) === 0 ? hostname : "",
  };
}
