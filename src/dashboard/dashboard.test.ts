import assert from "node:assert/strict";
import { request } from "node:http";
import { type TestContext, test } from "node:test";
import { startBrowser } from "../../test/support/browser.ts";
import type { RouteTableHandler, RouteTableReader } from "../contracts/index.ts";
import { badCredentials } from "../kernel/errors/auth.ts";
import { createManualClock, silentLogger, systemClock } from "../kernel/index.ts";
import type { Cursor, TableEvent, TableImage } from "../table/index.ts";
import { destination, endpoint, reservation } from "../table/samples.ts";
import { createDashboard, type DashboardOptions } from "./index.ts";

interface FakeTable extends RouteTableReader {
  load(image: Partial<TableImage>): void;
  apply(...events: TableEvent[]): void;
  setStatus(status: "live" | "lost"): void;
  readonly acknowledged: Cursor[];
}

function createFakeTable(): FakeTable {
  let handler: RouteTableHandler | null = null;
  let sequence = 0;
  const acknowledged: Cursor[] = [];
  const load: FakeTable["load"] = ({ reservations = [], endpoints = [] }) =>
    handler?.onImage({ cursor: { epoch: "e", sequence }, reservations, endpoints });
  return {
    acknowledged,
    subscribe(_reader, given) {
      handler = given;
      // As the routing API does in process: the first image comes before the subscription is returned.
      load({});
      return { acknowledge: (cursor) => void acknowledged.push(cursor), close: () => (handler = null) };
    },
    load,
    apply(...events) {
      for (const event of events) handler?.onEvent({ cursor: { epoch: "e", sequence: ++sequence }, event });
    },
    setStatus: (status) => handler?.onStatus?.(status),
  };
}

async function start(t: TestContext, options: Partial<DashboardOptions> = {}) {
  const reader = createFakeTable();
  const dashboard = createDashboard({
    config: { host: "127.0.0.1", port: 0 },
    reader,
    log: silentLogger,
    clock: systemClock,
    ...options,
  });
  await dashboard.start();
  t.after(() => dashboard.stop());
  return { reader, dashboard, url: `http://localhost:${dashboard.port}/dashboard/` };
}

const web = (index: number, fields = {}) =>
  endpoint({
    processGuid: "web",
    port: 61_000 + index,
    host: "127.0.0.1",
    instanceIndex: String(index),
    tags: { app_name: "shop" },
    ...fields,
  });
const upsert = (route: string, fields = {}): TableEvent => ({
  kind: "route-upsert",
  reservation: reservation(route, fields),
});

test("a route appears, is served, is reserved when its endpoint leaves, and goes, while one looks", async (t) => {
  const browser = await startBrowser(t);
  if (browser === null) return;
  const { reader, url } = await start(t);
  const page = await browser.newPage();
  await page.goto(url);
  await page.getByText("No routes yet").waitFor();
  await page.getByRole("status").getByText("live").waitFor();

  reader.apply(upsert("shop.localhost/api", { options: { loadbalancing: "hash" } }), {
    kind: "endpoint-upsert",
    endpoint: web(0),
  });
  const row = page.locator('[data-route="shop.localhost/api"]');
  await row.getByText("active").waitFor();
  assert.equal(await page.getByRole("button", { name: /Change|New route/ }).count(), 0, "without an API");
  assert.match(await row.innerText(), /shop\.localhost\/api[\s\S]*loadbalancing=hash[\s\S]*1 endpoint/);
  await row.getByRole("button", { name: "1 endpoint" }).click();
  await row.getByText("127.0.0.1:61000").waitFor();

  reader.apply({ kind: "endpoint-delete", processGuid: "web", host: "127.0.0.1", port: 61_000 });
  await row.getByText("reserved").waitFor();
  await row.getByText("none, answers 503").waitFor();
  reader.apply({ kind: "route-delete", guid: "guid of shop.localhost/api" });
  await row.waitFor({ state: "detached" });
  assert.equal(
    reader.acknowledged.at(-1)?.sequence,
    4,
    "the routing API can see that the page's table is current",
  );
});

test("the filter finds routes by host, path, app, address, option and state", async (t) => {
  const browser = await startBrowser(t);
  if (browser === null) return;
  const { reader, url } = await start(t);
  reader.load({
    reservations: [
      reservation("shop.localhost", { options: { loadbalancing: "least-connection" } }),
      reservation("blog.localhost/2026", { destinations: [destination({ processGuid: "blog" })] }),
      reservation("shop.apps.internal", { protocol: "internal" }),
    ],
    endpoints: [web(0), web(1)],
  });
  const page = await browser.newPage();
  await page.goto(url);
  const shown = async () =>
    (
      await page
        .locator("[data-route]")
        .evaluateAll((rows) => rows.map((row) => row.getAttribute("data-route")))
    ).join(" ");
  await page.getByText("3 routes", { exact: true }).waitFor();
  await page.keyboard.press("/");
  for (const [words, want] of [
    ["2026", "blog.localhost/2026"],
    ["LEAST-connection", "shop.localhost"],
    ["61001 internal", "shop.apps.internal"],
    ["reserved", "blog.localhost/2026"],
  ] as const) {
    await page.getByLabel("Filter").fill(words);
    assert.equal(await shown(), want, words);
  }
  await page.getByLabel("Filter").fill("nothing");
  await page.getByText("No route fits the filter.").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Reserved 1" }).click();
  assert.equal(await shown(), "blog.localhost/2026");
});

test("names that look like markup stay text", async (t) => {
  const browser = await startBrowser(t);
  if (browser === null) return;
  const { reader, url } = await start(t);
  const hostile = `<img src=x onerror="document.title='owned'">`;
  reader.load({
    reservations: [
      reservation("shop.localhost", { options: { note: hostile }, routeServiceUrl: "javascript:alert(1)" }),
    ],
    endpoints: [web(0, { tags: { app_name: hostile } })],
  });
  const page = await browser.newPage();
  await page.goto(url);
  await page.locator("[data-route]").getByText(hostile).first().waitFor();
  assert.equal(await page.locator("[data-route] img").count(), 0);
  assert.equal(await page.locator('a[href^="javascript"]').count(), 0);
  assert.equal(await page.title(), "Viaduct");
});

test("with 10,000 routes the page shows one page of them and filters them all", async (t) => {
  const browser = await startBrowser(t);
  if (browser === null) return;
  const { reader, url } = await start(t);
  reader.load({
    reservations: Array.from({ length: 10_000 }, (_, i) =>
      reservation(`app-${i}.localhost`, { destinations: [destination({ processGuid: `p${i}` })] }),
    ),
    endpoints: Array.from({ length: 10_000 }, (_, i) =>
      endpoint({ processGuid: `p${i}`, host: "10.0.0.1", port: 10_000 + i }),
    ),
  });
  const page = await browser.newPage();
  await page.goto(url);
  await page.getByText("1–100 of 10,000").waitFor();
  const names = await page
    .locator("[data-route]")
    .evaluateAll((rows) => rows.map((row) => row.getAttribute("data-route")));
  const first = Array.from({ length: 100 }, (_, i) => `app-${i}.localhost`);
  assert.deepEqual(names, first, "numbers sort by value");
  await page.getByRole("button", { name: "Next" }).click();
  await page.getByText("101–200 of 10,000").waitFor();
  await page.getByLabel("Filter").fill("app-9876.");
  await page.locator('[data-route="app-9876.localhost"]').waitFor();
  reader.apply({ kind: "endpoint-delete", processGuid: "p9876", host: "10.0.0.1", port: 19_876 });
  await page.locator('[data-route="app-9876.localhost"]').getByText("reserved").waitFor();
});

test("the page says when the connection or the feed is lost, keeps what it has, and comes back", async (t) => {
  const browser = await startBrowser(t);
  if (browser === null) return;
  const { reader, dashboard, url } = await start(t);
  reader.load({ reservations: [reservation("shop.localhost")] });
  const page = await browser.newPage({
    expectedErrors: /ERR_(CONNECTION_REFUSED|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE|CONNECTION_RESET)/,
  });
  await page.goto(url);
  const status = page.getByRole("status");
  await status.getByText("live").waitFor();
  reader.setStatus("lost");
  await status.getByText("routing API lost, last known state").waitFor();
  reader.setStatus("live");
  await status.getByText("live").waitFor();

  const { port } = dashboard;
  await dashboard.stop();
  await status.getByText("connection lost, trying again").waitFor();
  assert.equal(await page.locator('[data-route="shop.localhost"]').count(), 1);

  const second = createFakeTable();
  const again = createDashboard({
    config: { host: "127.0.0.1", port },
    reader: second,
    log: silentLogger,
    clock: systemClock,
  });
  await again.start();
  t.after(() => again.stop());
  second.load({ reservations: [reservation("blog.localhost")] });
  await page.locator('[data-route="blog.localhost"]').waitFor();
  assert.equal(
    await page.locator('[data-route="shop.localhost"]').count(),
    0,
    "the new image replaces the old state",
  );
});

test("behind a router, routes are links to where the browser came from", async (t) => {
  const browser = await startBrowser(t);
  if (browser === null) return;
  const { reader, url } = await start(t);
  reader.load({
    reservations: [
      reservation("shop.localhost/api"),
      reservation("*.localhost"),
      reservation("a.internal", { protocol: "internal" }),
    ],
  });
  const page = await browser.newPage();
  await page.setExtraHTTPHeaders({ "x-forwarded-for": "127.0.0.1" });
  await page.goto(url);
  await page.locator('[data-route="*.localhost"]').waitFor();
  const links = await page
    .locator("[data-route] a")
    .evaluateAll((all) => all.map((a) => a.getAttribute("href")));
  assert.deepEqual(links, [`http://shop.localhost:${new URL(url).port}/api`]);
});

test("requests per second are shown once a router counts", async (t) => {
  const browser = await startBrowser(t);
  if (browser === null) return;
  const clock = createManualClock();
  let requests = 100;
  const { url } = await start(t, { clock, stats: () => ({ requests, responses5xx: 0 }) });
  const page = await browser.newPage();
  await page.goto(url);
  await page.getByRole("status").getByText("live").waitFor();
  requests += 250;
  clock.advance(1_000);
  await page.getByText("Requests/s").waitFor();
  assert.match(await page.locator(".traffic").innerText(), /250/);
});

function get(url: string, headers: Record<string, string> = {}) {
  return new Promise<{ status: number; headers: Record<string, unknown>; body: string }>(
    (resolve, reject) => {
      const { port, pathname, search } = new URL(url);
      request({ host: "127.0.0.1", port, path: pathname + search, headers }, (response) => {
        let body = "";
        response.on("data", (chunk) => (body += String(chunk)));
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        );
      })
        .on("error", reject)
        .end();
    },
  );
}

test("the page forbids inline scripts and other hosts, and is sent again only when it changed", async (t) => {
  const { url } = await start(t);
  const page = await get(url);
  const policy = String(page.headers["content-security-policy"]);
  assert.match(policy, /default-src 'none'; script-src 'self' 'sha256-[\w+/=]+'; style-src 'self';/);
  assert.ok(!policy.includes("unsafe"));
  assert.equal(page.headers["x-content-type-options"], "nosniff");
  const again = await get(url, { "if-none-match": String(page.headers["etag"]) });
  assert.equal(again.status, 304);
  assert.equal(again.body, "");
});

test("everything the page imports is served, nothing beside it", async (t) => {
  const { url } = await start(t);
  const { body } = await get(url);
  const { imports } = JSON.parse(/<script type="importmap">(.*?)<\/script>/.exec(body)?.[1] ?? "") as {
    imports: Record<string, string>;
  };
  for (const path of Object.values(imports)) {
    const file = await get(new URL(path, url).href);
    assert.equal(file.status, 200, path);
    assert.match(String(file.headers["content-type"]), /^text\/javascript/);
    for (const [, name = ""] of file.body.matchAll(/from"([^"]+)"/g))
      assert.ok(name in imports, `${path} imports ${name}`);
  }
  for (const path of ["../package.json", "%2e%2e/package.json", "config.ts", "lib/", "page/main.js"]) {
    assert.equal((await get(`${url}${path}`)).status, 404, path);
  }
});

test("the address without a slash leads to the page", async (t) => {
  const { url } = await start(t);
  const answer = await get(url.replace(/\/$/, ""));
  assert.equal(answer.status, 308);
  assert.equal(answer.headers["location"], "/dashboard/");
});

test("changes within 50 ms become one event; what comes and goes in between is never told", async (t) => {
  const clock = createManualClock();
  const { reader, url } = await start(t, { clock });
  const seen: string[] = [];
  const { port } = new URL(url);
  await new Promise<void>((resolve, reject) => {
    const stream = request({ host: "127.0.0.1", port, path: "/dashboard/events" }, (response) => {
      t.after(() => stream.destroy());
      response.setEncoding("utf8");
      let text = "";
      response.on("data", (chunk: string) => {
        text += chunk;
        const events = text.split("\n\n");
        text = events.pop() ?? "";
        for (const event of events) {
          seen.push(event);
          if (event.startsWith("event: ready")) {
            reader.apply(upsert("a.localhost"), upsert("b.localhost"), {
              kind: "route-delete",
              guid: "guid of a.localhost",
            });
            clock.advance(50);
          }
          if (event.includes("b.localhost")) resolve();
        }
      });
    });
    stream.on("error", reject).end();
  });
  const changes = seen.filter((event) => event.startsWith("event: change"));
  assert.equal(changes.length, 2, "the empty image and one change");
  assert.ok(!seen.join().includes("a.localhost"));
});

test("an image longer than what a page may leave unread arrives whole, and what changed meanwhile behind it", async (t) => {
  const clock = createManualClock();
  const { reader, url } = await start(t, { clock });
  const options = { note: "x".repeat(4_000) };
  reader.load({
    reservations: Array.from({ length: 4_500 }, (_, n) => reservation(`r${n}.example.com`, { options })),
  });
  const { promise, resolve } = Promise.withResolvers<string>();
  const outgoing = request(new URL("events", url), (response) => {
    const pieces: string[] = [];
    let end = "";
    response.setEncoding("utf8").on("data", (piece: string) => {
      if (pieces.push(piece) === 1) {
        reader.apply(upsert("late.example.com"));
        clock.advance(50);
      }
      end = (end + piece).slice(-10_000);
      if (end.includes("late.example.com")) resolve(pieces.join(""));
    });
  });
  t.after(() => outgoing.destroy());
  outgoing.end();
  const text = await promise;
  assert.ok(text.length > 16 * 1024 * 1024, String(text.length));
  assert.equal(text.split('"id":"http ').length - 1, 4_501);
  assert.ok(text.indexOf("event: ready") < text.indexOf("late.example.com"));
});

test("with a login nothing is shown to browsers without the right one, which is checked once", async (t) => {
  const clock = createManualClock();
  const checks: string[] = [];
  const { url } = await start(t, {
    clock,
    checkLogin: async (username, password) => {
      checks.push(username);
      if (password !== "right: ä") throw badCredentials({});
      return username === "ada";
    },
  });
  const ask = async (path: string, login?: string) => {
    const answer = await fetch(`${url}${path}`, {
      headers: login === undefined ? {} : { authorization: `Basic ${Buffer.from(login).toString("base64")}` },
    });
    await answer.body?.cancel();
    return [answer.status, answer.headers.get("www-authenticate")];
  };
  const refused = [401, 'Basic realm="Viaduct", charset="UTF-8"'];
  for (const path of ["", "main.js", "events"]) assert.deepEqual(await ask(path), refused);
  for (const login of ["", ":", "ada", ":right: ä", "ada:wrong", "bob:right: ä"]) {
    assert.deepEqual(await ask("", login), refused, login);
  }
  checks.length = 0;
  for (const path of ["", "main.js", "events"])
    assert.deepEqual(await ask(path, "ada:right: ä"), [200, null]);
  assert.deepEqual(checks, ["ada"]);
  clock.advance(10 * 60_000);
  assert.deepEqual(await ask("", "ada:right: ä"), [200, null]);
  assert.deepEqual(checks, ["ada", "ada"]);
});
