/** How a route is written. */
import type { RowOf } from "../store/index.ts";

/** `host.domain/path`, or `domain:port`. */
export function routeUrl(route: Pick<RowOf<"routes">, "host" | "path" | "port">, domain: string): string {
  if (route.port !== null) return `${domain}:${route.port}`;
  return `${route.host === "" ? domain : `${route.host}.${domain}`}${route.path}`;
}
