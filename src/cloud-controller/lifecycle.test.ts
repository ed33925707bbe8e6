import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig } from "../kernel/index.ts";
import { encodeJson } from "../store/index.ts";
import { cloudControllerSection } from "./config.ts";
import { checkLifecycle, localDirectory, whyNotRunnable } from "./lifecycle.ts";

const config = (local: boolean) =>
  loadConfig([cloudControllerSection], {
    flags: { "cloud-controller.local_lifecycle": String(local) },
  }).get(cloudControllerSection);
const local = { type: "local", data: { directory: "/srv/shop" } };
const web = { guid: "p-1", type: "web", command: "run", instances: 1 };

const cases: readonly {
  name: string;
  lifecycle: Parameters<typeof checkLifecycle>[0];
  problems: string[];
}[] = [
  { name: "local", lifecycle: local, problems: [] },
  { name: "buildpack without data", lifecycle: { type: "buildpack", data: {} }, problems: [] },
  {
    name: "buildpacks that are no texts",
    lifecycle: { type: "buildpack", data: { buildpacks: [1], stack: 2 } },
    problems: ["Lifecycle Buildpacks can only contain strings", "Lifecycle Stack must be a string"],
  },
  {
    name: "another lifecycle's data",
    lifecycle: { type: "local", data: { directory: "/srv", stack: "x" } },
    problems: ["Lifecycle Unknown field(s): 'stack'"],
  },
];
for (const { name, lifecycle, problems } of cases) {
  test(`lifecycle: ${name}`, () => assert.deepEqual(checkLifecycle(lifecycle, config(true)), problems));
}

test("only a local app has a folder to run in", () => {
  assert.equal(localDirectory({ lifecycle: encodeJson(local) }), "/srv/shop");
  assert.equal(
    localDirectory({ lifecycle: encodeJson({ type: "buildpack", data: { directory: "/x" } }) }),
    null,
  );
});

test("a local app of an earlier configuration does not start where the operator forbids it now", () => {
  const app = { lifecycle: encodeJson(local), current_droplet_guid: null };
  assert.equal(whyNotRunnable(app, [web], null, config(true)), null);
  assert.match(whyNotRunnable(app, [web], null, config(false)) ?? "", /cloud-controller\.local_lifecycle/);
});
