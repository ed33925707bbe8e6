import assert from "node:assert/strict";
import { createHmac, createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import * as fc from "fast-check";
import { SignJWT } from "jose";
import { tokenInvalid, tokenKeysUnavailable } from "../kernel/errors/auth.ts";
import { createManualClock } from "../kernel/index.ts";
import { CF, ADA, ISSUER, startIssuer } from "../../test/support/issuer.ts";
import { createTokenVerifier } from "./verifier.ts";

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const decode = (part: string | undefined) =>
  JSON.parse(Buffer.from(part ?? "", "base64url").toString()) as object;
const { privateKey: strangerKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });

interface Intact {
  readonly header: string;
  readonly payload: string;
  readonly signature: string;
  readonly kid: string;
  readonly publicPem: string;
}

const forgeries: readonly {
  readonly name: string;
  readonly forge: (intact: Intact) => string | Promise<string>;
}[] = [
  { name: "the empty text", forge: () => "" },
  { name: "two parts only", forge: ({ header, payload }) => `${header}.${payload}` },
  { name: "no signature", forge: ({ header, payload }) => `${header}.${payload}.` },
  {
    name: "more scopes than were signed",
    forge: ({ header, payload, signature }) =>
      `${header}.${encode({ ...decode(payload), scope: ["cloud_controller.admin"] })}.${signature}`,
  },
  {
    name: "a signature with one bit turned",
    forge: ({ header, payload, signature }) => {
      const bytes = Buffer.from(signature, "base64url");
      bytes[40] = (bytes[40] ?? 0) ^ 1;
      return `${header}.${payload}.${bytes.toString("base64url")}`;
    },
  },
  {
    name: "algorithm none, which signs nothing",
    forge: ({ payload, kid }) => `${encode({ alg: "none", kid, typ: "JWT" })}.${payload}.`,
  },
  {
    name: "HS256 with our public key as the secret",
    forge: ({ payload, kid, publicPem }) => {
      const signed = `${encode({ alg: "HS256", kid, typ: "JWT" })}.${payload}`;
      return `${signed}.${createHmac("sha256", publicPem).update(signed).digest("base64url")}`;
    },
  },
  {
    name: "a stranger's key under our key's id",
    forge: ({ payload, kid }) => signAs(strangerKey, kid, decode(payload)),
  },
  {
    name: "a stranger's key that the header brings along",
    forge: ({ payload, kid }) =>
      new SignJWT({ ...decode(payload) })
        .setProtectedHeader({ alg: "RS256", kid, jwk: strangerKey.export({ format: "jwk" }) as never })
        .sign(strangerKey),
  },
  { name: "an unknown key id", forge: ({ payload }) => signAs(strangerKey, "unknown", decode(payload)) },
  {
    name: "no key id",
    forge: ({ payload }) =>
      new SignJWT({ ...decode(payload) }).setProtectedHeader({ alg: "RS256" }).sign(strangerKey),
  },
  {
    name: "a critical header nobody understands",
    forge: ({ payload, signature, kid }) =>
      `${encode({ alg: "RS256", kid, crit: ["x"], x: 1 })}.${payload}.${signature}`,
  },
];

for (const { name, forge } of forgeries) {
  test(`a token is refused that has ${name}`, async (t) => {
    const { issuer } = await startIssuer(t);
    const { access_token } = await issuer.grantPassword({ client: CF, ...ADA });
    const [header = "", payload = "", signature = ""] = access_token.split(".");
    const { kid, value: publicPem } = await issuer.tokenKey();
    const forged = await forge({ header, payload, signature, kid, publicPem });
    await assert.rejects(issuer.verifyToken(forged), (error) => tokenInvalid.is(error));
    await issuer.verifyToken(access_token);
  });
}

test("no text but a token is accepted, and none does worse than be refused", async (t) => {
  const { issuer } = await startIssuer(t);
  const { access_token } = await issuer.grantPassword({ client: CF, ...ADA });
  const part = fc.oneof(fc.string(), fc.constantFrom(...access_token.split(".")), fc.json().map(encode));
  const text = fc.oneof(
    fc.string(),
    fc.array(part, { maxLength: 5 }).map((parts) => parts.join(".")),
  );
  await fc.assert(
    fc.asyncProperty(text, async (candidate) => {
      if (candidate === access_token) return;
      await assert.rejects(issuer.verifyToken(candidate), (error) => tokenInvalid.is(error));
    }),
  );
});

test("a token of another issuer with our key is refused", async (t) => {
  const { issuer, store } = await startIssuer(t);
  const { access_token } = await issuer.grantPassword({ client: CF, ...ADA });
  const key = await store.db.selectFrom("signing_keys").selectAll().executeTakeFirstOrThrow();
  const payload = { ...decode(access_token.split(".")[1]), iss: "http://elsewhere.example.com" };
  const moved = await signAs(createPrivateKey(key.private_pem), key.kid, payload);
  await assert.rejects(issuer.verifyToken(moved), /unexpected "iss" claim value/);
});

// --- an external UAA ---

test("tokens of an external UAA are checked by the keys it publishes", async (t) => {
  const clock = createManualClock();
  const uaa = await startKeyServer(t);
  const verifier = createTokenVerifier({ jwksUrl: uaa.url, expectedIssuer: ISSUER, clock });
  const payload = { jti: "j", sub: "s", client_id: "cf", scope: ["openid"], iat: 1, iss: ISSUER };
  const exp = clock.nowMs() / 1000 + 60;

  const claims = await verifier.verifyToken(await uaa.sign({ ...payload, exp }));
  assert.deepEqual(claims, { ...payload, exp });
  const refused: [object, RegExp][] = [
    [{ ...payload, exp: exp - 61 }, /it expired at/],
    [{ ...payload, exp, iss: "http://elsewhere.example.com" }, /unexpected "iss" claim value/],
    [{ ...payload, exp, client_id: undefined }, /it has no client_id/],
  ];
  for (const [body, reason] of refused) {
    await assert.rejects(uaa.sign(body).then(verifier.verifyToken), (error) => {
      assert(tokenInvalid.is(error));
      assert.match(error.message, reason);
      return true;
    });
  }
  await assert.rejects(
    verifier.verifyToken(await signAs(strangerKey, "unknown", { ...payload, exp })),
    /its key is not one of the published ones/,
  );
});

test("a UAA whose keys cannot be fetched blames nobody's token, and works again when it is back", async (t) => {
  const clock = createManualClock();
  const uaa = await startKeyServer(t);
  const verifier = createTokenVerifier({ jwksUrl: uaa.url, clock });
  const exp = clock.nowMs() / 1000 + 60;
  const token = await uaa.sign({ jti: "j", sub: "s", client_id: "cf", scope: [], iat: 1, exp });
  uaa.setStatus(503);
  await assert.rejects(verifier.verifyToken(token), (error) => {
    assert(tokenKeysUnavailable.is(error));
    assert.equal(error.status, 503);
    assert.match(error.message, /the token keys at http:\/\/127\.0\.0\.1:\d+\/token_keys cannot be fetched/);
    return true;
  });
  uaa.setStatus(200);
  assert.equal((await verifier.verifyToken(token)).sub, "s");
});

test("our own tokens are checked by the issuer itself", async (t) => {
  const { issuer } = await startIssuer(t);
  const { access_token, jti } = await issuer.grantPassword({ client: CF, ...ADA });
  const verifier = createTokenVerifier({ issuer });
  assert.equal((await verifier.verifyToken(access_token)).jti, jti);
});

function signAs(key: KeyObject, kid: string, payload: object): Promise<string> {
  return new SignJWT({ ...payload }).setProtectedHeader({ alg: "RS256", kid }).sign(key);
}

async function startKeyServer(t: TestContext) {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const jwk = { ...publicKey.export({ format: "jwk" }), kid: "theirs", use: "sig", alg: "RS256" };
  let status = 200;
  const server = createServer((_, response) => {
    response.writeHead(status, { "content-type": "application/json", connection: "close" });
    response.end(JSON.stringify({ keys: [jwk] }));
  }).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/token_keys`,
    sign: (payload: object) => signAs(privateKey, "theirs", payload),
    setStatus(code: number) {
      status = code;
    },
  };
}
