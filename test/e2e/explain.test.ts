/** «Why did I get a 502, and what would I get now?», asked of both kinds of router with the command line. */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runRouterRole } from "../../src/app/router-role.ts";
import { get, runCli, startFoundation, temporaryHome } from "../support/viaduct.ts";

test("a running foundation explains requests that were made and requests that could be", async (t) => {
  const foundation = await startFoundation(t);
  await foundation.runShop("--option", "loadbalancing=least-connection");

  const before = await foundation.ok("explain", "shop.localhost/cart?id=7");
  assert.match(
    before,
    /^request: {3}GET shop\.localhost\/cart\?id=7\nroute: {5}shop\.localhost \(reserved as /,
  );
  assert.match(before, /loadbalancing=least-connection \(reservation\)\n/);
  assert.match(before, /endpoint_timeout=900s \(config\)/);
  assert.match(before, /now: {7}handed to one of 1 of 1 endpoints/);
  assert.match(before, /127\.0\.0\.1:\d+ +ready +0 /);

  const good = await foundation.get("shop.localhost");
  const goodId = String(good.headers["x-vcap-request-id"]);
  assert.match(
    await foundation.ok("explain", goodId),
    /^route shop\.localhost matched\n127\.0\.0\.1:\d+ answered 200 /,
  );

  await foundation.ok("stop", "shop");
  const down = await foundation.get("shop.localhost");
  assert.equal(down.status, 503);
  const why = await foundation.ok("explain", String(down.headers["x-vcap-request-id"]));
  assert.match(why, /asked for GET shop\.localhost\/\nroute shop\.localhost matched/);
  assert.match(why, /client got 503 from the router .+ \(X-Cf-RouterError: no_endpoints\)\n$/);
  const after = JSON.parse(await foundation.ok("explain", "shop.localhost", "--json")) as {
    readonly now: unknown;
  };
  assert.deepEqual(after.now, {
    status: 503,
    routerError: "no_endpoints",
    text: "Requested route ('shop.localhost') has no available endpoints.",
  });

  assert.match(await foundation.ok("explain", "--status", "503", "--last", "1"), /no_endpoints\n$/);
  const unknown = await foundation.cli("explain", "00000000-0000-0000-0000-000000000000");
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /no verdict of request 0{8}-.+ is kept; only the last ones are/);
});

test("a router in gorouter's place is asked at its status listener, with its password", async (t) => {
  const home = temporaryHome(t);
  const configPath = join(home, "gorouter.yml");
  writeFileSync(
    configPath,
    `port: 0
viaduct: {host: 127.0.0.1}
status: {host: 127.0.0.1, port: 0, user: ops, pass: "s:cret", routes: {port: 0}}
nats: {hosts: []}
`,
  );
  const lines = new EventEmitter();
  const sink = {
    write: (text: string) => {
      const { message, data } = JSON.parse(text) as {
        message: string;
        data: { port: number; routes: number };
      };
      lines.emit(message, data);
    },
  };
  const listening = new Promise<number>((resolve) =>
    lines.once("status-listeners-started", ({ routes }) => resolve(routes)),
  );
  const started = new Promise<number>((resolve) =>
    lines.once("gorouter.started", ({ port }) => resolve(port)),
  );
  const signals = new EventEmitter();
  const exit = runRouterRole({ configPath, sink, signals });
  t.after(async () => {
    signals.emit("SIGTERM");
    await exit;
  });
  const [statusPort, port] = await Promise.all([listening, started]);

  const missed = await get(port, "nobody.example.com", "/");
  const router = `http://ops:s%3Acret@127.0.0.1:${statusPort}`;
  const id = String(missed.headers["x-vcap-request-id"]);
  const why = await runCli(home, ["explain", id, "--router", router]);
  assert.equal(why.code, 0, why.stderr);
  assert.match(why.stdout, /client got 404 from the router .+ \(X-Cf-RouterError: unknown_route\)\n$/);

  const now = await runCli(home, ["explain", "nobody.example.com", "--router", router]);
  assert.match(now.stdout, /^route: {5}none matches$/m);
  assert.match(now.stdout, /^now: {7}404, X-Cf-RouterError: unknown_route: Requested route/m);

  const refused = await runCli(home, ["explain", "a.b", "--router", `http://127.0.0.1:${statusPort}`]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /does not say: it wants another user or password/);
  const nowhere = await runCli(home, ["explain", "a.b"]);
  assert.match(nowhere.stderr, /up\.json does not exist/);
});
