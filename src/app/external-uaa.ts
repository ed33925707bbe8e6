/**
 * Logs users of the dashboard in at a UAA of somebody else, as the command line does: by its token endpoint. What it
 * grants counts only if the API would take it, so each token is checked by the UAA's keys.
 */
import type { ClientCredentials, TokenIssuer, TokenResponse, TokenVerifier } from "../auth/index.ts";
import { call } from "../calls/index.ts";
import { uaaRefused, uaaUnavailable } from "../kernel/errors/auth.ts";

/** What the dashboard asks of a UAA. */
export type Uaa = Pick<TokenIssuer, "grantPassword" | "grantRefreshToken" | "revoke">;

const CALL_TIMEOUT_MS = 30_000;

/** @param url  Where its `/oauth/token` is, without that. */
export function createExternalUaa(url: string, verifier: TokenVerifier): Uaa {
  const tokenUrl = `${url}/oauth/token`;

  const grant = async (
    client: ClientCredentials,
    form: Readonly<Record<string, string>>,
  ): Promise<TokenResponse> => {
    const { status, json } = await call({
      method: "POST",
      url: tokenUrl,
      form,
      client: { name: client.id, secret: client.secret },
      timeoutMs: CALL_TIMEOUT_MS,
    }).catch((error: Error) => {
      throw uaaUnavailable({ url: tokenUrl, reason: error.message }, error);
    });
    const answer = (typeof json === "object" && json !== null ? json : {}) as Readonly<
      Record<string, unknown>
    >;
    const said = [answer["error_description"], answer["error"]].find((word) => typeof word === "string");
    const reason = String(said ?? `it answered ${status}`);
    if (status >= 400 && status < 500) throw uaaRefused({ url: tokenUrl, reason });
    const token = answer["access_token"];
    if (status !== 200 || typeof token !== "string") throw uaaUnavailable({ url: tokenUrl, reason });
    const { scope, jti, exp, iat } = await verifier.verifyToken(token);
    const refreshToken = answer["refresh_token"];
    return {
      access_token: token,
      token_type: "bearer",
      ...(typeof refreshToken === "string" && { refresh_token: refreshToken }),
      expires_in: exp - iat,
      scope: scope.join(" "),
      jti,
    };
  };

  return {
    grantPassword: ({ client, username, password }) =>
      grant(client, { grant_type: "password", username, password }),
    grantRefreshToken: ({ client, refreshToken }) =>
      grant(client, { grant_type: "refresh_token", refresh_token: refreshToken }),
    // It keeps no list of signed tokens that one could be struck off: forgotten here, they end at their time.
    async revoke() {},
  };
}
