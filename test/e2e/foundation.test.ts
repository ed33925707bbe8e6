/**
 * What a newcomer does in the first five minutes, with the program as it is: `viaduct up`, an app with two
 * instances, a route with options, stop, crash, internal route, and a power cut in the middle of it all.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { needs } from "../support/needs.ts";
import { type Foundation, HELLO, startFoundation, temporaryHome } from "../support/viaduct.ts";

const run = promisify(execFile);

const TWO = ["--instances", "2"] as const;

interface AppJson {
  readonly name: string;
  readonly state: string;
  readonly running: number;
  readonly routes: readonly string[];
}
interface RouteJson {
  readonly route: string;
  readonly options: Readonly<Record<string, unknown>>;
}

test("a newcomer's first five minutes", async (t) => {
  if (needs(t, "pgrep") === null) return;
  const foundation = await startFoundation(t);
  const { up, banner } = foundation;

  await t.test("the banner names the URLs, the login, the data folder and three commands to type", () => {
    for (const expected of [
      up.api,
      up.dashboard,
      `${up.dns.host}:${up.dns.port}`,
      foundation.home,
      "admin / ",
    ]) {
      assert.ok(banner.includes(expected), `${expected} is missing in\n${banner}`);
    }
    assert.match(
      banner,
      /viaduct run --name shop.+\n.+curl http:\/\/shop\.localhost:\d+\/\n.+viaduct routes/,
    );
  });

  await t.test("an app with two instances and a route with options answers from both in turn", async () => {
    await foundation.runShop(...TWO, "--option", "loadbalancing=least-connection");
    const bodies: string[] = [];
    for (let i = 0; i < 6; i++) bodies.push((await foundation.get("shop.localhost")).body.trim());
    const [first, second] = bodies;
    assert.notEqual(first, second);
    assert.deepEqual(bodies, [first, second, first, second, first, second]);
    assert.deepEqual([...new Set(bodies)].toSorted(), [
      "hello from shop, instance 0",
      "hello from shop, instance 1",
    ]);
  });

  await t.test("running the same command again changes nothing and succeeds", async () => {
    const before = await foundation.ok("routes", "--json");
    await foundation.runShop(...TWO, "--option", "loadbalancing=least-connection");
    assert.equal(await foundation.ok("routes", "--json"), before);
  });

  await t.test("routes and apps are listed for people and as JSON", async () => {
    assert.match(await foundation.ok("routes"), /shop\.localhost.*shop.*loadbalancing=least-connection/);
    assert.match(await foundation.ok("apps"), /shop\s+started\s+2\/2\s+shop\.localhost/);
    const routes = JSON.parse(await foundation.ok("routes", "--json")) as RouteJson[];
    assert.deepEqual(
      routes.map(({ route, options }) => ({ route, options })),
      [{ route: "shop.localhost", options: { loadbalancing: "least-connection" } }],
    );
    const apps = JSON.parse(await foundation.ok("apps", "--json")) as AppJson[];
    assert.deepEqual(
      apps.map(({ name, state, running, routes }) => ({ name, state, running, routes })),
      [{ name: "shop", state: "STARTED", running: 2, routes: ["shop.localhost"] }],
    );
  });

  await t.test("a route with trim-path reaches the app without its context path", async () => {
    await foundation.ok("map-route", "shop", "shop.localhost/api", "-o", "trim-path=true");
    const answer = await foundation.get("shop.localhost", "/api/headers?x=1");
    assert.equal(answer.status, 200);
    await foundation.ok("update-route", "shop.localhost/api", "--remove-option", "trim-path");
    assert.equal((await foundation.get("shop.localhost", "/api/headers")).status, 404);
    await foundation.ok("delete-route", "shop.localhost/api");
  });

  await t.test(
    "an instance that is killed under load costs no client an error, and is started again",
    async () => {
      const pids = await instancePids();
      let failures = 0;
      let requests = 0;
      let isOver = false;
      const clients = Array.from({ length: 8 }, async () => {
        while (!isOver) {
          const { status } = await foundation.get("shop.localhost");
          requests++;
          if (status !== 200) failures++;
        }
      });
      while (requests < 50) await new Promise(setImmediate);
      process.kill(pids[0] ?? 0, "SIGKILL");
      const until = requests + 400;
      while (requests < until) await new Promise(setImmediate);
      await eventually(async () => (await apps(foundation))[0]?.running === 2);
      isOver = true;
      await Promise.all(clients);
      assert.equal(failures, 0, `${failures} of ${requests} requests failed`);
      const after = await instancePids();
      assert.equal(after.length, 2);
      assert.ok(!after.includes(pids[0] ?? 0));
    },
  );

  await t.test("a stopped app answers 503 at once, an unknown host 404", async () => {
    await foundation.ok("stop", "shop");
    const stopped = await foundation.get("shop.localhost");
    assert.equal(stopped.status, 503);
    assert.equal(stopped.headers["x-cf-routererror"], "no_endpoints");
    const unknown = await foundation.get("nobody.localhost");
    assert.equal(unknown.status, 404);
    assert.equal(unknown.headers["x-cf-routererror"], "unknown_route");
    await foundation.ok("start", "shop");
    assert.equal((await foundation.get("shop.localhost")).status, 200);
  });

  await t.test("an internal route resolves to the running instances, rotating, with TTL 0", async (t) => {
    const dig = needs(t, "dig");
    if (dig === null) return;
    await foundation.ok("map-internal-route", "shop", "shop.apps.internal");
    const ask = async () => {
      const { stdout } = await run(dig, [
        "@127.0.0.1",
        "-p",
        String(up.dns.port),
        "shop.apps.internal",
        "+noall",
        "+answer",
      ]);
      return stdout
        .trim()
        .split("\n")
        .map((line) => line.split(/\s+/));
    };
    const first = await ask();
    const second = await ask();
    assert.equal(first.length, 2);
    assert.ok(
      first.every(([name, ttl, , type]) => name === "shop.apps.internal." && ttl === "0" && type === "A"),
    );
    const addresses = (answer: readonly string[][]) => answer.map((row) => row[4] ?? "");
    assert.deepEqual(addresses(second), addresses(first).toReversed());
    // Names resolve to instances, whatever port a destination names.
    await foundation.ok("unmap-route", "shop", "shop.apps.internal");
    assert.deepEqual(await ask(), [[""]]);
    await foundation.ok("map-route", "shop", "shop.apps.internal", "--app-port", "9999");
    assert.equal((await ask()).length, 2);
    await foundation.ok("scale", "shop", "--instances", "3");
    assert.equal((await ask()).length, 3);
    await foundation.ok("scale", "shop", "--instances", "2");
    assert.equal((await ask()).length, 2);
  });

  await t.test("bad input is answered with the thing, the value and the remedy", async () => {
    const cases = [
      { args: ["map-route", "shop", "shop.nowhere.example"], want: /nowhere\.example/ },
      { args: ["map-route", "shop", "x.localhost", "-o", "loadbalncing=round-robin"], want: /loadbalncing/ },
      {
        args: ["map-route", "shop", "x.localhost", "-o", "loadbalancing=random"],
        want: /round-robin, least-connection/,
      },
      { args: ["start", "shopp"], want: /shopp/ },
      { args: ["rotes"], want: /routes/ },
      { args: ["scale", "shop", "--instances", "many"], want: /many/ },
    ];
    for (const { args, want } of cases) {
      const result = await foundation.cli(...args);
      assert.notEqual(result.code, 0, args.join(" "));
      assert.match(result.stderr, want);
      assert.doesNotMatch(result.stderr, /unexpected|at .+\.ts:\d+/);
    }
    assert.equal((await foundation.get("shop.localhost")).status, 200);
  });
});

test("after a power cut in the middle of writes everything acknowledged is there and apps run again", async (t) => {
  if (needs(t, "pgrep") === null) return;
  const home = temporaryHome(t);
  const first = await startFoundation(t, { home });
  await first.runShop(...TWO);
  const acknowledged: string[] = [];
  let isOver = false;
  const writers = ["a", "b", "c"].map(async (writer) => {
    for (let i = 0; !isOver; i++) {
      const host = `${writer}${i}.localhost`;
      const result = await first.cli("map-route", "shop", host);
      if (result.code === 0) acknowledged.push(host);
      else return;
    }
  });
  while (acknowledged.length < 12) await new Promise(setImmediate);
  await first.signal("SIGKILL");
  isOver = true;
  await Promise.all(writers);

  const second = await startFoundation(t, { home });
  const routes = (JSON.parse(await second.ok("routes", "--json")) as RouteJson[]).map(({ route }) => route);
  for (const host of acknowledged) assert.ok(routes.includes(host), `${host} was acknowledged and is gone`);
  await eventually(async () => (await apps(second))[0]?.running === 2);
  for (const host of acknowledged) assert.equal((await second.get(host)).status, 200, host);
  await second.signal("SIGTERM");
  assert.deepEqual(await instancePids(), [], "instances outlived their foundation");
});

async function apps(foundation: Foundation): Promise<AppJson[]> {
  return JSON.parse(await foundation.ok("apps", "--json")) as AppJson[];
}

/** Process numbers of the app's instances that this test runs. */
async function instancePids(): Promise<number[]> {
  const { stdout } = await run("pgrep", ["-f", `^${HELLO.join(" ")}$`]).catch(() => ({ stdout: "" }));
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map(Number);
}

/** Asks again until it is so; the test's own time limit ends it. */
async function eventually(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise(setImmediate);
}
