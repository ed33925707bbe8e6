import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createTokenIssuer } from "../auth/index.ts";
import { portTaken } from "../kernel/errors/config.ts";
import { createManualClock, loadConfig, silentLogger } from "../kernel/index.ts";
import { openStore } from "../store/index.ts";
import { cloudControllerSection, createCloudController } from "./index.ts";
import { createBbsRecorder, createRouteTableRecorder } from "./testing.ts";

async function foundation(t: TestContext, flags: Readonly<Record<string, string>> = {}) {
  const folder = await mkdtemp(join(tmpdir(), "viaduct-cloud-controller-"));
  const clock = createManualClock();
  const store = await openStore(
    { kind: "sqlite", path: join(folder, "viaduct.db") },
    { log: silentLogger, clock },
  );
  t.after(async () => {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  });
  const issuer = createTokenIssuer({
    store,
    clock,
    issuer: "http://uaa",
    accessTokenTtlMs: 600_000,
    refreshTokenTtlMs: 600_000,
  });
  const config = loadConfig([cloudControllerSection], {
    flags: { "cloud-controller.admin_password": "s3cret", ...flags },
  }).get(cloudControllerSection);
  /** A new process on the same database, with a route table and a Diego that know nothing. */
  const newRole = () => {
    const bbs = createBbsRecorder();
    const routeTable = createRouteTableRecorder();
    const role = createCloudController({
      config,
      store,
      verifier: issuer,
      issuer,
      bbs,
      routeTable: { ...routeTable, putEndpoints: async () => {}, deleteEndpoints: async () => {} },
      operator: { maxResponseTimeoutMs: 1_000 },
      log: silentLogger,
      clock,
    });
    return { role, bbs, routeTable };
  };
  return { store, newRole };
}

test("it listens where it says, and a restart brings everything back", async (t) => {
  const { store, newRole } = await foundation(t);
  const first = newRole();
  await first.role.start();
  const base = `http://127.0.0.1:${first.role.port}`;
  const root = (await (await fetch(base)).json()) as { links: { uaa: { href: string } } };
  assert.equal(root.links.uaa.href, `${base}/uaa`);
  const granted = await fetch(`${base}/uaa/oauth/token`, {
    method: "POST",
    headers: { authorization: `Basic ${btoa("cf:")}` },
    body: new URLSearchParams({ grant_type: "password", username: "admin", password: "s3cret" }),
  });
  const { access_token: token } = (await granted.json()) as { access_token: string };
  const { guid: space } = await store.db.selectFrom("spaces").select("guid").executeTakeFirstOrThrow();
  const { guid: domain } = await store.db
    .selectFrom("domains")
    .select("guid")
    .where("name", "=", "localhost")
    .executeTakeFirstOrThrow();
  const made = await fetch(`${base}/v3/routes`, {
    method: "POST",
    headers: { authorization: `bearer ${token}` },
    body: JSON.stringify({
      host: "shop",
      relationships: { space: { data: { guid: space } }, domain: { data: { guid: domain } } },
    }),
  });
  assert.equal(made.status, 201);
  assert(first.routeTable.find("shop.localhost"));
  await first.role.stop();

  const second = newRole();
  await second.role.start();
  t.after(() => second.role.stop());
  assert(second.routeTable.find("shop.localhost"));
  const domains = await store.db.selectFrom("domains").select("name").orderBy("created_at").execute();
  assert.deepEqual(
    domains.map((each) => each.name),
    ["localhost", "apps.internal"],
  );
});

test("a taken port names the role and the setting to change", async (t) => {
  const blocker = createServer().listen(0, "127.0.0.1");
  t.after(() => blocker.close());
  await new Promise((resolve) => blocker.once("listening", resolve));
  const { port } = blocker.address() as { port: number };
  const { newRole } = await foundation(t, { "cloud-controller.port": String(port) });
  await assert.rejects(newRole().role.start(), (error) => {
    assert(portTaken.is(error));
    assert.match(error.message, /cloud-controller\.port/);
    return true;
  });
});
