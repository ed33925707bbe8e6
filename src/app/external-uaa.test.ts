import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { CF_CLIENT, type TokenClaims } from "../auth/index.ts";
import { tokenInvalid, uaaRefused, uaaUnavailable } from "../kernel/errors/auth.ts";
import { createManualClock } from "../kernel/index.ts";
import { logInWith } from "./dashboard-login.ts";
import { createExternalUaa } from "./external-uaa.ts";

/** A UAA that answers what it is told to, and keeps what it was asked. Its tokens are their own numbers. */
async function startUaa(t: TestContext) {
  const asked: string[] = [];
  const next: { status: number; body: string } = { status: 200, body: "{}" };
  const server = createServer(async (request, answer) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization} ${await text(request)}`);
    answer.writeHead(next.status, { "content-type": "application/json" }).end(next.body);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.closeAllConnections());
  t.after(() => server.close());
  const verifyToken = async (token: string) => {
    if (token === "forged") throw tokenInvalid({ reason: "signature verification failed" });
    return {
      scope: ["a.read", "b.read"],
      jti: `jti of ${token}`,
      iat: 100,
      exp: 160,
    } as never as TokenClaims;
  };
  const uaa = createExternalUaa(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, {
    verifyToken,
  });
  const answer = (body: object | string, status = 200) =>
    Object.assign(next, { status, body: typeof body === "string" ? body : JSON.stringify(body) });
  return { uaa, asked, answer, server };
}

const ADA = { client: CF_CLIENT, username: "ada", password: "a&b" };

test("a password is traded as the command line does it, and the token says what it is good for", async (t) => {
  const { uaa, asked, answer } = await startUaa(t);
  answer({ access_token: "1", refresh_token: "r", token_type: "bearer", expires_in: 9 });
  assert.deepEqual(await uaa.grantPassword(ADA), {
    access_token: "1",
    token_type: "bearer",
    refresh_token: "r",
    expires_in: 60,
    scope: "a.read b.read",
    jti: "jti of 1",
  });
  const basic = `Basic ${Buffer.from("cf:").toString("base64")}`;
  assert.deepEqual(asked, [`POST /oauth/token ${basic} grant_type=password&username=ada&password=a%26b`]);
});

test("a login for changes renews its token there, before it ends", async (t) => {
  const { uaa, asked, answer } = await startUaa(t);
  const clock = createManualClock();
  answer({ access_token: "1", refresh_token: "r" });
  const login = await logInWith(uaa, clock)("ada", "a");
  answer({ access_token: "2" });
  assert.equal(await login.token(), "1");
  clock.advance(30_000);
  assert.equal(await login.token(), "2");
  assert.match(asked.at(-1) ?? "", / grant_type=refresh_token&refresh_token=r$/);
  await login.end();
});

for (const { name, status, body, error, says } of [
  {
    name: "a refusal in its own words",
    status: 401,
    body: { error: "unauthorized", error_description: "Your account has been locked" },
    error: uaaRefused,
    says: /: Your account has been locked$/,
  },
  { name: "a refusal without words", status: 403, body: "no", error: uaaRefused, says: /it answered 403/ },
  { name: "its own trouble", status: 500, body: {}, error: uaaUnavailable, says: /it answered 500/ },
  { name: "no token", status: 200, body: "<html>", error: uaaUnavailable, says: /it answered 200/ },
  {
    name: "a token that its keys did not sign",
    status: 200,
    body: { access_token: "forged" },
    error: tokenInvalid,
    says: /signature/,
  },
]) {
  test(`nobody is logged in by ${name}`, async (t) => {
    const { uaa, answer } = await startUaa(t);
    answer(body, status);
    await assert.rejects(
      uaa.grantPassword(ADA),
      (thrown) => error.is(thrown) && says.test((thrown as Error).message),
    );
  });
}

test("a UAA that is away is told from a wrong password", async (t) => {
  const { uaa, server } = await startUaa(t);
  server.close();
  await once(server, "close");
  await assert.rejects(uaa.grantPassword(ADA), uaaUnavailable.is);
});
