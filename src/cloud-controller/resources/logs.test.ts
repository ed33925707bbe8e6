import assert from "node:assert/strict";
import { test } from "node:test";
import { type Json, startApi, type TestApi } from "../testing.ts";

const line = (second: number, text: string, stream: "out" | "err" = "out") => ({
  timestampNs: `${1_767_225_600 + second}000000000`,
  stream,
  source: "APP/PROC/WEB",
  instanceIndex: 1,
  text,
});

async function appWithLines(api: TestApi): Promise<string> {
  api.bbs.logs = [line(10, "grüße"), line(20, "second", "err"), line(30, "third")];
  return api.create("/v3/apps", { name: "shop", relationships: { space: { data: { guid: api.space } } } });
}

async function read(api: TestApi, guid: string, query = "") {
  const { status, body } = await api.get(`/api/v1/read/${guid}?${query}`);
  assert.equal(status, 200);
  const batch = body.envelopes?.batch as unknown as readonly Json[];
  return batch.map((each) => Buffer.from(String(each.log?.payload), "base64").toString());
}

test("clients find their way from the root: the link's host, the version, the lines", async (t) => {
  const api = await startApi(t);
  const guid = await appWithLines(api);
  const { body } = await api.get("/");
  assert.deepEqual(body.links?.log_cache, { href: "http://localhost:8080" });
  const info = await api.request({ method: "GET", url: "/api/v1/info" });
  assert.equal(info.status, 200, "without a token");
  assert.equal(info.body.version, "3.0.0");
  const { body: first } = await api.get(`/api/v1/read/${guid}?limit=1`);
  assert.deepEqual(first.envelopes?.batch?.["0"], {
    timestamp: "1767225610000000000",
    source_id: guid,
    instance_id: "1",
    deprecated_tags: {},
    tags: { app_id: guid, app_name: "shop", instance_id: "1", source_type: "APP/PROC/WEB" },
    log: { payload: Buffer.from("grüße").toString("base64"), type: "OUT" },
  });
});

test("the newest come first when asked, within the time that was asked for", async (t) => {
  const api = await startApi(t);
  const guid = await appWithLines(api);
  assert.deepEqual(await read(api, guid), ["grüße", "second", "third"]);
  const beginning = "start_time=-6795364578871345152";
  assert.deepEqual(await read(api, guid, `${beginning}&descending=true&limit=2&envelope_types=LOG`), [
    "third",
    "second",
  ]);
  assert.deepEqual(await read(api, guid, "start_time=1767225620000000000&end_time=1767225630000000000"), [
    "second",
  ]);
  assert.deepEqual(await read(api, guid, "envelope_types=GAUGE"), []);
  assert.equal((await api.get(`/api/v1/read/${guid}?limit=9999`)).status, 400);
});

test("what the platform and the routers say of an app stands between its own lines", async (t) => {
  const api = await startApi(t, {
    accessLines: () => [{ ...line(0, "GET /"), source: "RTR", timestampNs: "9000000000000000000" }],
  });
  api.bbs.logs = [];
  const guid = await api.create("/v3/apps", {
    name: "shop",
    lifecycle: { type: "local", data: { directory: "/srv" } },
    relationships: { space: { data: { guid: api.space } } },
  });
  await api.patch(`/v3/processes/${guid}`, { command: "run" });
  await api.post(`/v3/apps/${guid}/actions/start`);
  await api.post(`/v3/apps/${guid}/actions/stop`);
  assert.deepEqual(await read(api, guid), ["Started app shop", "Stopped app shop", "GET /"]);
  const { body } = await api.get(`/v3/viaduct/apps/${guid}/recent_logs`);
  assert.deepEqual(body.resources?.["0"]?.source, "API");
});

test("lines of an app that one may not see are not there", async (t) => {
  const api = await startApi(t);
  const guid = await appWithLines(api);
  const { token } = await api.user();
  assert.equal((await api.get(`/api/v1/read/${guid}`, token)).status, 404);
  assert.deepEqual((await api.get("/api/v1/meta", token)).body.meta, {});
  assert.deepEqual((await api.get("/api/v1/meta")).body.meta, { [guid]: {} });
});
