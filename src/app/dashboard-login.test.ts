import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createTokenIssuer, ensureClient, ensureUser, ADMIN_SCOPES, CF_CLIENT } from "../auth/index.ts";
import { accountLocked, badCredentials, refreshTokenInvalid, tokenInvalid } from "../kernel/errors/auth.ts";
import { createManualClock, silentLogger } from "../kernel/index.ts";
import { openStore } from "../store/index.ts";
import { loginWith, logInWith, needsLogin } from "./dashboard-login.ts";

for (const { login, router, own, want } of [
  { login: "auto", router: "127.0.0.1", own: "127.0.0.1", want: false },
  { login: "auto", router: "127.8.8.8", own: "::1", want: false },
  { login: "auto", router: "localhost", own: "127.0.0.1", want: false },
  { login: "auto", router: "0.0.0.0", own: "127.0.0.1", want: true },
  { login: "auto", router: "::", own: "127.0.0.1", want: true },
  { login: "auto", router: "127.0.0.1", own: "10.0.0.1", want: true },
  { login: "auto", router: "127.0.0.1.example.com", own: "127.0.0.1", want: true },
  { login: "never", router: "0.0.0.0", own: "0.0.0.0", want: false },
  { login: "always", router: "127.0.0.1", own: "127.0.0.1", want: true },
] as const) {
  test(`login «${login}» with the router on ${router} and the dashboard on ${own}: ${want}`, () => {
    assert.equal(needsLogin({ host: own, port: 0, login }, router), want);
  });
}

async function startIssuer(t: TestContext) {
  const clock = createManualClock();
  const store = await openStore({ kind: "sqlite", path: ":memory:" }, { log: silentLogger, clock });
  t.after(() => store.close());
  await ensureClient({ store, clock }, CF_CLIENT);
  await ensureUser({ store, clock }, { username: "ada", password: "secret", scopes: ADMIN_SCOPES });
  await ensureUser({ store, clock }, { username: "dev", password: "secret" });
  const times = { accessTokenTtlMs: 60_000, refreshTokenTtlMs: 600_000 };
  const issuer = createTokenIssuer({ store, clock, issuer: "http://uaa", ...times });
  const refreshTokens = () => store.db.selectFrom("refresh_tokens").selectAll().execute();
  return { clock, issuer, refreshTokens };
}

test("an administrator's password opens the dashboard, and leaves no token behind", async (t) => {
  const { issuer, refreshTokens } = await startIssuer(t);
  const check = loginWith(issuer);
  assert.equal(await check("ada", "secret"), true);
  assert.equal(await check("dev", "secret"), false);
  assert.deepEqual(await refreshTokens(), []);
  for (let i = 0; i < 5; i++) await assert.rejects(check("ada", "wrong"), badCredentials.is);
  await assert.rejects(check("ada", "secret"), accountLocked.is);
});

test("a login for changes has the user's own scopes, renews its token, and leaves none when it ends", async (t) => {
  const { clock, issuer, refreshTokens } = await startIssuer(t);
  const logIn = logInWith(issuer, clock);
  await assert.rejects(logIn("dev", "wrong"), badCredentials.is);
  const login = await logIn("dev", "secret");
  assert.equal(login.username, "dev");
  const first = await login.token();
  const { scope } = await issuer.verifyToken(first);
  assert.ok(!scope.includes("cloud_controller.admin"));
  clock.advance(20_000);
  assert.equal(await login.token(), first);
  clock.advance(10_000);
  const second = await login.token();
  assert.notEqual(second, first, "half a minute before its end");
  assert.equal((await refreshTokens()).length, 1);
  await login.end();
  assert.deepEqual(await refreshTokens(), []);
  await assert.rejects(issuer.verifyToken(second), tokenInvalid.is);
  clock.advance(60_000);
  await assert.rejects(login.token(), refreshTokenInvalid.is);
});
