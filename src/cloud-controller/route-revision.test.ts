import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { startApi } from "./testing.ts";

async function tagged(t: TestContext) {
  const api = await startApi(t);
  const made = await api.post("/v3/routes", {
    host: "shop",
    relationships: { space: { data: { guid: api.space } }, domain: { data: { guid: api.domain } } },
  });
  const url = `/v3/routes/${made.body.guid}`;
  const tag = async () => String((await api.get(url)).headers["etag"]);
  const send = (method: "PATCH" | "DELETE", ifMatch: string, payload = "{}") =>
    api.request({
      method,
      url,
      headers: { authorization: "bearer admin", "if-match": ifMatch },
      payload,
    });
  return { api, url, tag, send, first: String(made.headers["etag"]) };
}

test("a tag stays as long as nothing changes, and goes with the route and its destinations", async (t) => {
  const { api, url, tag, first } = await tagged(t);
  assert.match(first, /^"[\w-]{16}"$/);
  assert.equal(await tag(), first);
  const changed = await api.patch(url, { metadata: { labels: { tier: "web" } } });
  assert.notEqual(changed.headers["etag"], first);
  assert.equal(await tag(), changed.headers["etag"]);
  const app = await api.create("/v3/apps", {
    name: "shop",
    relationships: { space: { data: { guid: api.space } } },
  });
  await api.post(`${url}/destinations`, { destinations: [{ app: { guid: app } }] });
  assert.notEqual(await tag(), changed.headers["etag"]);
});

test("a change that was made for an older state of the route is refused and says what to do", async (t) => {
  const { send, first, tag } = await tagged(t);
  const update = JSON.stringify({ options: { loadbalancing: "least-connection" } });
  assert.equal((await send("PATCH", first, update)).status, 200);
  const late = await send("PATCH", first, JSON.stringify({ options: { loadbalancing: "round-robin" } }));
  assert.equal(late.status, 412);
  assert.equal(late.body.errors?.["0"]?.title, "CF-PreconditionFailed");
  assert.match(
    late.details.join(),
    /^Route '[\w-]+' was changed meanwhile: its tag is now "[\w-]+"\. Read it again/,
  );
  assert.equal((await send("DELETE", first)).status, 412);
  assert.equal((await send("DELETE", `"other", ${await tag()}`)).status, 202);
});

test("an asterisk matches any state", async (t) => {
  const { send } = await tagged(t);
  assert.equal((await send("PATCH", "*")).status, 200);
});

test("a route moves only while it is as the tag says", async (t) => {
  const { api, url, first } = await tagged(t);
  await api.patch("/v3/feature_flags/route_sharing", { enabled: true });
  const other = await api.create("/v3/spaces", {
    name: "other",
    relationships: { organization: { data: { guid: api.organization } } },
  });
  const move = (tag: string) =>
    api.request({
      method: "PATCH",
      url: `${url}/relationships/space`,
      headers: { authorization: "bearer admin", "if-match": tag },
      payload: JSON.stringify({ data: { guid: other } }),
    });
  assert.equal((await move('"another"')).status, 412);
  assert.equal((await api.get(url)).body.relationships?.space?.data?.guid, api.space);
  assert.equal((await move(first)).status, 200);
});

test("destinations are changed only while the route is as the tag says", async (t) => {
  const { api, url, first } = await tagged(t);
  await api.patch(url, { metadata: { labels: { a: "b" } } });
  const reply = await api.request({
    method: "PATCH",
    url: `${url}/destinations`,
    headers: { authorization: "bearer admin", "if-match": first },
    payload: '{"destinations":[]}',
  });
  assert.equal(reply.status, 412);
});
