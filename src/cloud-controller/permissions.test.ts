/** The table of the reference, role by role. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Reply, startApi, type TestApi } from "./testing.ts";

type Outcome = "yes" | "forbidden" | "unseen";

const ROLES = [
  "organization_manager",
  "organization_auditor",
  "organization_billing_manager",
  "organization_user",
  "space_manager",
  "space_developer",
  "space_supporter",
  "space_auditor",
] as const;

const body = (api: TestApi, host: string) => ({
  host,
  relationships: { space: { data: { guid: api.space } }, domain: { data: { guid: api.domain } } },
});

type Attempt = (token: string) => Promise<Reply>;

async function attempts(api: TestApi): Promise<Readonly<Record<string, Attempt>>> {
  const route = await api.create("/v3/routes", body(api, "seen"));
  const app = await api.create("/v3/apps", {
    name: "shop",
    lifecycle: { type: "local", data: { directory: "/srv" } },
    relationships: { space: { data: { guid: api.space } } },
  });
  await api.patch(`/v3/processes/${app}`, { command: "run" });
  // Mapped, so that it outlives the deletion of unmapped ones.
  await api.post(`/v3/routes/${route}/destinations`, { destinations: [{ app: { guid: app } }] });
  const own = await api.create("/v3/domains", {
    name: "own.example.com",
    relationships: { organization: { data: { guid: api.organization } } },
  });
  let count = 0;
  const fresh = () => `x${(count += 1)}`;
  return {
    "see a route": (token) => api.get(`/v3/routes/${route}`, token),
    "create a route": (token) => api.post("/v3/routes", body(api, fresh()), token),
    "update a route": (token) =>
      api.patch(`/v3/routes/${route}`, { metadata: { labels: { a: "b" } } }, token),
    "delete a route": async (token) =>
      api.delete(`/v3/routes/${await api.create("/v3/routes", body(api, fresh()))}`, token),
    "delete unmapped routes": (token) => api.delete(`/v3/spaces/${api.space}/routes?unmapped=true`, token),
    "map a route": (token) =>
      api.post(`/v3/routes/${route}/destinations`, { destinations: [{ app: { guid: app } }] }, token),
    "replace destinations": (token) =>
      api.patch(`/v3/routes/${route}/destinations`, { destinations: [{ app: { guid: app } }] }, token),
    "create a shared domain": (token) => api.post("/v3/domains", { name: `${fresh()}.example.com` }, token),
    "create a private domain": (token) =>
      api.post(
        "/v3/domains",
        {
          name: `${fresh()}.example.com`,
          relationships: { organization: { data: { guid: api.organization } } },
        },
        token,
      ),
    "see a private domain": (token) => api.get(`/v3/domains/${own}`, token),
    "see a shared domain": (token) => api.get(`/v3/domains/${api.domain}`, token),
    "start an app": (token) => api.post(`/v3/apps/${app}/actions/start`, {}, token),
    "scale an app": (token) => api.post(`/v3/processes/${app}/actions/scale`, { instances: 2 }, token),
    "create an app": (token) =>
      api.post("/v3/apps", { name: fresh(), relationships: { space: { data: { guid: api.space } } } }, token),
    "read an app's environment": (token) => api.get(`/v3/apps/${app}/env`, token),
    "create a space": (token) =>
      api.post(
        "/v3/spaces",
        { name: fresh(), relationships: { organization: { data: { guid: api.organization } } } },
        token,
      ),
    "create an organization": (token) => api.post("/v3/organizations", { name: fresh() }, token),
    "switch a feature flag": (token) =>
      api.patch("/v3/feature_flags/route_sharing", { enabled: true }, token),
  };
}

/** What cannot be seen is 404, or 422 where a body names it. */
function outcome(status: number): Outcome {
  if (status < 300) return "yes";
  return status === 403 ? "forbidden" : "unseen";
}

/** y: yes, -: forbidden, .: not to be seen. Columns as in ROLES. */
const TABLE = `
  see a route                y . . . y y y y
  create a route             - . . . - y y -
  update a route             - . . . - y y -
  delete a route             - . . . - y y -
  delete unmapped routes     - . . . - y y -
  map a route                - . . . - y y -
  replace destinations       - . . . - y y -
  create a shared domain     - - - - - - - -
  create a private domain    y - - - . . . .
  see a private domain       y y . y y y y y
  see a shared domain        y y y y y y y y
  start an app               - . . . - y y -
  scale an app               - . . . - y y -
  create an app              - . . . - y - -
  read an app's environment  - . . . - y - -
  create a space             y - - - . . . .
  create an organization     - - - - - - - -
  switch a feature flag      - - - - - - - -
`
  .trim()
  .split("\n")
  .map((line) => line.trim().split(/ {2,}/))
  .map(([name = "", marks = ""]) => ({ name, marks: marks.split(" ") }));
const MARKS: Readonly<Record<string, Outcome>> = { y: "yes", "-": "forbidden", ".": "unseen" };

test("every role may do exactly what the table says", async (t) => {
  const api = await startApi(t);
  const tries = await attempts(api);
  for (const [i, role] of ROLES.entries()) {
    const { token } = await api.user(role);
    for (const { name, marks } of TABLE) {
      await t.test(`${role}: ${name}`, async () => {
        const attempt = tries[name];
        assert(attempt !== undefined, "the table has a row that nobody tries");
        assert.equal(outcome((await attempt(token)).status), MARKS[marks[i] ?? ""]);
      });
    }
  }
});

test("an administrator may do everything, a read-only one sees everything and changes nothing", async (t) => {
  const api = await startApi(t);
  for (const [name, attempt] of Object.entries(await attempts(api))) {
    await t.test(name, async () => {
      assert.equal(outcome((await attempt("admin")).status), "yes");
      const isRead = /^(see|read)/.test(name);
      assert.equal(outcome((await attempt("reader:r")).status), isRead ? "yes" : "forbidden");
    });
  }
});

test("lists show what one may see, and nothing else", async (t) => {
  const api = await startApi(t);
  const hidden = await api.create("/v3/spaces", {
    name: "hidden",
    relationships: { organization: { data: { guid: api.organization } } },
  });
  await api.create("/v3/routes", body(api, "seen"));
  await api.create("/v3/routes", {
    host: "hidden",
    relationships: { space: { data: { guid: hidden } }, domain: { data: { guid: api.domain } } },
  });
  const hosts = async (token: string) =>
    (await api.list("/v3/routes", token)).map((route) => String(route.host));
  const developer = await api.user("organization_user", "space_developer");
  assert.deepEqual(await hosts(developer.token), ["seen"]);
  assert.deepEqual(await hosts((await api.user("organization_manager")).token), ["seen", "hidden"]);
  assert.deepEqual(await hosts((await api.user()).token), []);
  const spaces = await api.list("/v3/spaces", developer.token);
  assert.deepEqual(
    spaces.map((space) => String(space.name)),
    ["dev"],
  );
  assert.equal((await api.get("/v3/routes?hosts=hidden", developer.token)).body.pagination?.total_results, 0);
});

test("a route shared with a space is seen there", async (t) => {
  const api = await startApi(t);
  const other = await api.create("/v3/spaces", {
    name: "other",
    relationships: { organization: { data: { guid: api.organization } } },
  });
  const route = await api.create("/v3/routes", {
    host: "shared",
    relationships: { space: { data: { guid: other } }, domain: { data: { guid: api.domain } } },
  });
  const { token } = await api.user("space_developer");
  assert.equal((await api.get(`/v3/routes/${route}`, token)).status, 404);
  await api.store.db
    .insertInto("route_shares")
    .values({ route_guid: route, space_guid: api.space })
    .execute();
  assert.equal((await api.get(`/v3/routes/${route}`, token)).status, 200);
  assert.equal((await api.delete(`/v3/routes/${route}`, token)).status, 403);
});

test("a suspended organization stops everybody but administrators", async (t) => {
  const api = await startApi(t);
  const { token } = await api.user("space_developer");
  await api.patch(`/v3/organizations/${api.organization}`, { suspended: true });
  assert.equal((await api.post("/v3/routes", body(api, "a"), token)).status, 403);
  assert.equal((await api.get("/v3/routes", token)).status, 200);
  assert.equal((await api.post("/v3/routes", body(api, "a"))).status, 201);
});

test("a wildcard host on a shared domain is an administrator's", async (t) => {
  const api = await startApi(t);
  const { token } = await api.user("space_developer");
  const refused = await api.post("/v3/routes", body(api, "*"), token);
  assert.deepEqual(refused.details, [
    "You do not have sufficient permissions to create a route with a wildcard host on a domain not scoped to an organization.",
  ]);
  assert.equal((await api.post("/v3/routes", body(api, "*"))).status, 201);
  const own = await api.create("/v3/domains", {
    name: "own.example.com",
    relationships: { organization: { data: { guid: api.organization } } },
  });
  const relationships = { space: { data: { guid: api.space } }, domain: { data: { guid: own } } };
  const member = await api.user("organization_user", "space_developer");
  assert.equal((await api.post("/v3/routes", { host: "*", relationships }, member.token)).status, 201);
});

test("a feature flag that is off stops users, with the operator's words if there are some", async (t) => {
  const api = await startApi(t);
  const { token } = await api.user("space_developer");
  await api.patch("/v3/feature_flags/route_creation", { enabled: false });
  const reply = await api.post("/v3/routes", body(api, "a"), token);
  assert.equal(reply.status, 403);
  assert.equal(reply.body.errors?.["0"]?.code, 330_002);
  assert.deepEqual(reply.details, ["Feature Disabled: route_creation"]);
  await api.patch("/v3/feature_flags/route_creation", { custom_error_message: "ask the operators" });
  assert.deepEqual((await api.post("/v3/routes", body(api, "a"), token)).details, [
    "Feature Disabled: ask the operators",
  ]);
  assert.equal((await api.post("/v3/routes", body(api, "a"))).status, 201);
});
