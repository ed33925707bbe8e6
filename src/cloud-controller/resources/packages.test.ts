/** Packages that are copied; what is uploaded: `push.test.ts`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeJson } from "../../store/index.ts";
import { startApi, type TestApi } from "../testing.ts";

const SHA256 = "5".repeat(64);

const newApp = (api: TestApi, name: string) =>
  api.create("/v3/apps", { name, relationships: { space: { data: { guid: api.space } } } });
const of = (app: string) => ({ relationships: { app: { data: { guid: app } } } });

/** Two apps, and a package of the first whose files are there. */
async function startWithPackage(t: Parameters<typeof startApi>[0]) {
  const api = await startApi(t);
  const [from, to] = [await newApp(api, "from"), await newApp(api, "to")];
  const source = await api.create("/v3/packages", { type: "bits", ...of(from) });
  const setState = (state: string) =>
    api.store.db
      .updateTable("packages")
      .set({ state, data: encodeJson({ sha256: SHA256 }) })
      .where("guid", "=", source)
      .execute();
  await setState("READY");
  const copy = (guid: string, token?: string) => api.post(`/v3/packages?source_guid=${guid}`, of(to), token);
  return { api, from, to, source, copy, setState };
}

test("a package is copied to another app, and ready at once", async (t) => {
  const { api, to, source, copy } = await startWithPackage(t);
  const { status, body } = await copy(source);
  assert.equal(status, 201);
  assert.deepEqual(
    [body.type, body.state, body.data?.["checksum"]],
    ["bits", "READY", { type: "sha256", value: SHA256 }],
  );
  assert.notEqual(body["guid"], source);
  assert.equal(body.relationships?.app?.data?.guid, to);
  assert.equal((await api.list(`/v3/apps/${to}/packages`)).length, 1);
});

test("what is not there, not ready or not one's own is not copied", async (t) => {
  const { api, source, copy, setState } = await startWithPackage(t);
  assert.deepEqual((await copy("nothing")).details, ["Package not found"]);
  assert.equal((await copy(source, (await api.user()).token)).status, 404);
  assert.equal((await copy(source, (await api.user("space_auditor")).token)).status, 403);
  assert.equal((await copy(source, (await api.user("space_developer")).token)).status, 201);
  await setState("AWAITING_UPLOAD");
  assert.deepEqual((await copy(source)).details, ["Source package is not ready to be copied."]);
  const untyped = await api.post("/v3/packages", of(await newApp(api, "third")));
  assert.deepEqual(untyped.details, ["Type can't be blank"]);
});
