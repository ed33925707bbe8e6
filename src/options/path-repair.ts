/**
 * What an answer of an app says about paths, put back below the path that was trimmed off its request.
 *
 *   route shop.example.com/v2, the app saw /carts
 *   Location: /login                            → /v2/login
 *   Location: https://shop.example.com/login    → https://shop.example.com/v2/login
 *   Location: https://auth.example.com/login    as it is: another host
 *   Location: /v2/login                         as it is: the app knows X-Forwarded-Prefix
 *   Location: login                             as it is: the client resolves it below /v2 by itself
 *   Set-Cookie: sid=1; Path=/                   → sid=1; Path=/v2
 */

/** @param location  Value of `Location` or `Content-Location`. @param authority  The request's Host. */
export function repairLocation(location: string, prefix: string, authority: string): string {
  const absolute = /^(?:https?:)?\/\/([^/?#]*)/i.exec(location);
  if (absolute === null) return location.startsWith("/") ? below(prefix, location) : location;
  const [origin, host = ""] = absolute;
  if (withoutDefaultPort(host) !== withoutDefaultPort(authority)) return location;
  return origin + below(prefix, location.slice(origin.length));
}

/** The `Path` attribute of a cookie; one without is the client's to decide, and right. */
export function repairCookiePath(setCookie: string, prefix: string): string {
  const parts = setCookie.split(";");
  for (let i = 1; i < parts.length; i++) {
    const attribute = /^(\s*path\s*=\s*)(\/.*)$/i.exec(parts[i] as string);
    if (attribute === null) continue;
    const [, name, path = ""] = attribute;
    // A cookie for `/v2/` would not be sent to `/v2`.
    parts[i] = name + (path.trimEnd() === "/" ? prefix : below(prefix, path));
  }
  return parts.join(";");
}

function below(prefix: string, path: string): string {
  const begins = path.slice(0, prefix.length).toLowerCase() === prefix.toLowerCase();
  const next = path[prefix.length];
  if (begins && (next === undefined || next === "/" || next === "?" || next === "#")) return path;
  return prefix + path;
}

/** The app need not know by which scheme its clients come; another port is another server. */
const withoutDefaultPort = (authority: string) => authority.replace(/:(?:80|443)?$/, "").toLowerCase();
