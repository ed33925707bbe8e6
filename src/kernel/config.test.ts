import assert from "node:assert/strict";
import { test } from "node:test";
import { type ConfigSources, configSection, loadConfig, setting } from "./config.ts";
import { configInvalid } from "./errors/config.ts";

const dns = configSection("dns", {
  port: setting.port({ key: "port", default: 8053, describe: "Port." }),
  refreshMs: setting.duration({ key: "refresh", default: "1s", minimum: "1s", describe: "How often." }),
  idleTimeoutMs: setting.duration({ key: "idle_timeout", default: "10s", describe: "Idle." }),
  maxMessageBytes: setting.bytes({ key: "max_message", default: "4 KiB", describe: "Size." }),
  order: setting.oneOf({
    key: "order",
    default: "rotate",
    values: ["rotate", "shuffle"],
    describe: "Order.",
  }),
  zones: setting.list({ key: "zones", default: ["apps.internal"], describe: "Zones." }),
  isOpen: setting.boolean({ key: "open", default: false, describe: "Open." }),
});
const admin = configSection("admin", {
  password: setting.string({ key: "password", default: "", secret: true, describe: "Password." }),
});

const file = (text: string): ConfigSources => ({ file: { path: "viaduct.yml", text } });

function problemsOf(sources: ConfigSources): readonly string[] {
  try {
    loadConfig([dns, admin], sources);
  } catch (error) {
    if (configInvalid.is(error)) return error.details.problems;
    throw error;
  }
  return [];
}

test("without any source the defaults are in force, in the units of the program", () => {
  assert.deepEqual(loadConfig([dns], {}).get(dns), {
    port: 8053,
    refreshMs: 1_000,
    idleTimeoutMs: 10_000,
    maxMessageBytes: 4096,
    order: "rotate",
    zones: ["apps.internal"],
    isOpen: false,
  });
});

test("flags win over the environment, the environment over the file, the file over the default", () => {
  const sources = {
    file: { path: "viaduct.yml", text: "dns:\n  port: 1\n  idle_timeout: 1s\n  order: shuffle\n" },
    environment: { VIADUCT_DNS_PORT: "2", VIADUCT_DNS_IDLE_TIMEOUT: "2s" },
    flags: { "dns.port": "3" },
  };
  const config = loadConfig([dns], sources);
  assert.equal(config.get(dns).port, 3);
  assert.equal(config.get(dns).idleTimeoutMs, 2000);
  assert.equal(config.get(dns).order, "shuffle");
  const origins = Object.fromEntries(config.entries.map((entry) => [entry.path, entry.origin]));
  assert.equal(origins["dns.port"], "flag");
  assert.equal(origins["dns.idle_timeout"], "environment VIADUCT_DNS_IDLE_TIMEOUT");
  assert.equal(origins["dns.order"], "viaduct.yml, line 4");
  assert.equal(origins["dns.zones"], "default");
});

test("a preset takes the place of a default and yields to the file", () => {
  const presets = { origin: "viaduct up", values: { "dns.port": 0, "dns.order": "shuffle" } };
  const config = loadConfig([dns], { presets, ...file("dns:\n  port: 53\n") });
  assert.equal(config.get(dns).port, 53);
  assert.equal(config.get(dns).order, "shuffle");
  assert.equal(config.entries.find((entry) => entry.path === "dns.order")?.origin, "viaduct up");
});

const refused = [
  {
    name: "a duration below its minimum is told it",
    text: "dns:\n  refresh: 0s\n",
    want: 'dns.refresh: "0s" is shorter than 1s. (viaduct.yml, line 2)',
  },
  {
    name: "a duration without a unit is told the unit",
    text: "dns:\n  idle_timeout: 30\n",
    want: 'dns.idle_timeout: 30 has no unit; write "30s". (viaduct.yml, line 2)',
  },
  {
    name: "an unknown key is answered with the nearest one",
    text: "dns:\n  prot: 53\n",
    want: "dns.prot: there is no such key; did you mean «dns.port»? (viaduct.yml, line 2)",
  },
  {
    name: "an unknown section is answered with the nearest one",
    text: "dnss:\n  port: 53\n",
    want: "dnss: there is no such key; did you mean «dns»? (viaduct.yml, line 1)",
  },
  {
    name: "a port outside the range is named with the range",
    text: "dns:\n  port: 70000\n",
    want: "dns.port: 70000 is outside 0–65535. (viaduct.yml, line 2)",
  },
  {
    name: "a size without a unit is told a form",
    text: "dns:\n  max_message: 4096\n",
    want: 'dns.max_message: 4096 is no size with a unit; write one like "16 KiB". (viaduct.yml, line 2)',
  },
  {
    name: "a value outside a set is told the set",
    text: "dns:\n  order: random\n",
    want: 'dns.order: "random" is not one of rotate, shuffle. (viaduct.yml, line 2)',
  },
  {
    name: "a section that is no map says so",
    text: "dns: 5\n",
    want: "dns: is not a map of settings. (viaduct.yml, line 1)",
  },
];
for (const { name, text, want } of refused) {
  test(name, () => assert.deepEqual(problemsOf(file(text)), [want]));
}

test("broken YAML is one problem that names the file", () => {
  const problems = problemsOf(file("dns: [\n"));
  assert.ok(problems.length > 0);
  assert.match(problems[0] ?? "", /^viaduct\.yml: .+line/);
});

test("all problems are reported at once", () => {
  assert.equal(problemsOf(file("dns:\n  port: x\n  idle_timeout: 5\nzzz:\n  a: 1\n")).length, 3);
});

test("secrets are never printed", () => {
  const config = loadConfig([admin], { environment: { VIADUCT_ADMIN_PASSWORD: "hunter2" } });
  assert.equal(config.get(admin).password, "hunter2");
  assert.ok(config.entries.every((entry) => !entry.shown.includes("hunter2")));
});

test("a section's values cannot be changed afterwards", () => {
  const values = loadConfig([dns], {}).get(dns) as { port: number };
  assert.throws(() => {
    values.port = 1;
  }, TypeError);
});
