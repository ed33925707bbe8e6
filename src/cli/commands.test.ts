/** The commands against an API over real HTTP. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { shellLine } from "./commands/run.ts";
import { createTestHost, type FakeApi, startFakeApi, type TestHost } from "./fake-api.ts";
import { main } from "./index.ts";
import { createOutput, printable } from "./output.ts";
import { parseRouteUrl } from "./resources.ts";

async function start(
  t: TestContext,
): Promise<{ api: FakeApi; host: TestHost; run: (line: string) => Promise<number> }> {
  const api = await startFakeApi(t);
  const host = createTestHost(t, api);
  return { api, host, run: (line) => main(line.split(" "), host) };
}
const RUN =
  "run --name shop --instances 2 --route shop.localhost/api --option loadbalancing=hash --env A=1 -- node server.js";

test("run creates the app, its route with options, starts it and prints where it is", async (t) => {
  const { api, host, run } = await start(t);
  assert.equal(await run(RUN), 0);
  const port = new URL(api.url).port;
  assert.equal(host.readStdout(), `http://shop.localhost:${port}/api\n`);
  assert.match(host.readStderr(), /shop: 2 of 2 instances running/);
  const [app] = api.apps.values();
  assert.deepEqual(app?.["lifecycle"], { type: "local", data: { directory: "/apps/shop" } });
  assert.deepEqual(app?.["environment_variables"], { A: "1" });
  const [process] = api.processes.values();
  assert.equal(process?.["command"], "node server.js");
  assert.equal(process?.["instances"], 2);
  const [route] = api.routes.values();
  assert.equal(route?.["url"], "shop.localhost/api");
  assert.deepEqual(route?.["options"], { loadbalancing: "hash" });
});

test("the same run again changes nothing and restarts nothing", async (t) => {
  const { api, host, run } = await start(t);
  await run(RUN);
  host.readStdout();
  api.writes.length = 0;
  assert.equal(await run(RUN), 0);
  assert.deepEqual(
    api.writes.filter((write) => !write.endsWith("/destinations")),
    [],
  );
  assert.equal(api.apps.size + api.routes.size, 2);
});

test("run with more instances scales; with another command it restarts; options are merged", async (t) => {
  const { api, run } = await start(t);
  await run(RUN);
  api.writes.length = 0;
  await run("run --name shop --instances 3 -- node server.js");
  assert.deepEqual(api.writes, ["POST /v3/processes/app-2/actions/scale"]);
  api.writes.length = 0;
  await run("run --name shop -- node other.js");
  assert.deepEqual(api.writes, ["PATCH /v3/processes/app-2", "POST /v3/apps/app-2/actions/restart"]);
  assert.equal(api.processes.get("app-2")?.["instances"], 3, "what the line does not say stays");
});

test("a port that no app can listen on is refused before anything is made", async (t) => {
  const { api, host, run } = await start(t);
  for (const port of ["80", "1023", "65536", "x", ""]) {
    assert.equal(await run(`map-route shop shop.localhost --app-port=${port}`), 2);
    assert.match(host.readStderr(), /--app-port «.*» is no port of an app \(1024 to 65535\)/);
  }
  assert.deepEqual(api.writes, []);
});

test("a size of memory is one in the words of a manifest, or megabytes", async (t) => {
  const { api, run } = await start(t);
  for (const [size, megabytes] of [
    ["512", 512],
    ["64M", 64],
    ["2gb", 2048],
  ] as const) {
    assert.equal(await run(`run --name shop --memory ${size} -- true`), 0);
    assert.equal(api.processes.get("app-1")?.["memory_in_mb"], megabytes);
  }
});

for (const { name, line, refusing } of [
  {
    name: "mapping a new route",
    line: "map-route shop new.localhost -o loadbalancing=hash",
    refusing: /^POST .+destinations$/,
  },
  {
    name: "mapping a route that was there",
    line: "map-route shop old.localhost -o loadbalancing=least-connection",
    refusing: /^POST .+destinations$/,
  },
  {
    name: "mapping an internal route",
    line: "map-internal-route shop shop.apps.internal",
    refusing: /^POST .+destinations$/,
  },
  {
    name: "the size of a new app",
    line: "run --name new --memory 7 --route new.localhost -- true",
    refusing: /^POST .+scale$/,
  },
  {
    name: "the second route of a new app",
    line: "run --name new --route a.localhost --route b.localhost -o other=1 -- true",
    refusing: null,
  },
  {
    name: "the environment of an app that runs",
    line: "run --name shop --env PORT=1 --route new.localhost -- true",
    refusing: /^PATCH .+environment_variables$/,
  },
]) {
  test(`when the API refuses ${name}, everything is as it was`, async (t) => {
    const { api, run } = await start(t);
    await run("run --name shop --route old.localhost -o loadbalancing=hash -- true");
    const before = JSON.stringify([[...api.apps], [...api.routes], [...api.processes.keys()].slice(0, 1)]);
    api.refusing = refusing;
    assert.equal(await run(line), 1);
    assert.equal(
      JSON.stringify([[...api.apps], [...api.routes], [...api.processes.keys()].slice(0, 1)]),
      before,
    );
  });
}

test("run with an unknown domain changes nothing and names the domains there are", async (t) => {
  const { api, host, run } = await start(t);
  assert.equal(await run("run --name shop --route shop.example.org -- true"), 1);
  assert.match(
    host.readStderr(),
    /no domain fits «shop\.example\.org»; end it in one of localhost, eu\.localhost/,
  );
  assert.deepEqual(api.writes, []);
});

test("run tells of an instance that crashes, with its last words, the reason and where to look", async (t) => {
  const { api, host, run } = await start(t);
  api.instanceState = { state: "CRASHED", details: "exited with status 1" };
  assert.equal(await run("run --name shop -- false"), 1);
  assert.match(
    host.readStderr(),
    /OUT hi.*\nviaduct: shop did not start: instance 0: exited with status 1; see «viaduct logs shop --recent»\n$/,
  );
});

test("waiting for instances ends with what was reached", async (t) => {
  const { api, host, run } = await start(t);
  api.instanceState = { state: "STARTING", details: null };
  assert.equal(await run("run --name shop --timeout 1ms -- sleep 9"), 1);
  assert.match(
    host.readStderr(),
    /did not happen within 0\.001 s \(0 of 1 instances running; .+listens on \$PORT\)/,
  );
});

test("the refusals of the API are printed one per line, in its own words", async (t) => {
  const { api, host, run } = await start(t);
  await run("run --name shop -- true");
  host.readStderr();
  assert.equal(await run("map-route shop shop.localhost -o a=1 -o b=2"), 1);
  assert.equal(
    host.readStderr(),
    "viaduct: Options Unknown field(s): 'a'\nviaduct: Options Unknown field(s): 'b'\n",
  );
  assert.equal(api.routes.size, 0);
});

test("with --json a failure is JSON too, and the reason is on stderr all the same", async (t) => {
  const { host, run } = await start(t);
  await run("run --name shop -- true");
  host.readStdout();
  host.readStderr();
  assert.equal(await run("map-route shop shop.localhost -o a=1 --json"), 1);
  const detail = "Options Unknown field(s): 'a'";
  assert.equal(host.readStderr(), `viaduct: ${detail}\n`);
  const refused = JSON.parse(host.readStdout());
  assert.deepEqual(refused, { errors: [{ code: 10008, title: "CF-Error", detail }] });
  assert.equal(await run("route nowhere.localhost --json"), 1);
  const [own] = JSON.parse(host.readStdout()).errors;
  assert.deepEqual([own.title, /nowhere/.test(own.detail)], ["name_unknown", true]);
});

test("routes and apps print tables for people and JSON for programs", async (t) => {
  const { api, host, run } = await start(t);
  await run(RUN);
  host.readStdout();
  const url = `http://shop.localhost:${new URL(api.url).port}/api`;
  await run("routes");
  assert.equal(
    host.readStdout(),
    `${"route".padEnd(url.length)}   protocol   apps   options\n${url}   http       shop   loadbalancing=hash\n`,
  );
  await run("routes --json");
  assert.deepEqual(JSON.parse(host.readStdout()), [
    {
      guid: "route-1",
      route: "shop.localhost/api",
      url,
      protocol: "http",
      options: { loadbalancing: "hash" },
      destinations: [{ app: "shop", process: "web", port: 8080, protocol: "http1", weight: null }],
    },
  ]);
  await run("route shop.localhost/api");
  assert.match(host.readStdout(), /^live: +on 2 of 2 routers$/m);
  await run("apps");
  assert.equal(
    host.readStdout(),
    "name   state     instances   routes\nshop   started   2/2         shop.localhost/api\n",
  );
  await run("app shop --json");
  const app: unknown = JSON.parse(host.readStdout());
  assert.deepEqual((app as { instances: unknown }).instances, [
    { index: 0, state: "RUNNING", address: "127.0.0.1:61000", uptimeS: 3725, details: "" },
    { index: 1, state: "RUNNING", address: "127.0.0.1:61001", uptimeS: 3725, details: "" },
  ]);
  await run("app shop");
  assert.match(host.readStdout(), /^0 {3}running {3}127\.0\.0\.1:61000 {3}1h 2m$/m);
});

test("stop, start, restart, scale and delete say what they did", async (t) => {
  const { api, host, run } = await start(t);
  await run(RUN);
  host.readStderr();
  for (const [line, says] of [
    ["stop shop", "shop: stopped\n"],
    ["scale shop --instances 3", "shop: 3 instances once it is started\n"],
    ["start shop", "shop: 3 of 3 instances running\n"],
    ["restart shop", "shop: 3 of 3 instances running\n"],
    ["delete shop --routes", "shop: deleted\n"],
  ] as const) {
    assert.equal(await run(line), 0);
    assert.equal(host.readStderr(), says);
  }
  assert.equal(api.apps.size + api.routes.size, 0);
});

test("a name that is nearly right is suggested", async (t) => {
  const { host, run } = await start(t);
  await run(RUN);
  host.readStderr();
  assert.equal(await run("app shopp"), 1);
  assert.equal(host.readStderr(), "viaduct: there is no app «shopp»; did you mean «shop»?\n");
  assert.equal(await run("route shop.localhost/apo"), 1);
  assert.match(
    host.readStderr(),
    /there is no route «shop\.localhost\/apo»; did you mean «shop\.localhost\/api»\?/,
  );
});

test("a route goes to the longest domain that fits, and is mapped, updated, unmapped and deleted", async (t) => {
  const { api, host, run } = await start(t);
  await run("run --name shop -- true");
  assert.equal(await run("map-route shop https://Shop.EU.localhost:8443/v2/"), 0, host.readStderr());
  const [route] = api.routes.values();
  assert.equal(route?.["url"], "shop.eu.localhost/v2");
  assert.equal(route?.["domain"], "domain-eu.localhost");
  host.readStdout();
  assert.equal(await run("update-route shop.eu.localhost/v2 -o loadbalancing=hash"), 0);
  assert.equal(host.readStdout(), "shop.eu.localhost/v2  loadbalancing=hash\n");
  assert.equal(await run("update-route shop.eu.localhost/v2 --remove-option loadbalancing"), 0);
  assert.equal(host.readStdout(), "shop.eu.localhost/v2  no options\n");
  assert.equal(await run("unmap-route shop shop.eu.localhost/v2"), 0);
  assert.deepEqual(route?.["destinations"], []);
  assert.equal(await run("delete-route shop.eu.localhost/v2"), 0);
  assert.equal(api.routes.size, 0);
});

test("an internal route needs an internal domain", async (t) => {
  const { api, host, run } = await start(t);
  await run("run --name shop -- true");
  assert.equal(await run("map-internal-route shop shop.localhost"), 2);
  assert.match(host.readStderr(), /localhost is not an internal domain; «viaduct domains» shows which are/);
  assert.equal(await run("map-internal-route shop shop.apps.internal"), 0);
  assert.equal(host.readStdout(), "shop.apps.internal\n");
  assert.equal(api.routes.size, 1);
  await run("routes");
  assert.match(host.readStdout(), /^shop\.apps\.internal {3}internal {3}shop$/m);
});

test("a TCP route keeps its port", async (t) => {
  const { api, host, run } = await start(t);
  await run("run --name shop -- true");
  assert.equal(await run("map-route shop tcp.localhost:1024"), 0, host.readStderr());
  assert.equal(host.readStdout(), "tcp.localhost:1024\n");
  assert.equal([...api.routes.values()][0]?.["port"], 1024);
});

test("curl prints the body as it is and fails on a refusal", async (t) => {
  const { host, run } = await start(t);
  assert.equal(await run("curl /v3/info"), 0);
  assert.deepEqual(JSON.parse(host.readStdout()), { name: "fake", build: "1" });
  assert.equal(await run("curl /v3/nothing"), 1);
  assert.match(host.readStdout(), /Unknown request/);
});

test("logs, options, domains, wait and status show what the API says", async (t) => {
  const { api, host, run } = await start(t);
  await run(RUN);
  host.readStdout();
  await run("logs shop --recent");
  assert.equal(host.readStdout(), "2026-01-01T00:00:00.000Z [APP/PROC/WEB/0] OUT hi�[2J\n");
  await run("options");
  assert.match(host.readStdout(), /^loadbalancing {3}Which endpoint serves next\. {3}least-connection$/m);
  await run("domains");
  assert.match(host.readStdout(), /^apps\.internal {3}internal {3}everybody$/m);
  assert.equal(await run("wait shop.localhost/api"), 0);
  assert.match(host.readStderr(), /live on 2 of 2 routers/);
  await run("status --json");
  const status = JSON.parse(host.readStdout());
  assert.equal(status.api, api.url);
  assert.deepEqual([status.apps, status.instances, status.routes], [1, { wanted: 2, running: 2 }, 1]);
  assert.equal(status.logs, join(host.home, "logs"));
  api.instanceState = { state: "CRASHED", details: null };
  await run("status");
  assert.match(host.readStdout(), /^instances: +0 of 2 running$/m);
});

test("warnings of the API reach stderr, decoded", async (t) => {
  const { api, host, run } = await start(t);
  api.warnings = "this%20is%20old,and%20this";
  await run("curl /v3/info");
  assert.equal(host.readStderr(), "", "curl shows raw answers");
  await run("status");
  assert.match(host.readStderr(), /viaduct: warning: this is old\nviaduct: warning: and this\n/);
});

test("colours need a terminal, and NO_COLOR forbids them", () => {
  const paint = (isTTY: boolean, environment: Record<string, string>) => {
    const sink = { isTTY, write: () => true };
    return createOutput({ stdout: sink, stderr: sink, environment, cwd: "/", ask: async () => null }).paint(
      "good",
      "ok",
    );
  };
  assert.equal(paint(true, {}), "\u001b[32mok\u001b[0m");
  assert.equal(paint(true, { NO_COLOR: "1" }), "ok");
  assert.equal(paint(true, { TERM: "dumb" }), "ok");
  assert.equal(paint(false, {}), "ok");
  assert.equal(paint(false, { FORCE_COLOR: "1" }), "\u001b[32mok\u001b[0m");
});

test("control characters in names cannot move the cursor, our colours stay", () => {
  assert.equal(printable("a\u001b[2Jb\u0007"), "a�[2Jb�");
  assert.equal(printable("\u001b[32mok\u001b[0m"), "\u001b[32mok\u001b[0m");
});

for (const { args, want } of [
  { args: ["a b | c"], want: "a b | c" },
  { args: ["node", "x.js", "--port=1"], want: "node x.js --port=1" },
  { args: ["echo", "it's", "", "$HOME"], want: `echo 'it'\\''s' '' '$HOME'` },
]) {
  test(`the command ${JSON.stringify(args)} becomes the shell line ${want}`, () =>
    assert.equal(shellLine(args), want));
}

for (const { url, want } of [
  { url: "shop.localhost", want: { name: "shop.localhost", port: null, path: "" } },
  { url: "HTTP://Shop.localhost:8080/A/", want: { name: "shop.localhost", port: null, path: "/A" } },
  { url: "*.localhost/a/b", want: { name: "*.localhost", port: null, path: "/a/b" } },
  { url: "tcp.localhost:1024", want: { name: "tcp.localhost", port: 1024, path: "" } },
]) {
  test(`${url} is read as a route`, () => {
    const { text: _text, ...rest } = parseRouteUrl(url);
    assert.deepEqual(rest, want);
  });
}
for (const url of ["", "/path", "a b", "x?y=1", "x:123456"]) {
  test(`«${url}» is no route`, () =>
    assert.throws(() => parseRouteUrl(url), /is no route; write HOST\.DOMAIN/));
}

test("a target that is not there is named, with those that are", async (t) => {
  const { host, run } = await start(t);
  assert.equal(await run("target -o nope"), 1);
  assert.match(
    host.readStderr(),
    /^viaduct: there is no space «nope\/\*»; choose one of \S+\/\S+ with «viaduct target -o ORG -s SPACE»\n$/,
  );
});

test("an app whose name holds a comma or a per cent sign is found by it", async (t) => {
  const { host, run } = await start(t);
  for (const name of ["a,b", "50%", "%2C"]) {
    assert.equal(await run(`run --name ${name} -- true`), 0, host.readStderr());
    assert.equal(await run(`run --name ${name} -- true`), 0, host.readStderr());
    assert.equal(await run(`app ${name}`), 0, host.readStderr());
  }
});

test("a route is the same whatever the case of its path, as for the routers", async (t) => {
  const { api, host, run } = await start(t);
  assert.equal(await run("run --name shop --route shop.localhost/Api -- true"), 0);
  assert.equal(await run("map-route shop shop.localhost/aPI"), 0, host.readStderr());
  assert.equal(api.routes.size, 1);
  assert.equal(await run("route shop.localhost/api"), 0);
});

test("curl takes the API's own addresses whole, and gives its token to nobody else", async (t) => {
  const { api, host, run } = await start(t);
  assert.equal(await run(`curl ${api.url}/v3/apps`), 0, host.readStderr());
  assert.equal(await run("curl /v3/apps?names=http://x"), 0, host.readStderr());
  host.readStdout();
  assert.equal(await run("curl http://localhost:1/v3/apps"), 2);
  assert.match(
    host.readStderr(),
    /http:\/\/localhost:1\/v3\/apps is not on http:\/\/.+; write the path only/,
  );
});
