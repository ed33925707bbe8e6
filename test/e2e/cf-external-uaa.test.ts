/** A foundation whose tokens come from a UAA of somebody else: only its published keys are known here. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { SignJWT } from "jose/jwt/sign";
import { startFoundation } from "../support/viaduct.ts";

const CF_CLIENT = `Basic ${Buffer.from("cf:").toString("base64")}`;
const KID = "key-of-somebody-else";

/** Serves one key, and signs with it: for whoever logs in, with the scope that is the password. */
async function startUaa(t: TestContext) {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const key = { ...publicKey.export({ format: "jwk" }), kid: KID, alg: "RS256", use: "sig" };
  const server = createServer(async (request, answer) => {
    const [status, body] =
      request.url === "/token_keys"
        ? [200, { keys: [key] }]
        : request.url === "/oauth/token"
          ? await grant(request.headers.authorization, new URLSearchParams(await text(request)))
          : [404, {}];
    answer.writeHead(status, { "content-type": "application/json" });
    answer.end(JSON.stringify(body));
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
  const grant = async (client: string | undefined, form: URLSearchParams): Promise<[number, object]> => {
    if (client !== CF_CLIENT || form.get("grant_type") !== "password" || form.get("username") !== "ada") {
      return [401, { error: "unauthorized", error_description: "Bad credentials" }];
    }
    const claims = { sub: "ada", user_id: "ada", user_name: "ada", scope: [form.get("password")] };
    return [200, { access_token: await sign(claims), token_type: "bearer", expires_in: 599 }];
  };
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

test("users of an external UAA log in there to see the dashboard and to change routes", async (t) => {
  const uaa = await startUaa(t);
  const { up } = await startFoundation(t, {
    settings: { "cloud-controller.uaa_url": `${uaa.url}/`, "dashboard.login": "always" },
  });
  const look = (username: string, password: string) =>
    fetch(up.dashboard, {
      headers: { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}` },
    });
  assert.equal((await look("ada", "cloud_controller.admin")).status, 200);
  assert.match(await (await look("ada", "cloud_controller.read")).text(), /may not see every route/);
  const refused = await look("eve", "cloud_controller.admin");
  assert.equal(refused.status, 401);
  assert.match(await refused.text(), /refused at http.*\/oauth\/token: Bad credentials/);

  const page = { origin: new URL(up.dashboard).origin, "content-type": "application/json" };
  const basic = `Basic ${Buffer.from("ada:cloud_controller.admin").toString("base64")}`;
  const session = await fetch(`${up.dashboard}session`, {
    method: "POST",
    headers: { ...page, authorization: basic },
    body: "{}",
  });
  const { key, username } = (await session.json()) as { key: string; username: string };
  assert.deepEqual([session.status, username], [201, "ada"]);
  const spaces = await fetch(`${up.dashboard}v3/spaces`, {
    headers: { ...page, authorization: basic, "x-viaduct-session": key },
  });
  const { resources } = (await spaces.json()) as { resources: { name: string }[] };
  assert.deepEqual([resources.length, resources[0]?.name], [1, "dev"]);
});
