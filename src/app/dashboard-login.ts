/** Who may see the dashboard of `viaduct up`, and whether anybody has to log in for it. */
import { isIP } from "node:net";
import { CF_CLIENT } from "../auth/index.ts";
import type { CheckLogin, DashboardConfig, LogIn } from "../dashboard/index.ts";
import type { Clock } from "../kernel/index.ts";
import type { Uaa } from "./external-uaa.ts";

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
export function loginWith(uaa: Uaa): CheckLogin {
  return async (username, password) => {
    const { scope, jti } = await uaa.grantPassword({ client: CF_CLIENT, username, password });
    await uaa.revoke(`${jti}-r`);
    const scopes = scope.split(" ");
    return SEES_EVERYTHING.some((each) => scopes.includes(each));
  };
}

/** A token is renewed this long before it ends, so that it lasts for the call it is for. */
const RENEW_BEFORE_MS = 30_000;

/** Logs in for changes: tokens as the command line gets them, renewed while the dashboard needs them. */
export function logInWith(uaa: Uaa, clock: Clock): LogIn {
  return async (username, password) => {
    let granted = await uaa.grantPassword({ client: CF_CLIENT, username, password });
    const { jti: firstJti, refresh_token: refreshToken } = granted;
    const renewAt = () => clock.monotonicMs() + granted.expires_in * 1_000 - RENEW_BEFORE_MS;
    let renewAtMs = renewAt();
    return {
      username,
      async token() {
        if (refreshToken !== undefined && clock.monotonicMs() >= renewAtMs) {
          granted = await uaa.grantRefreshToken({ client: CF_CLIENT, refreshToken });
          renewAtMs = renewAt();
        }
        return granted.access_token;
      },
      async end() {
        await uaa.revoke(granted.jti);
        await uaa.revoke(`${firstJti}-r`);
      },
    };
  };
}
