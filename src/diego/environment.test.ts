import assert from "node:assert/strict";
import { test } from "node:test";
import { instanceEnvironment } from "./environment.ts";
import { lrp, NET } from "./testing.ts";

const about = (some: Parameters<typeof lrp>[0], ports = NET.ports) => ({
  lrp: lrp({ directory: "/srv/shop", ...some }),
  index: 2,
  instanceGuid: "guid-1",
  net: { ...NET, ports },
  temporaryDirectory: "/data/tmp",
  machine: { path: "/usr/bin", user: "me" },
});

test("an instance sees Cloud Foundry's variables and nothing else of this machine", () => {
  process.env["VIADUCT_TEST_SECRET"] = "secret";
  try {
    assert.deepEqual(instanceEnvironment(about({ environment: { GREETING: "hi" } })), {
      PATH: "/usr/bin",
      USER: "me",
      LANG: "C.UTF-8",
      HOME: "/srv/shop",
      TMPDIR: "/data/tmp",
      GREETING: "hi",
      PORT: "61001",
      CF_INSTANCE_GUID: "guid-1",
      INSTANCE_GUID: "guid-1",
      CF_INSTANCE_INDEX: "2",
      INSTANCE_INDEX: "2",
      CF_INSTANCE_IP: "127.0.0.1",
      CF_INSTANCE_INTERNAL_IP: "127.1.0.1",
      CF_INSTANCE_PORT: "61001",
      CF_INSTANCE_ADDR: "127.0.0.1:61001",
      CF_INSTANCE_PORTS: '[{"external":61001,"internal":8080}]',
    });
  } finally {
    delete process.env["VIADUCT_TEST_SECRET"];
  }
});

test("an app may choose its PATH, but not its port or index", () => {
  const environment = instanceEnvironment(
    about({ environment: { PATH: "/opt/bin", PORT: "1", CF_INSTANCE_INDEX: "9" } }),
  );
  assert.equal(environment["PATH"], "/opt/bin");
  assert.equal(environment["PORT"], "61001");
  assert.equal(environment["CF_INSTANCE_INDEX"], "2");
});

test("an app without ports is told of none", () => {
  const environment = instanceEnvironment(about({}, []));
  assert.equal(environment["PORT"], undefined);
  assert.equal(environment["CF_INSTANCE_ADDR"], undefined);
  assert.equal(environment["CF_INSTANCE_PORTS"], "[]");
});
