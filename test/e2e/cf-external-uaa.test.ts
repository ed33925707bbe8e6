/** A foundation whose tokens come from a UAA of somebody else: only its published keys are known here. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { SignJWT } from "jose/jwt/sign";
import { startFoundation } from "../support/viaduct.ts";

const KID = "key-of-somebody-else";

/** Serves one key, and signs with it. */
async function startUaa(t: TestContext) {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const key = { ...publicKey.export({ format: "jwk" }), kid: KID, alg: "RS256", use: "sig" };
  const server = createServer((request, answer) => {
    const isKeys = request.url === "/token_keys";
    answer.writeHead(isKeys ? 200 : 404, { "content-type": "application/json" });
    answer.end(isKeys ? JSON.stringify({ keys: [key] }) : "{}");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.closeAllConnections());
  t.after(() => server.close());
  const sign = (claims: object, by = privateKey) =>
    new SignJWT({ jti: "1", client_id: "cf", cid: "cf", aud: ["cf"], ...claims })
      .setProtectedHeader({ alg: "RS256", kid: KID })
      .setIssuedAt()
      .setExpirationTime("10m")
      .sign(by);
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, sign };
}

test("tokens of an external UAA open the API by its keys, and the built-in one is not there", async (t) => {
  const uaa = await startUaa(t);
  const { up } = await startFoundation(t, { settings: { "cloud-controller.uaa_url": uaa.url } });
  const get = (path: string, token: string) =>
    fetch(`${up.api}${path}`, { headers: { authorization: `bearer ${token}` } });

  const root = (await (await get("/", "")).json()) as { links: { uaa: { href: string } } };
  assert.equal(root.links.uaa.href, uaa.url);
  const admin = await uaa.sign({ sub: "a", user_id: "a", scope: ["cloud_controller.admin"] });
  const spaces = (await (await get("/v3/spaces", admin)).json()) as { resources: { name: string }[] };
  assert.deepEqual(
    spaces.resources.map(({ name }) => name),
    ["dev"],
  );
  const member = await uaa.sign({ sub: "b", user_id: "b", scope: ["cloud_controller.read"] });
  assert.deepEqual(((await (await get("/v3/spaces", member)).json()) as typeof spaces).resources, []);
  const forged = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  const stranger = await uaa.sign({ sub: "a", scope: ["cloud_controller.admin"] }, forged);
  assert.equal((await get("/v3/spaces", stranger)).status, 401);
  assert.equal((await get("/uaa/login", admin)).status, 404);
});
