import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { parse } from "yaml";
import { readManifestFile } from "./manifest-file.ts";

/** What is sent when a folder has this manifest and the command line says so much. */
async function sent(t: TestContext, manifest: string, changes: Record<string, unknown>) {
  const folder = mkdtempSync(join(tmpdir(), "viaduct-manifest-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "manifest.yml"), manifest);
  const { text } = await readManifestFile(folder, null, null, changes);
  return (parse(text) as { applications: readonly unknown[] }).applications[0];
}

test("flags win over what a manifest says of the web process, wherever it says it", async (t) => {
  const changes = { instances: 3, command: "serve", memory: "1G" };
  assert.deepEqual(await sent(t, "applications: [{name: a, instances: 1}]", changes), {
    name: "a",
    ...changes,
    "default-route": true,
  });
  assert.deepEqual(
    await sent(
      t,
      "applications: [{name: a, processes: [{type: worker, instances: 9}, {type: web, instances: 1, timeout: 5}]}]",
      { ...changes, "no-route": true },
    ),
    {
      name: "a",
      ...changes,
      "no-route": true,
      processes: [
        { type: "worker", instances: 9 },
        { type: "web", timeout: 5, ...changes },
      ],
    },
  );
});

for (const { app, changes = {}, routes } of [
  { app: "{name: a}", routes: { "default-route": true } },
  {
    app: "{name: a, routes: [{route: a.localhost}]}",
    routes: { routes: [{ route: "a.localhost" }], "default-route": true },
  },
  { app: "{name: a, default-route: false}", routes: { "default-route": false } },
  { app: "{name: a, random-route: true}", routes: { "random-route": true } },
  { app: "{name: a, no-route: true, routes: []}", routes: { "no-route": true } },
  { app: "{name: a}", changes: { "no-route": true }, routes: { "no-route": true } },
  {
    app: "{name: a, routes: []}",
    changes: { "random-route": true },
    routes: { routes: [], "random-route": true },
  },
]) {
  test(`of ${app} with ${JSON.stringify(changes)}, what is said of routes is ${JSON.stringify(routes)}`, async (t) => {
    assert.deepEqual(await sent(t, `applications: [${app}]`, changes), { name: "a", ...routes });
  });
}
