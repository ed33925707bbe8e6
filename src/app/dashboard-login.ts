/** Who may see the dashboard of `viaduct up`, and whether anybody has to log in for it. */
import { isIP } from "node:net";
import { CF_CLIENT, type TokenIssuer } from "../auth/index.ts";
import type { CheckLogin, DashboardConfig } from "../dashboard/index.ts";

/** Scopes that see every route of the API too. */
const SEES_EVERYTHING = [
  "cloud_controller.admin",
  "cloud_controller.admin_read_only",
  "cloud_controller.global_auditor",
];

/** @param routerHost  Where the router listens, which leads to the dashboard. */
export function needsLogin(config: DashboardConfig, routerHost: string): boolean {
  if (config.login !== "auto") return config.login === "always";
  return ![routerHost, config.host].every(isLoopback);
}

function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith("127.");
  return host === "::1" || host === "localhost";
}

/** Checks a password as a login of the command line does, with the same limit on guesses, and keeps no token. */
export function loginWith(issuer: TokenIssuer): CheckLogin {
  return async (username, password) => {
    const { scope, jti } = await issuer.grantPassword({ client: CF_CLIENT, username, password });
    await issuer.revoke(`${jti}-r`);
    const scopes = scope.split(" ");
    return SEES_EVERYTHING.some((each) => scopes.includes(each));
  };
}
