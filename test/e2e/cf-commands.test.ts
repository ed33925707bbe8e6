/**
 * The commands of the official `cf` CLI against `viaduct up`: what each says, its exit code, and what a request gets
 * afterwards. The list runs through the program where there is one, and everywhere as the calls the program makes.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Cf, officialCf, replayedCf } from "../support/cf.ts";
import { needs } from "../support/needs.ts";
import { type Foundation, HELLO, startFoundation, temporaryHome } from "../support/viaduct.ts";

interface Step {
  /** As one types it; words are separated by single spaces, and PASSWORD is the administrator's. */
  readonly cf: string;
  /** The exit code; left out, 0. */
  readonly code?: number;
  readonly says?: readonly (string | RegExp)[];
  readonly never?: readonly (string | RegExp)[];
  /** What is so afterwards. */
  readonly after?: (foundation: Foundation) => Promise<void>;
}
interface Section {
  readonly title: string;
  readonly steps: readonly Step[];
}

/** Host → status, and a piece of the body; asked again until it is so, because apps start when they start. */
const answers =
  (host: string, status: number, body = "") =>
  async (foundation: Foundation) => {
    for (;;) {
      const answer = await foundation.get(host);
      if (answer.status === status && answer.body.includes(body)) return;
    }
  };

const sections: readonly Section[] = [
  {
    title: "finding one's place",
    steps: [
      { cf: "auth admin wrong", code: 1, says: [/credentials/i] },
      { cf: "auth admin PASSWORD", says: ["OK"] },
      { cf: "orgs", says: ["viaduct"] },
      { cf: "target -o viaduct -s dev", says: ["viaduct", "dev"] },
      { cf: "target -o nowhere", code: 1, says: ["Organization 'nowhere' not found"] },
      { cf: "target -o viaduct -s dev" },
      { cf: "oauth-token", says: [/bearer \S+\.\S+\.\S+/] },
      { cf: "create-space other", says: ["OK"] },
      { cf: "create-org partner", says: ["OK"] },
      { cf: "spaces", says: ["dev", "other"] },
      { cf: "domains", says: [/localhost +shared/, "apps.internal"] },
      { cf: "curl /v3/info", says: ['"name"'] },
    ],
  },
  {
    title: "routes with options",
    steps: [
      {
        cf: "create-route localhost --hostname shop --option loadbalancing=least-connection",
        says: ["shop.localhost"],
      },
      {
        cf: "create-route localhost --hostname bad --option loadbalancing=random",
        code: 1,
        says: ["Loadbalancing must be one of"],
      },
      {
        cf: "create-route localhost --hostname bad --option loadbalancing=hash",
        code: 1,
        says: ["Hash header must be present when loadbalancing is set to hash."],
      },
      {
        cf: "create-route localhost --hostname bad --option loadbalancing",
        code: 1,
        says: ["was specified incorrectly. Please use key-value pair format key=value."],
      },
      { cf: "check-route localhost --hostname shop", says: ["does exist"] },
      { cf: "check-route localhost --hostname bad", says: ["does not exist"] },
      {
        cf: "routes",
        says: [/shop/, /loadbalancing=least-connection/],
        after: answers("shop.localhost", 503),
      },
      {
        cf: "map-route shop localhost --hostname shop",
        says: ["OK"],
        after: answers("shop.localhost", 200, "hello from shop"),
      },
      {
        cf: "map-route shop localhost --hostname new --option loadbalancing=round-robin",
        after: answers("new.localhost", 200),
      },
      { cf: "route localhost --hostname new", says: ["loadbalancing=round-robin"] },
      {
        cf: "update-route localhost --hostname shop --option loadbalancing=hash --option hash_header=x-user",
        says: [/updat/i],
      },
      { cf: "route localhost --hostname shop", says: ["loadbalancing=hash", "hash_header=x-user"] },
      {
        cf: "update-route localhost --hostname shop --remove-option hash_header",
        code: 1,
        says: ["Hash header must be present"],
      },
      { cf: "update-route localhost --hostname shop --remove-option loadbalancing" },
      {
        cf: "route localhost --hostname shop",
        never: ["loadbalancing"],
        after: answers("shop.localhost", 200),
      },
      {
        cf: "map-route shop localhost --hostname shop --path /v2 --destination-protocol http1",
        says: ["shop.localhost/v2"],
      },
      { cf: "unmap-route shop localhost --hostname new", after: answers("new.localhost", 503) },
      { cf: "delete-orphaned-routes -f", says: ["OK"], after: answers("new.localhost", 404) },
      { cf: "delete-route localhost --hostname shop --path /v2 -f", says: ["OK"] },
      { cf: "routes --org-level", says: ["shop"], never: ["/v2", "new."] },
    ],
  },
  {
    title: "apps",
    steps: [
      { cf: "apps", says: [/shop +started/] },
      { cf: "stop shop", says: ["OK"], after: answers("shop.localhost", 503) },
      { cf: "start shop", after: answers("shop.localhost", 200) },
      { cf: "scale shop -i 2", after: answers("shop.localhost", 200, "instance 1") },
      { cf: "set-env shop COLOUR red" },
      { cf: "env shop", says: [/COLOUR: +red/] },
      { cf: "restart shop", after: answers("shop.localhost", 200) },
      { cf: "app shop", says: [/requested state: +started/, "shop.localhost"] },
      { cf: "create-app idle", says: ["OK"] },
      { cf: "start idle", code: 1 },
      { cf: "map-route idle localhost --hostname idle", after: answers("idle.localhost", 503) },
      { cf: "delete idle -f -r", says: ["OK"], after: answers("idle.localhost", 404) },
    ],
  },
  {
    title: "domains of every kind",
    steps: [
      { cf: "create-shared-domain shared.example.com" },
      { cf: "map-route shop shared.example.com --hostname a", after: answers("a.shared.example.com", 200) },
      {
        cf: "create-route shared.example.com",
        code: 1,
        says: ["Missing host. Routes in shared domains must have a host defined."],
      },
      { cf: "delete-shared-domain shared.example.com -f", after: answers("a.shared.example.com", 404) },
      { cf: "create-shared-domain other.internal --internal" },
      {
        cf: "create-route other.internal --hostname a --path /x",
        code: 1,
        says: ["Paths are not supported for internal domains."],
      },
      {
        cf: "create-route other.internal --hostname *",
        code: 1,
        says: ["Wildcard hosts are not supported for internal domains."],
      },
      { cf: "map-route shop other.internal --hostname a", says: ["OK"] },
      { cf: "router-groups", says: [/default-tcp +tcp/] },
      { cf: "create-shared-domain tcp.example.com --router-group default-tcp" },
      { cf: "create-route tcp.example.com --port 61001", says: ["tcp.example.com:61001"] },
      { cf: "create-route tcp.example.com", says: [/tcp\.example\.com:6100[02]/] },
      { cf: "create-route tcp.example.com --port 80", code: 1, says: ["Port '80' is not available."] },
      { cf: "create-shared-domain x.example.com --router-group nobody", code: 1, says: ["not found"] },
      { cf: "create-private-domain partner own.example.com" },
      {
        cf: "create-route own.example.com --hostname a",
        code: 1,
        says: ["Domain 'own.example.com' is not available in organization 'viaduct'."],
      },
      { cf: "share-private-domain viaduct own.example.com" },
      { cf: "map-route shop own.example.com", after: answers("own.example.com", 200) },
      {
        cf: "unshare-private-domain viaduct own.example.com -f",
        code: 1,
        says: ["This domain has associated routes in this organization. Delete the routes before unsharing."],
      },
      { cf: "delete-route own.example.com -f" },
      { cf: "unshare-private-domain viaduct own.example.com -f" },
      { cf: "target -o partner" },
      { cf: "delete-private-domain own.example.com -f" },
      { cf: "target -o viaduct -s dev" },
    ],
  },
  {
    title: "sharing and moving",
    steps: [
      { cf: "create-route localhost --hostname common" },
      {
        cf: "share-route localhost --hostname common -s other",
        code: 1,
        says: ["Feature Disabled: route_sharing"],
      },
      { cf: "feature-flags", says: [/route_sharing +disabled/] },
      { cf: "enable-feature-flag route_sharing", says: ["OK"] },
      { cf: "share-route localhost --hostname common -s other", says: ["OK"] },
      { cf: "delete-orphaned-routes -f" },
      { cf: "check-route localhost --hostname common", says: ["does exist"] },
      { cf: "move-route localhost --hostname common -s other", says: ["OK"] },
      { cf: "map-route shop localhost --hostname common", after: answers("common.localhost", 200) },
      { cf: "target -s other" },
      { cf: "routes", says: ["common"] },
      {
        cf: "unshare-route localhost --hostname common -s dev",
        says: ["OK"],
        after: answers("common.localhost", 200),
      },
      { cf: "target -s dev" },
    ],
  },
  {
    title: "route services",
    steps: [
      {
        cf: "create-user-provided-service plain -r http://guard.localhost",
        code: 1,
        says: ["Scheme for route_service_url must be https."],
      },
      { cf: "create-user-provided-service guard -r https://guard.localhost", says: ["OK"] },
      { cf: "services", says: [/guard +user-provided/] },
      { cf: "service guard", says: ["https://guard.localhost"] },
      { cf: "bind-route-service localhost guard --hostname shop", says: ["OK"], after: guarded("yes") },
      { cf: "bind-route-service apps.internal guard --hostname none", code: 1 },
      {
        cf: "unbind-route-service localhost guard --hostname shop -f",
        says: ["OK"],
        after: guarded(undefined),
      },
      { cf: "bind-route-service localhost guard --hostname shop" },
      { cf: "update-user-provided-service guard -r https://guard.localhost/other", after: guarded("yes") },
      { cf: "delete-service guard -f", after: guarded(undefined) },
    ],
  },
  {
    title: "leaving",
    steps: [
      { cf: "delete-space other -f", after: answers("common.localhost", 404) },
      { cf: "delete-org partner -f", says: ["OK"] },
      { cf: "logout", says: ["OK"] },
      { cf: "apps", code: 1 },
    ],
  },
];

/** Whether what comes back for the shop has been through the guard. */
function guarded(mark: string | undefined) {
  return async (foundation: Foundation) => {
    const { status, headers } = await foundation.get("shop.localhost");
    assert.deepEqual([status, headers["x-guarded"]], [200, mark]);
  };
}

/** A route service: sends what it gets back to where it was going, and marks the answer. */
const guardProgram = (routerPort: number) => `
import { createServer, request } from "node:http";
createServer((asked, answer) => {
  const to = new URL(asked.headers["x-cf-forwarded-url"]);
  const call = request({
    host: "127.0.0.1",
    port: ${routerPort},
    path: to.pathname + to.search,
    method: asked.method,
    headers: { ...asked.headers, host: to.host },
  });
  call.on("response", (got) => {
    answer.writeHead(got.statusCode, { ...got.headers, "x-guarded": "yes" });
    got.pipe(answer);
  });
  asked.pipe(call);
}).listen(process.env.PORT);
`;

async function follow(t: TestContext, newCf: (home: string) => Cf): Promise<void> {
  const foundation = await startFoundation(t, {
    settings: {
      "router.route_services_secret": "secret of this test",
      "router.route_services_hairpinning": "true",
      "routing-api.reservable_ports": "61000-61002",
    },
  });
  await foundation.ok("run", "--name", "shop", "--", ...HELLO);
  const guard = join(foundation.home, "guard.mjs");
  writeFileSync(guard, guardProgram(foundation.up.router.port));
  await foundation.ok("run", "--name", "guard", "--route", "guard.localhost", "--", process.execPath, guard);
  const cf = newCf(temporaryHome(t));
  assert.equal((await cf.run("api", foundation.up.api)).code, 0);
  for (const { title, steps } of sections) {
    await t.test(title, async () => {
      for (const step of steps) await take(cf, step, foundation);
    });
  }
}

function adminPassword({ home }: Foundation): string {
  const secrets = JSON.parse(readFileSync(join(home, "secrets.json"), "utf8")) as { adminPassword: string };
  return secrets.adminPassword;
}

async function take(cf: Cf, step: Step, foundation: Foundation): Promise<void> {
  const { code, output } = await cf.run(
    ...step.cf.split(" ").map((word) => (word === "PASSWORD" ? adminPassword(foundation) : word)),
  );
  const context = `cf ${step.cf}\n${output}`;
  assert.equal(code, step.code ?? 0, context);
  const has = (what: string | RegExp) =>
    typeof what === "string" ? output.includes(what) : what.test(output);
  for (const what of step.says ?? []) assert(has(what), `«${what}» is missing in ${context}`);
  for (const what of step.never ?? []) assert(!has(what), `«${what}» is in ${context}`);
  await step.after?.(foundation);
}

test("the calls of the cf CLI, command by command", { timeout: 180_000 }, (t) =>
  follow(t, () => replayedCf()),
);

test("the official cf CLI, command by command", { timeout: 600_000 }, async (t) => {
  const program = needs(t, "cf");
  if (program === null) return;
  await follow(t, (home) => officialCf(program, home));
});
