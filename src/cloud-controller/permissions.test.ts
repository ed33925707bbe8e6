/** The table of the reference, role by role. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { newGuid } from "../kernel/index.ts";
import { endpoints } from "./resources/index.ts";
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

interface Foundation {
  readonly api: TestApi;
  readonly attempts: Readonly<Record<string, Attempt>>;
  /** A new user with this role, also in a second space or a second organization. */
  readonly user: (role: (typeof ROLES)[number]) => Promise<string>;
  /** `POST /v3/routes`: what was asked for so far, with GUIDs as they were. */
  readonly asked: Set<string>;
}

/** One attempt for every operation on routes and domains, and for what goes with them; each may be made many times. */
async function foundation(t: TestContext): Promise<Foundation> {
  const api = await startApi(t);
  const asked = new Set<string>();
  const ask =
    (method: "GET" | "POST" | "PATCH" | "DELETE") =>
    (path: string, body: object | undefined, token: string) => {
      asked.add(`${method} ${path.split("?")[0]}`);
      return api.call(method, path, body, token);
    };
  const [get, post, patch, remove] = (["GET", "POST", "PATCH", "DELETE"] as const).map(ask) as [
    ReturnType<typeof ask>,
    ReturnType<typeof ask>,
    ReturnType<typeof ask>,
    ReturnType<typeof ask>,
  ];
  let count = 0;
  const fresh = () => `x${(count += 1)}`;
  const to = (...guids: readonly string[]) => ({ data: guids.map((guid) => ({ guid })) });
  const label = { metadata: { labels: { a: "b" } } };

  await api.patch("/v3/feature_flags/route_sharing", { enabled: true });
  const second = await api.create("/v3/spaces", {
    name: "second",
    relationships: { organization: { data: { guid: api.organization } } },
  });
  const partner = await api.create("/v3/organizations", { name: "partner" });
  const newRoute = (host = fresh()) => api.create("/v3/routes", body(api, host));
  const newDomain = () =>
    api.create("/v3/domains", {
      name: `${fresh()}.example.com`,
      relationships: { organization: { data: { guid: api.organization } } },
    });
  const route = await newRoute("seen");
  const app = await api.create("/v3/apps", {
    name: "shop",
    lifecycle: { type: "local", data: { directory: "/srv" } },
    relationships: { space: { data: { guid: api.space } } },
  });
  await api.patch(`/v3/processes/${app}`, { command: "run" });
  const destinations = { destinations: [{ app: { guid: app } }] };
  const mapped = async (guid: string) => {
    const reply = await api.post(`/v3/routes/${guid}/destinations`, destinations);
    return `/v3/routes/${guid}/destinations/${reply.body.destinations?.["0"]?.guid}`;
  };
  // Mapped, so that it outlives the deletion of unmapped ones.
  await mapped(route);
  const own = await newDomain();
  const service = await api.create("/v3/service_instances", {
    type: "user-provided",
    name: "guard",
    route_service_url: "https://guard.example.com",
    relationships: { space: { data: { guid: api.space } } },
  });
  const between = (guid: string) => ({
    relationships: { service_instance: { data: { guid: service } }, route: { data: { guid } } },
  });
  const binding = await api.create("/v3/service_route_bindings", between(route));
  const shares = (guid: string) => `/v3/routes/${guid}/relationships/shared_spaces`;
  const domainShares = (guid: string) => `/v3/domains/${guid}/relationships/shared_organizations`;

  const attempts: Record<string, Attempt> = {
    "see a route": (token) => get(`/v3/routes/${route}`, undefined, token),
    "see its destinations": (token) => get(`/v3/routes/${route}/destinations`, undefined, token),
    "see whom it is shared with": (token) => get(shares(route), undefined, token),
    "see an app's routes": (token) => get(`/v3/apps/${app}/routes`, undefined, token),
    "create a route": (token) => post("/v3/routes", body(api, fresh()), token),
    "create a wildcard route on a shared domain": async (token) => {
      const [old] = await api.list("/v3/routes?hosts=*");
      if (old !== undefined) await api.delete(`/v3/routes/${old.guid}`);
      return post("/v3/routes", body(api, "*"), token);
    },
    "update a route": (token) => patch(`/v3/routes/${route}`, label, token),
    "delete a route": async (token) => remove(`/v3/routes/${await newRoute()}`, undefined, token),
    "delete unmapped routes": (token) =>
      remove(`/v3/spaces/${api.space}/routes?unmapped=true`, undefined, token),
    "map a route": (token) => post(`/v3/routes/${route}/destinations`, destinations, token),
    "unmap a route": async (token) => remove(await mapped(await newRoute()), undefined, token),
    "replace destinations": (token) => patch(`/v3/routes/${route}/destinations`, destinations, token),
    "change a destination": async (token) => patch(await mapped(route), { protocol: "http1" }, token),
    "share a route": async (token) => post(shares(await newRoute()), to(second), token),
    "unshare a route": async (token) => {
      const guid = await newRoute();
      await api.post(shares(guid), to(second));
      return remove(`${shares(guid)}/${second}`, undefined, token);
    },
    "move a route": async (token) =>
      patch(`/v3/routes/${await newRoute()}/relationships/space`, { data: { guid: second } }, token),
    "bind a route service": async (token) =>
      post("/v3/service_route_bindings", between(await newRoute()), token),
    "see a route service binding": (token) => get(`/v3/service_route_bindings/${binding}`, undefined, token),
    "see its parameters": (token) =>
      get(`/v3/service_route_bindings/${binding}/parameters`, undefined, token),
    "update a route service binding": (token) => patch(`/v3/service_route_bindings/${binding}`, label, token),
    "unbind a route service": async (token) => {
      const guid = await api.create("/v3/service_route_bindings", between(await newRoute()));
      return remove(`/v3/service_route_bindings/${guid}`, undefined, token);
    },
    "see a shared domain": (token) => get(`/v3/domains/${api.domain}`, undefined, token),
    "see a private domain": (token) => get(`/v3/domains/${own}`, undefined, token),
    "check a route of a private domain": (token) =>
      get(`/v3/domains/${own}/route_reservations?host=a`, undefined, token),
    "see an organization's domains": (token) =>
      get(`/v3/organizations/${api.organization}/domains`, undefined, token),
    "see an organization's default domain": (token) =>
      get(`/v3/organizations/${api.organization}/domains/default`, undefined, token),
    "create a shared domain": (token) => post("/v3/domains", { name: `${fresh()}.example.com` }, token),
    "create an internal domain": (token) =>
      post("/v3/domains", { name: `${fresh()}.internal`, internal: true }, token),
    "update a shared domain": (token) => patch(`/v3/domains/${api.domain}`, label, token),
    "delete a shared domain": async (token) => {
      const guid = await api.create("/v3/domains", { name: `${fresh()}.example.com` });
      return remove(`/v3/domains/${guid}`, undefined, token);
    },
    "create a private domain": (token) =>
      post(
        "/v3/domains",
        {
          name: `${fresh()}.example.com`,
          relationships: { organization: { data: { guid: api.organization } } },
        },
        token,
      ),
    "update a private domain": (token) => patch(`/v3/domains/${own}`, label, token),
    "delete a private domain": async (token) => remove(`/v3/domains/${await newDomain()}`, undefined, token),
    "share a private domain": async (token) => post(domainShares(await newDomain()), to(partner), token),
    "unshare a private domain": async (token) => {
      const guid = await newDomain();
      await api.post(domainShares(guid), to(partner));
      return remove(`${domainShares(guid)}/${partner}`, undefined, token);
    },
    "start an app": (token) => post(`/v3/apps/${app}/actions/start`, {}, token),
    "scale an app": (token) => post(`/v3/processes/${app}/actions/scale`, { instances: 2 }, token),
    "create an app": (token) =>
      post("/v3/apps", { name: fresh(), relationships: { space: { data: { guid: api.space } } } }, token),
    "read an app's environment": (token) => get(`/v3/apps/${app}/env`, undefined, token),
    "create a space": (token) =>
      post(
        "/v3/spaces",
        { name: fresh(), relationships: { organization: { data: { guid: api.organization } } } },
        token,
      ),
    "create an organization": (token) => post("/v3/organizations", { name: fresh() }, token),
    "switch a feature flag": (token) => patch("/v3/feature_flags/diego_docker", { enabled: true }, token),
  };
  return {
    api,
    attempts,
    asked,
    async user(type) {
      const { guid, token } = await api.user(type);
      const place = type.startsWith("space") ? { space_guid: second } : { organization_guid: partner };
      const times = { created_at: "2026-01-01T00:00:00.000Z", updated_at: "2026-01-01T00:00:00.000Z" };
      await api.store.db
        .insertInto("roles")
        .values({ guid: newGuid(), ...times, type, user_guid: guid, ...place })
        .execute();
      return token;
    },
  };
}

/** What cannot be seen is 404, or 422 where a body names it; what is refused to everybody alike says nothing. */
function outcome(status: number): Outcome {
  if (status < 300 || status === 400) return "yes";
  return status === 403 ? "forbidden" : "unseen";
}

/** y: yes, -: forbidden, .: not to be seen. Columns as in ROLES: manager, auditor, billing, user; manager, … */
const TABLE = `
  see a route                                 y . . . y y y y
  see its destinations                        y . . . y y y y
  see whom it is shared with                  y . . . y y y y
  see an app's routes                         y . . . y y y y
  create a route                              - . . . - y y -
  create a wildcard route on a shared domain  - . . . - . . -
  update a route                              - . . . - y y -
  delete a route                              - . . . - y y -
  delete unmapped routes                      - . . . - y y -
  map a route                                 - . . . - y y -
  unmap a route                               - . . . - y y -
  replace destinations                        - . . . - y y -
  change a destination                        - . . . - y y -
  share a route                               - . . . - y y -
  unshare a route                             - . . . - y y -
  move a route                                - . . . - y y -
  bind a route service                        - . . . - y - -
  see a route service binding                 y . . . y y y y
  see its parameters                          y . . . y y y y
  update a route service binding              - . . . - y - -
  unbind a route service                      - . . . - y - -
  see a shared domain                         y y y y y y y y
  see a private domain                        y y . y y y y y
  check a route of a private domain           y y . y y y y y
  see an organization's domains               y y y y . . . .
  see an organization's default domain        y y y y . . . .
  create a shared domain                      - - - - - - - -
  create an internal domain                   - - - - - - - -
  update a shared domain                      - - - - - - - -
  delete a shared domain                      - - - - - - - -
  create a private domain                     y - - - . . . .
  update a private domain                     y - . - - - - -
  delete a private domain                     y - . - - - - -
  share a private domain                      y - . - - - - -
  unshare a private domain                    y - . - - - - -
  start an app                                - . . . - y y -
  scale an app                                - . . . - y y -
  create an app                               - . . . - y - -
  read an app's environment                   - . . . - y - -
  create a space                              y - - - . . . .
  create an organization                      - - - - - - - -
  switch a feature flag                       - - - - - - - -
`
  .trim()
  .split("\n")
  .map((line) => line.trim().split(/ {2,}/))
  .map(([name = "", marks = ""]) => ({ name, marks: marks.split(" ") }));
const MARKS: Readonly<Record<string, Outcome>> = { y: "yes", "-": "forbidden", ".": "unseen" };
const isReading = (name: string) => /^(see|read|check)/.test(name);

test("every role may do exactly what the table says", async (t) => {
  const { attempts, user, asked } = await foundation(t);
  assert.deepEqual(Object.keys(attempts).toSorted(), TABLE.map(({ name }) => name).toSorted());
  for (const [i, role] of ROLES.entries()) {
    const token = await user(role);
    for (const { name, marks } of TABLE) {
      await t.test(`${role}: ${name}`, async () => {
        const reply = await attempts[name]?.(token);
        assert.equal(outcome(reply?.status ?? 0), MARKS[marks[i] ?? ""], reply?.details.join("; ") ?? name);
      });
    }
  }
  await t.test("no operation on routes and domains is left out of the table", () => {
    const ofTheTable = endpoints.filter(
      ({ method, path }) =>
        /\/(routes|domains|service_route_bindings)\b/.test(path) &&
        !path.startsWith("/v3/viaduct/") &&
        // Lists are never refused, only shorter.
        !(method === "GET" && /^\/v3\/\w+$/.test(path)),
    );
    const untried = ofTheTable.filter(({ method, path }) => {
      const pattern = new RegExp(`^${method} ${path.replaceAll(/:\w+/g, "[^/]+")}$`);
      return !asked.values().some((each) => pattern.test(each));
    });
    assert.deepEqual(
      untried.map(({ method, path }) => `${method} ${path}`),
      [],
    );
  });
});

test("an administrator may do everything, a read-only one and an auditor see everything and change nothing", async (t) => {
  const { attempts } = await foundation(t);
  for (const [name, attempt] of Object.entries(attempts)) {
    await t.test(name, async () => {
      assert.equal(outcome((await attempt("admin")).status), "yes");
      assert.equal(outcome((await attempt("reader:r")).status), isReading(name) ? "yes" : "forbidden");
      // Environments hold passwords.
      const isForAuditors = isReading(name) && name !== "read an app's environment";
      assert.equal(outcome((await attempt("auditor:a")).status), isForAuditors ? "yes" : "forbidden");
    });
  }
});

test("in a suspended organization everybody sees what they saw, and only administrators change anything", async (t) => {
  const { api, attempts, user } = await foundation(t);
  const tokens = [await user("organization_manager"), await user("space_developer")];
  await api.patch(`/v3/organizations/${api.organization}`, { suspended: true });
  const refused = await api.post("/v3/routes", body(api, "late"), tokens[1]);
  assert.deepEqual(refused.body, {
    errors: [{ code: 10017, title: "CF-OrgSuspended", detail: "The organization is suspended" }],
  });
  for (const [i, role] of (["organization_manager", "space_developer"] as const).entries()) {
    const column = ROLES.indexOf(role);
    for (const { name, marks } of TABLE) {
      const usually = MARKS[marks[column] ?? ""];
      // Refused for the organization, before anybody looks at the host.
      if (name.includes("wildcard")) continue;
      // Who manages the organization it is shared with may end that.
      if (name === "unshare a private domain" && role === "organization_manager") continue;
      const expected = usually === "yes" && !isReading(name) ? "forbidden" : usually;
      await t.test(`${role}: ${name}`, async () => {
        assert.equal(outcome((await attempts[name]?.(tokens[i] ?? ""))?.status ?? 0), expected);
      });
    }
  }
  for (const [name, attempt] of Object.entries(attempts)) {
    await t.test(`admin: ${name}`, async () => {
      assert.equal(outcome((await attempt("admin")).status), "yes");
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
