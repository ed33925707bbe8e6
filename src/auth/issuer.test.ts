import assert from "node:assert/strict";
import { createHook } from "node:async_hooks";
import { test, type TestContext } from "node:test";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { accountLocked, tokenInvalid } from "../kernel/errors/auth.ts";
import { encodeJson } from "../store/index.ts";
import { oauthErrorBody } from "./oauth-error.ts";
import { ensureClient, ensureUser, USER_SCOPES } from "./seed.ts";
import {
  ADA,
  anotherIssuer,
  CF,
  EMITTER,
  ISSUER,
  REFRESH_TTL_MS,
  startIssuer,
  type TestIssuer,
} from "../../test/support/issuer.ts";

const logIn = ({ issuer }: Pick<TestIssuer, "issuer">, scope?: readonly string[]) =>
  issuer.grantPassword({ client: CF, ...ADA, scope });

const BAD_CREDENTIALS = { error: "unauthorized", error_description: "Bad credentials" };

/** The call fails with exactly this body at the token endpoint. */
async function assertRefused(
  call: Promise<unknown>,
  body: { error: string; error_description: string },
  status = 401,
) {
  await assert.rejects(call, (error: { status?: number }) => {
    assert.deepEqual(oauthErrorBody(error), body);
    assert.equal(error.status, status);
    return true;
  });
}

// --- what a token says ---

test("a user's token carries UAA's claims and nothing else", async (t) => {
  const uaa = await startIssuer(t);
  const response = await logIn(uaa);
  const { guid } = await uaa.store.db.selectFrom("users").select("guid").executeTakeFirstOrThrow();
  const iat = uaa.clock.nowMs() / 1000;
  const { rev_sig, ...claims } = decodeJwt(response.access_token);
  assert.match(String(rev_sig), /^[0-9a-f]{8}$/);
  assert.deepEqual(claims, {
    jti: response.jti,
    sub: guid,
    user_id: guid,
    user_name: "ada",
    email: "ada@example.com",
    origin: "uaa",
    client_id: "cf",
    cid: "cf",
    azp: "cf",
    grant_type: "password",
    scope: [...USER_SCOPES],
    aud: ["cloud_controller", "openid", "password", "uaa", "cf"],
    iat,
    exp: iat + 600,
    iss: ISSUER,
    zid: "uaa",
  });
  const { kid } = await uaa.issuer.tokenKey();
  assert.deepEqual(decodeProtectedHeader(response.access_token), { alg: "RS256", kid, typ: "JWT" });
});

test("the answer to a password is what the cf CLI reads", async (t) => {
  const { access_token, refresh_token, jti, ...rest } = await logIn(await startIssuer(t));
  assert.match(access_token, /^[\w-]+\.[\w-]+\.[\w-]+$/);
  assert.match(refresh_token ?? "", /^[\w-]{43}-r$/);
  assert.match(jti, /^[0-9a-f-]{36}$/);
  assert.deepEqual(rest, { token_type: "bearer", expires_in: 599, scope: USER_SCOPES.join(" ") });
});

test("a client's own token names no user and cannot be refreshed", async (t) => {
  const { issuer } = await startIssuer(t);
  const response = await issuer.grantClientCredentials({ client: EMITTER });
  assert.equal("refresh_token" in response, false);
  const { jti, iat, exp, rev_sig, ...claims } = await issuer.verifyToken(response.access_token);
  assert.deepEqual([jti, exp - iat, rev_sig.length], [response.jti, 600, 8]);
  assert.deepEqual(claims, {
    sub: "emitter",
    client_id: "emitter",
    cid: "emitter",
    azp: "emitter",
    grant_type: "client_credentials",
    scope: ["routing.routes.write", "routing.routes.read"],
    aud: ["routing.routes", "emitter"],
    iss: ISSUER,
    zid: "uaa",
  });
});

test("a token carries what was asked for, of what user and client share", async (t) => {
  const uaa = await startIssuer(t);
  assert.equal((await logIn(uaa, ["openid", "cloud_controller.admin"])).scope, "openid");
  await assertRefused(logIn(uaa, ["cloud_controller.admin"]), {
    error: "invalid_scope",
    error_description:
      '["cloud_controller.admin"] is invalid. This user is not allowed any of the requested scopes',
  });
  await ensureClient(uaa, { ...CF, grantTypes: ["password"], scopes: ["openid", "scim.read"] });
  const response = await logIn(uaa);
  assert.equal(response.scope, "openid");
  assert.equal("refresh_token" in response, false);
});

test("the revocation signature changes with the password", async (t) => {
  const uaa = await startIssuer(t);
  const before = decodeJwt((await logIn(uaa)).access_token)["rev_sig"];
  assert.equal(decodeJwt((await logIn(uaa)).access_token)["rev_sig"], before);
  await ensureUser(uaa, { username: "ada", password: "byron" });
  const response = await uaa.issuer.grantPassword({ client: CF, username: "ada", password: "byron" });
  assert.notEqual(decodeJwt(response.access_token)["rev_sig"], before);
});

// --- who gets one ---

test("a wrong password, an unknown name, a disabled account and a wrong client read the same", async (t) => {
  const { issuer, store } = await startIssuer(t);
  const attempts = [
    () => issuer.grantPassword({ client: CF, username: "ada", password: "Lovelace" }),
    () => issuer.grantPassword({ client: CF, username: "babbage", password: "lovelace" }),
    () => issuer.grantPassword({ client: { id: "cf", secret: "x" }, ...ADA }),
    () => issuer.grantPassword({ client: { id: "nobody", secret: "" }, ...ADA }),
    () => issuer.grantClientCredentials({ client: { ...EMITTER, secret: "" } }),
  ];
  for (const attempt of attempts) await assertRefused(attempt(), BAD_CREDENTIALS);
  await store.db.updateTable("users").set({ active: false }).execute();
  await assertRefused(issuer.grantPassword({ client: CF, ...ADA }), BAD_CREDENTIALS);
});

test("an unknown name costs as much hashing and as many writes as a known one", async (t) => {
  const { issuer, store } = await startIssuer(t);
  const cost = async (username: string) => {
    let hashes = 0;
    const hook = createHook({
      init: (_, type) => {
        if (type === "SCRYPTREQUEST") hashes += 1;
      },
    }).enable();
    await assertRefused(issuer.grantPassword({ client: CF, username, password: "x" }), BAD_CREDENTIALS);
    hook.disable();
    const { length: rows } = await store.db.selectFrom("login_attempts").selectAll().execute();
    await store.db.deleteFrom("login_attempts").execute();
    return { hashes, rows };
  };
  assert.deepEqual(await cost("ada"), { hashes: 1, rows: 1 });
  assert.deepEqual(await cost("babbage"), { hashes: 1, rows: 1 });
});

test("a user name is the same in any case, and keeps the case it was made with", async (t) => {
  const { issuer } = await startIssuer(t);
  const response = await issuer.grantPassword({ client: CF, username: "ADA", password: ADA.password });
  assert.equal(decodeJwt(response.access_token)["user_name"], "ada");
});

test("a client gets only the grants it was made for", async (t) => {
  const { issuer } = await startIssuer(t);
  await assertRefused(issuer.grantClientCredentials({ client: CF }), {
    error: "unauthorized_client",
    error_description: "Unauthorized grant type: client_credentials for client cf",
  });
});

// --- guessing ---

for (const username of ["ada", "babbage"]) {
  test(`five wrong passwords lock the name ${username} for a time that doubles`, async (t) => {
    const { issuer, clock } = await startIssuer(t);
    const guess = (password = "x") => issuer.grantPassword({ client: CF, username, password });
    const LOCKED = "Your account has been locked because of too many failed attempts to login.";
    const assertLocked = (login: Promise<unknown>, forSeconds: number) =>
      assert.rejects(login, (error) => {
        assert(accountLocked.is(error));
        assert.deepEqual([error.message, error.details], [LOCKED, { forSeconds }]);
        return true;
      });
    for (let i = 0; i < 5; i++) await assertRefused(guess(), BAD_CREDENTIALS);
    await assertLocked(guess(ADA.password), 30);
    clock.advance(29_001);
    await assertLocked(guess(), 1);
    clock.advance(999);
    await assertRefused(guess(), BAD_CREDENTIALS);
    await assertLocked(guess(), 60);
    clock.advance(60_000);
    for (const seconds of [120, 240, 480, 960, 1920, 3600, 3600]) {
      await assertRefused(guess(), BAD_CREDENTIALS);
      await assertLocked(guess(), seconds);
      clock.advance(seconds * 1000);
    }
  });
}

test("the right password ends the counting, and so do two quiet hours", async (t) => {
  const { issuer, clock } = await startIssuer(t);
  const guess = (password: string) => issuer.grantPassword({ client: CF, username: "ada", password });
  for (const reset of [() => guess(ADA.password), async () => clock.advance(7_200_001)]) {
    for (let i = 0; i < 4; i++) await assertRefused(guess("x"), BAD_CREDENTIALS);
    await reset();
  }
  for (let i = 0; i < 5; i++) await assertRefused(guess("x"), BAD_CREDENTIALS);
});

test("twenty guesses at once are five guesses", async (t) => {
  const { issuer } = await startIssuer(t);
  const guesses = await Promise.allSettled(
    Array.from({ length: 20 }, () => issuer.grantPassword({ client: CF, username: "ada", password: "x" })),
  );
  const codes = guesses.map((guess) =>
    guess.status === "rejected" ? (guess.reason as { code: string }).code : "",
  );
  assert.equal(codes.filter((code) => code === "bad_credentials").length, 5);
  assert.equal(codes.filter((code) => code === "account_locked").length, 15);
});

test("twenty right passwords at once are no guesses", async (t) => {
  const { issuer } = await startIssuer(t);
  const { username, password } = ADA;
  const logins = Array.from({ length: 20 }, () => issuer.grantPassword({ client: CF, username, password }));
  assert.equal((await Promise.all(logins)).length, 20);
});

// --- refreshing ---

test("a refresh token gives new access tokens and stays the same, also for two at once", async (t) => {
  const { issuer } = await startIssuer(t);
  const first = await logIn({ issuer });
  const refreshToken = first.refresh_token ?? "";
  const [a, b] = await Promise.all([1, 2].map(() => issuer.grantRefreshToken({ client: CF, refreshToken })));
  assert.equal(new Set([first.jti, a?.jti, b?.jti]).size, 3);
  assert.deepEqual([a?.refresh_token, b?.refresh_token], [refreshToken, refreshToken]);
  const claims = await issuer.verifyToken(a?.access_token ?? "");
  assert.deepEqual(
    [claims.user_name, claims.grant_type, claims.scope],
    ["ada", "password", [...USER_SCOPES]],
  );
});

test("a refreshed token loses the scopes the user has lost, and gains none", async (t) => {
  const { issuer, store } = await startIssuer(t);
  const { refresh_token: refreshToken = "" } = await logIn({ issuer }, ["openid", "password.write"]);
  const scopes = encodeJson(["openid", "cloud_controller.admin"]);
  await store.db.updateTable("users").set({ scopes }).execute();
  assert.equal((await issuer.grantRefreshToken({ client: CF, refreshToken })).scope, "openid");
});

const refreshFailures: readonly {
  readonly name: string;
  readonly spoil: (
    uaa: TestIssuer,
    refreshToken: string,
  ) => Promise<{ refreshToken?: string; client?: typeof CF }>;
  readonly reason: RegExp;
}[] = [
  {
    name: "was never given",
    spoil: async () => ({ refreshToken: "guess-r" }),
    reason: /it is unknown or revoked/,
  },
  {
    name: "is too old",
    spoil: async ({ clock }) => {
      clock.advance(REFRESH_TTL_MS);
      return {};
    },
    reason: /it expired at 2026-01-02T00:00:00\.000Z/,
  },
  {
    name: "was given to another client",
    spoil: async (uaa) => {
      const client = { id: "other", secret: "" };
      await ensureClient(uaa, { ...client, grantTypes: ["refresh_token"] });
      return { client };
    },
    reason: /it belongs to another client/,
  },
  {
    name: "belongs to a disabled account",
    spoil: async ({ store }) => {
      await store.db.updateTable("users").set({ active: false }).execute();
      return {};
    },
    reason: /its user may not log in/,
  },
  {
    name: "belongs to a deleted account",
    spoil: async ({ store }) => {
      await store.db.deleteFrom("users").execute();
      return {};
    },
    reason: /it is unknown or revoked/,
  },
  {
    name: "is older than the password",
    spoil: async (uaa) => {
      await ensureUser(uaa, { username: "ada", password: "byron" });
      return {};
    },
    reason: /it is unknown or revoked/,
  },
  {
    name: "was revoked",
    spoil: async ({ issuer, store }) => {
      const { jti } = await store.db.selectFrom("refresh_tokens").select("jti").executeTakeFirstOrThrow();
      await issuer.revoke(jti);
      return {};
    },
    reason: /it is unknown or revoked/,
  },
];
for (const { name, spoil, reason } of refreshFailures) {
  test(`a refresh token that ${name} is refused`, async (t) => {
    const uaa = await startIssuer(t);
    const { refresh_token: refreshToken = "" } = await logIn(uaa);
    const spoilt = await spoil(uaa, refreshToken);
    await assert.rejects(
      uaa.issuer.grantRefreshToken({ client: CF, refreshToken, ...spoilt }),
      (error: Error) => {
        assert.equal(oauthErrorBody(error)?.error, "invalid_token");
        assert.match(error.message, reason);
        return true;
      },
    );
  });
}

test("the database does not hold what one could log in with", async (t) => {
  const { issuer, store } = await startIssuer(t);
  const { refresh_token = "", access_token } = await logIn({ issuer });
  const tables = ["users", "clients", "refresh_tokens", "login_attempts"] as const;
  const all = JSON.stringify(
    await Promise.all(tables.map((table) => store.db.selectFrom(table).selectAll().execute())),
  );
  for (const secret of [refresh_token, access_token, ADA.password, EMITTER.secret]) {
    assert.equal(all.includes(secret), false);
  }
});

// --- checking ---

test("a token is good until its last second and refused from then on", async (t) => {
  const uaa = await startIssuer(t);
  const { access_token } = await logIn(uaa);
  uaa.clock.advance(599_999);
  await uaa.issuer.verifyToken(access_token);
  uaa.clock.advance(1);
  await assert.rejects(uaa.issuer.verifyToken(access_token), /it expired at 2026-01-01T00:10:00\.000Z/);
});

test("a revoked token is refused everywhere, others of the same user are not", async (t) => {
  const uaa = await startIssuer(t);
  const [revoked, other] = [await logIn(uaa), await logIn(uaa)];
  await uaa.issuer.revoke(revoked.jti);
  await uaa.issuer.revoke(revoked.jti);
  for (const issuer of [uaa.issuer, anotherIssuer(uaa)]) {
    await assert.rejects(
      issuer.verifyToken(revoked.access_token),
      (error) => tokenInvalid.is(error) && /revoked/.test(error.message),
    );
    await issuer.verifyToken(other.access_token);
  }
});

// --- keys ---

test("processes that start at once sign with one key", async (t: TestContext) => {
  const uaa = await startIssuer(t);
  const issuers = [uaa.issuer, anotherIssuer(uaa), anotherIssuer(uaa)];
  const responses = await Promise.all(issuers.map((issuer) => logIn({ issuer })));
  const kids = responses.map((response) => decodeProtectedHeader(response.access_token).kid);
  assert.equal(new Set(kids).size, 1);
  await Promise.all(issuers.map((issuer) => issuer.verifyToken(responses[0]?.access_token ?? "")));
});

test("after a rotation old tokens stay good until they expire, and new ones have the new key at once", async (t) => {
  const uaa = await startIssuer(t);
  const other = anotherIssuer(uaa);
  const old = await logIn(uaa);
  await logIn({ issuer: other });
  const [oldKey] = (await uaa.issuer.tokenKeys()).keys;
  uaa.clock.advance(1_000);
  await uaa.issuer.rotateKey();
  const fresh = await logIn(uaa);
  const kids = (await uaa.issuer.tokenKeys()).keys.map((key) => key.kid);
  assert.deepEqual(kids, [decodeProtectedHeader(fresh.access_token).kid, oldKey?.kid]);
  assert.equal((await uaa.issuer.tokenKey()).kid, kids[0]);
  for (const issuer of [uaa.issuer, other]) {
    await issuer.verifyToken(old.access_token);
    uaa.clock.advance(1_001);
    await issuer.verifyToken(fresh.access_token);
  }
  // Nothing the retired key signed can be alive by now.
  uaa.clock.advance(600_000);
  assert.deepEqual(
    (await other.tokenKeys()).keys.map((key) => key.kid),
    [kids[0]],
  );
  await uaa.issuer.rotateKey();
  assert.equal((await uaa.store.db.selectFrom("signing_keys").select("kid").execute()).length, 2);
});

test("the key documents are JWKs with a PEM beside them", async (t) => {
  const { issuer } = await startIssuer(t);
  const { kid, n, value, ...rest } = await issuer.tokenKey();
  assert.deepEqual(rest, { kty: "RSA", use: "sig", alg: "RS256", e: "AQAB" });
  assert.equal(Buffer.from(n, "base64url").length, 256);
  assert.match(value, /^-----BEGIN PUBLIC KEY-----\n/);
  assert.match(kid, /^[0-9a-f-]{36}$/);
});

// --- accounts ---

test("an account that is there is brought to what is asked and keeps its GUID", async (t) => {
  const uaa = await startIssuer(t);
  const guid = await ensureUser(uaa, { ...ADA, email: "ada@example.com" });
  const before = await uaa.store.db.selectFrom("users").selectAll().execute();
  uaa.clock.advance(1_000);
  assert.equal(await ensureUser(uaa, { ...ADA, email: "ada@example.com" }), guid);
  assert.deepEqual(await uaa.store.db.selectFrom("users").selectAll().execute(), before);
  assert.equal(await ensureUser(uaa, { username: "Ada", password: "byron", scopes: ["openid"] }), guid);
  const response = await uaa.issuer.grantPassword({ client: CF, username: "ada", password: "byron" });
  assert.equal(response.scope, "openid");
});

test("two processes may make the same account at once", async (t) => {
  const uaa = await startIssuer(t);
  const guids = await Promise.all(
    [1, 2].map(() => ensureUser(uaa, { username: "grace", password: "hopper" })),
  );
  assert.equal(new Set(guids).size, 1);
});

test("a client's changed secret replaces the old one", async (t) => {
  const uaa = await startIssuer(t);
  const renewed = { ...EMITTER, secret: "new-secret" };
  await ensureClient(uaa, { ...renewed, grantTypes: ["client_credentials"] });
  await assertRefused(uaa.issuer.grantClientCredentials({ client: EMITTER }), BAD_CREDENTIALS);
  await uaa.issuer.grantClientCredentials({ client: renewed });
});

test("only refusals of the client have a body at the token endpoint", () => {
  assert.equal(oauthErrorBody(new Error("disk full")), null);
  assert.deepEqual(oauthErrorBody(tokenInvalid({ reason: "x" })), {
    error: "invalid_token",
    error_description: "the token is refused: x",
  });
});
