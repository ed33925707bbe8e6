/**
 * The commands of the official `cf` CLI against `viaduct up`: what each says, its exit code, and what a request gets
 * afterwards. The list runs through the program where there is one, and everywhere as the calls the program makes.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Cf, officialCf } from "../support/cf/program.ts";
import { replayedCf } from "../support/cf/replay.ts";
import { needs } from "../support/needs.ts";
import {
  adminPasswordOf,
  type Foundation,
  HELLO,
  startFoundation,
  temporaryHome,
} from "../support/viaduct.ts";

interface Step {
  /** As one types it; words are separated by single spaces, PASSWORD is the administrator's, HOME the data folder. */
  readonly cf: string;
  /** The exit code; left out, 0. */
  readonly code?: number;
  /** A command waits for the first instance only: of several, one may run when it speaks. */
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
      { cf: "target -o viaduct", says: ["viaduct", "dev"] },
      { cf: "target -o nowhere", code: 1, says: ["Organization 'nowhere' not found"] },
      { cf: "target -o viaduct -s dev", says: ["viaduct", "dev"] },
      { cf: "oauth-token", says: [/bearer \S+\.\S+\.\S+/] },
      { cf: "create-space other", says: ["OK"] },
      { cf: "create-space other", says: ["already exists", "OK"] },
      { cf: "create-org partner", says: ["OK"] },
      { cf: "create-org partner", says: ["Organization 'partner' already exists.", "OK"] },
      { cf: "create-org renamed" },
      { cf: "rename-org renamed other-name", says: ["OK"] },
      { cf: "delete-org other-name -f", says: ["OK"] },
      { cf: "spaces", says: ["dev", "other"] },
      { cf: "space dev", says: [/name: +dev/, "shop"] },
      { cf: "org viaduct", says: [/name: +viaduct/, "localhost", "dev"] },
      { cf: "domains", says: [/localhost +shared/, "apps.internal"] },
      { cf: "curl /v3/info", says: ['"name"'] },
    ],
  },
  {
    title: "who may do what, and how much",
    steps: [
      { cf: "create-user ada secret-of-ada", says: ["OK"] },
      { cf: "create-user ada secret-of-ada", says: ["already exists", "OK"] },
      { cf: "set-org-role ada viaduct OrgManager", says: ["OK"] },
      { cf: "set-space-role ada viaduct dev SpaceDeveloper", says: ["OK"] },
      { cf: "set-space-role ada viaduct dev SpaceDeveloper", says: ["already has", "OK"] },
      { cf: "org-users viaduct", says: [/ORG(ANIZATION)? MANAGER[^]*ada/] },
      { cf: "space-users viaduct dev", says: [/SPACE DEVELOPER[^]*ada/] },
      { cf: "unset-space-role ada viaduct dev SpaceDeveloper", says: ["OK"] },
      { cf: "unset-org-role ada viaduct OrgManager", says: ["OK"] },
      { cf: "org-users viaduct", never: [/ORG(ANIZATION)? MANAGER[^A-Z]*ada/] },
      { cf: "delete-user ada -f", says: ["OK"] },
      { cf: "org-quotas", says: ["default"] },
      { cf: "create-org-quota small -m 1G -r 20", says: ["OK"] },
      { cf: "set-org-quota partner small", says: ["OK"] },
      { cf: "org-quota small", says: [/routes: +20/] },
      { cf: "update-org-quota small -r 30", says: ["OK"] },
      { cf: "org-quota small", says: [/routes: +30/] },
      {
        cf: "delete-org-quota small -f",
        code: 1,
        says: ["This quota is applied to one or more organizations."],
      },
      { cf: "create-space-quota tight -m 2G -r 0", says: ["OK"] },
      { cf: "space-quotas", says: [/tight/] },
      { cf: "set-space-quota other tight", says: ["OK"] },
      { cf: "target -s other" },
      {
        cf: "create-route localhost --hostname one-too-many",
        code: 1,
        says: ["Routes quota exceeded for space 'other'."],
      },
      { cf: "update-space-quota tight -r 1", says: ["OK"] },
      { cf: "space-quota tight", says: [/routes: +1/] },
      { cf: "create-route localhost --hostname one-too-many", says: ["OK"] },
      { cf: "delete-route localhost --hostname one-too-many -f" },
      { cf: "target -s dev" },
      { cf: "unset-space-quota other tight", says: ["OK"] },
      { cf: "delete-space-quota tight -f", says: ["OK"] },
      { cf: "create-isolation-segment aside", says: ["OK"] },
      { cf: "enable-org-isolation viaduct aside", says: ["OK"] },
      { cf: "isolation-segments", says: [/aside +viaduct/] },
      { cf: "set-space-isolation-segment other aside", says: ["OK"] },
      { cf: "reset-space-isolation-segment other", says: ["OK"] },
      { cf: "disable-org-isolation viaduct aside", says: ["OK"] },
      { cf: "delete-isolation-segment aside -f", says: ["OK"] },
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
      {
        cf: "create-route localhost --hostname shop",
        says: ["Route already exists with host 'shop' for domain 'localhost'.", "OK"],
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
      { cf: "map-route shop localhost --hostname shop", says: ["is already mapped to route", "OK"] },
      {
        cf: "map-route shop localhost --hostname shop --option loadbalancing=round-robin",
        code: 1,
        says: ["Route specific options can only be specified for nonexistent routes."],
      },
      {
        cf: "map-route shop localhost --hostname new --option loadbalancing=round-robin",
        after: answers("new.localhost", 200),
      },
      { cf: "route localhost --hostname new", says: ["loadbalancing=round-robin"] },
      {
        cf: "update-destination shop localhost --hostname new --app-protocol http1",
        says: ["OK"],
        after: answers("new.localhost", 200),
      },
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
        cf: "map-route shop localhost --hostname shop --path /v2 --app-protocol http1",
        says: ["shop.localhost/v2"],
      },
      // Options of our own, whose values are a number and a flag: the program reads texts only.
      { cf: "update-route localhost --hostname shop --path /v2 --option retries=3 --option trim-path=true" },
      { cf: "routes", says: [/retries=3/, /trim-path=true/] },
      {
        cf: "update-route localhost --hostname shop --path /v2 --option retries=many",
        code: 1,
        says: ["Retries must be"],
      },
      {
        cf: "update-route localhost --hostname shop --path /v2 --option retries=2 --remove-option trim-path",
        says: ["has been updated"],
      },
      { cf: "route localhost --hostname shop --path /v2", says: ["retries=2"], never: ["trim-path"] },
      { cf: "update-route localhost --hostname shop", code: 1, says: ["No options were specified"] },
      { cf: "set-label route shop.localhost/v2 tier=second", says: ["OK"] },
      { cf: "labels route shop.localhost/v2", says: [/tier +second/] },
      { cf: "routes --labels tier=second", says: ["/v2"], never: ["new"] },
      { cf: "unset-label route shop.localhost/v2 tier", says: ["OK"] },
      { cf: "apply-manifest -f HOME/typed.yml", says: ["OK"] },
      { cf: "routes", says: [/typed\.localhost|typed +localhost/, "retries=4"] },
      { cf: "delete typed -f -r", says: ["OK"] },
      { cf: "unmap-route shop localhost --hostname new", after: answers("new.localhost", 503) },
      { cf: "unmap-route shop localhost --hostname new", says: ["not currently mapped", "OK"] },
      { cf: "delete-orphaned-routes -f", says: ["OK"], after: answers("new.localhost", 404) },
      { cf: "delete-route localhost --hostname shop --path /v2 -f", says: ["OK"] },
      { cf: "delete-route localhost --hostname shop --path /v2 -f", says: ["Unable to delete", "OK"] },
      { cf: "routes --org-level", says: ["shop"], never: ["/v2", "new."] },
    ],
  },
  {
    title: "apps",
    steps: [
      { cf: "apps", says: [/shop +started +web:1\/1/, "shop.localhost"] },
      { cf: "start shop", says: ["already started"] },
      { cf: "stop shop", says: ["OK"], after: answers("shop.localhost", 503) },
      { cf: "start shop", after: answers("shop.localhost", 200) },
      { cf: "scale shop -i 2", after: answers("shop.localhost", 200, "instance 1") },
      { cf: "set-env shop COLOUR red" },
      { cf: "env shop", says: [/COLOUR: +red/] },
      { cf: "unset-env shop COLOUR", says: ["OK"] },
      { cf: "env shop", never: ["COLOUR"] },
      { cf: "restart shop", after: answers("shop.localhost", 200) },
      { cf: "app shop", says: [/requested state: +started/, "shop.localhost", /instances: +[12]\/2/] },
      {
        cf: "restart-app-instance shop 1",
        says: ["OK"],
        after: answers("shop.localhost", 200, "instance 1"),
      },
      { cf: "logs shop --recent", says: [/\[APP\/PROC\/WEB\/\d\] OUT/] },
      { cf: "events shop", says: ["audit.app.map-route"] },
      { cf: "ssh-enabled shop", says: ["ssh support is disabled"] },
      { cf: "create-app idle", says: ["OK"] },
      { cf: "create-app idle", says: ["already exists", "OK"] },
      { cf: "rename idle asleep", says: ["OK"] },
      { cf: "rename asleep shop", code: 1, says: ["App with the name 'shop' already exists."] },
      { cf: "rename asleep idle", says: ["OK"] },
      { cf: "get-health-check shop", says: [/web +port/] },
      { cf: "set-health-check shop process", says: [/restart/i] },
      { cf: "get-health-check shop", says: [/web +process/] },
      { cf: "set-health-check shop port", says: [/restart/i] },
      { cf: "start idle", code: 1 },
      { cf: "map-route idle localhost --hostname idle", after: answers("idle.localhost", 503) },
      { cf: "delete idle -f -r", says: ["OK"], after: answers("idle.localhost", 404) },
    ],
  },
  {
    title: "pushing",
    steps: [
      {
        cf: "push hello -p examples/hello -f examples/hello/manifest.yml -i 1",
        after: answers("hello.localhost", 200, "hello"),
      },
      { cf: "app hello", says: [/instances: +1\/1/, "hello.localhost/headers"] },
      {
        cf: "push hello -p examples/hello -f examples/hello/manifest.yml -i 2 --strategy rolling",
        says: [/instances: +[12]\/2/],
      },
      { cf: "restart hello --strategy rolling", after: answers("hello.localhost", 200) },
      { cf: "restage hello", after: answers("hello.localhost", 200) },
      { cf: "cancel-deployment hello", code: 1, says: ["No active deployment found for app."] },
      { cf: "continue-deployment hello", code: 1, says: ["No active deployment found for app."] },
      { cf: "packages hello", says: ["ready"] },
      { cf: "droplets hello", says: ["staged", "(current)"] },
      { cf: "revisions hello", says: ["No revisions found"] },
      { cf: "tasks hello", says: ["No tasks found"] },
      { cf: "run-task hello -c date", code: 1, says: ["App 'hello' cannot run tasks"] },
      { cf: "create-app twin" },
      { cf: "map-route twin localhost --hostname twin" },
      { cf: "copy-source hello twin", after: answers("twin.localhost", 200, "hello from twin") },
      { cf: "delete twin -f -r", says: ["OK"] },
      { cf: "create-app-manifest hello -p HOME/hello.yml", says: ["OK"] },
      { cf: "apply-manifest -f HOME/hello.yml", says: ["OK"], after: answers("hello.localhost", 200) },
      { cf: "delete hello -f -r", after: answers("hello.localhost", 404) },
      { cf: "push still -p examples/hello --no-start --no-route", never: ["still.localhost"] },
      { cf: "push still -p examples/hello", after: answers("still.localhost", 200) },
      { cf: "push lucky -p examples/hello --random-route", says: [/lucky-\S+\.localhost/] },
      { cf: "delete lucky -f -r", says: ["OK"] },
      { cf: "delete still -f -r", says: ["OK"] },
      { cf: "delete still -f", says: ["does not exist", "OK"] },
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
      { cf: "bind-service shop guard", says: ["OK"] },
      { cf: "service guard", says: ["https://guard.localhost", "shop"] },
      { cf: "services", says: [/guard +user-provided +shop/] },
      { cf: "unbind-service shop guard", says: ["OK"] },
      { cf: "bind-route-service localhost guard --hostname shop", says: ["OK"], after: guarded("yes") },
      { cf: "bind-route-service localhost guard --hostname shop", says: ["OK"] },
      { cf: "routes", says: ["guard"] },
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
    title: "what lies beside routing",
    steps: [
      { cf: "stacks", says: ["cflinuxfs4"] },
      { cf: "stack cflinuxfs4", says: [/name: +cflinuxfs4/] },
      { cf: 'set-running-environment-variable-group {"COLOUR":"blue"}', says: ["OK"] },
      { cf: "running-environment-variable-group", says: [/COLOUR +blue/] },
      { cf: "set-running-environment-variable-group {}", says: ["OK"] },
      { cf: "running-environment-variable-group", never: ["COLOUR"] },
      { cf: "terminate-task shop 1", code: 1, says: ["Task sequence ID 1 not found."] },
      { cf: "buildpacks", says: [/no buildpacks found/i] },
      { cf: "security-groups", says: [/no security groups found/i] },
      { cf: "service-brokers", says: [/no service brokers found/i] },
      {
        cf: "create-service-broker own user secret https://broker.example.com",
        code: 1,
        says: ["Service brokers cannot be registered"],
      },
      { cf: "allow-space-ssh dev", code: 1, says: ["SSH cannot be allowed"] },
      { cf: "marketplace", says: [/no service offerings found/i] },
      { cf: "network-policies", code: 1, says: ["Your targeted endpoint does not expose it."] },
      { cf: "set-label app shop tier=first", says: ["OK"] },
      { cf: "labels app shop", says: [/tier +first/] },
      { cf: "set-label org viaduct kind=home" },
      { cf: "set-label space dev stage=first" },
      { cf: "set-label domain localhost reach=all" },
      { cf: "domains --labels reach=all", says: ["localhost"], never: ["apps.internal"] },
    ],
  },
  {
    title: "leaving",
    steps: [
      { cf: "delete-space other -f", after: answers("common.localhost", 404) },
      { cf: "delete-org partner -f", says: ["OK"] },
      { cf: "logout", says: ["OK"] },
      { cf: "apps", code: 1 },
      { cf: "login -u admin -p PASSWORD -o viaduct", says: ["viaduct"] },
      { cf: "logout", says: ["OK"] },
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

/** A route with options that are no texts, as only YAML and JSON can say them. */
const TYPED = `
applications:
- name: typed
  routes:
  - route: typed.localhost
    options: { retries: 4, trim-path: true }
`;

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
      "router.route_services_hairpinning": "true",
      "routing-api.reservable_ports": "61000-61002",
    },
  });
  await foundation.ok("run", "--name", "shop", "--", ...HELLO);
  const guard = join(foundation.home, "guard.mjs");
  writeFileSync(guard, guardProgram(foundation.up.router.port));
  writeFileSync(join(foundation.home, "typed.yml"), TYPED);
  await foundation.ok("run", "--name", "guard", "--route", "guard.localhost", "--", process.execPath, guard);
  const cf = newCf(temporaryHome(t));
  assert.equal((await cf.run("api", foundation.up.api)).code, 0);
  for (const { title, steps } of sections) {
    await t.test(title, async () => {
      for (const step of steps) await take(cf, step, foundation);
    });
  }
}

async function take(cf: Cf, step: Step, foundation: Foundation): Promise<void> {
  const { code, output } = await cf.run(
    ...step.cf
      .split(" ")
      .map((word) =>
        word === "PASSWORD" ? adminPasswordOf(foundation) : word.replace("HOME", foundation.home),
      ),
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
