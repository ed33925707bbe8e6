import assert from "node:assert/strict";
import { test } from "node:test";
import { startApi, type TestApi } from "../testing.ts";

const role = (api: TestApi, type: string, user: object) => ({
  type,
  relationships: {
    user: { data: user },
    ...(type.startsWith("space")
      ? { space: { data: { guid: api.space } } }
      : { organization: { data: { guid: api.organization } } }),
  },
});

test("a role opens what it says, and its end closes it", async (t) => {
  const api = await startApi(t);
  const { guid, token } = await api.user();
  assert.equal((await api.get(`/v3/spaces/${api.space}`, token)).status, 404);
  await api.create("/v3/roles", role(api, "organization_user", { guid }));
  const developer = await api.create("/v3/roles", role(api, "space_developer", { username: guid }));
  assert.equal((await api.get(`/v3/spaces/${api.space}`, token)).status, 200);
  const shown = (await api.get(`/v3/roles/${developer}?include=user,space`)).body;
  assert.equal(shown.type, "space_developer");
  assert.deepEqual(shown.relationships, {
    user: { data: { guid } },
    organization: { data: null },
    space: { data: { guid: api.space } },
  });
  assert.equal(shown.included?.users?.["0"]?.guid, guid);
  assert.equal(shown.included?.spaces?.["0"]?.name, "dev");
  assert.equal((await api.delete(`/v3/roles/${developer}`)).status, 202);
  assert.equal((await api.get(`/v3/spaces/${api.space}`, token)).status, 404);
});

test("what a role cannot be is refused", async (t) => {
  const api = await startApi(t);
  const { guid } = await api.user();
  const types = [
    "organization_user",
    "organization_auditor",
    "organization_manager",
    "organization_billing_manager",
    "space_auditor",
    "space_developer",
    "space_manager",
    "space_supporter",
  ];
  const cases: readonly { body: object; details: string }[] = [
    {
      body: role(api, "space_king", { guid }),
      details: `Type must be one of the allowed types ["${types.join('", "')}"]`,
    },
    {
      body: role(api, "organization_user", { guid: "nobody" }),
      details: "Invalid user. Ensure that the user exists and you have access to it.",
    },
    {
      body: role(api, "organization_user", { username: "nobody" }),
      details: "No user exists with the username 'nobody'.",
    },
    {
      body: role(api, "organization_user", { username: "nobody", origin: "ldap" }),
      details: "No user exists with the username 'nobody' and origin 'ldap'.",
    },
    {
      body: role(api, "space_developer", { username: "nobody" }),
      details:
        "Users cannot be assigned roles in a space if they do not have a role in that space's organization.",
    },
    {
      body: role(api, "space_developer", { guid }),
      details:
        "Users cannot be assigned roles in a space if they do not have a role in that space's organization.",
    },
    {
      body: { type: "space_developer", relationships: { user: { data: { guid } } } },
      details: "Relationships Space can't be blank",
    },
    {
      body: {
        type: "organization_user",
        relationships: { user: { data: { guid } }, organization: { data: { guid: "nowhere" } } },
      },
      details: "Invalid organization. Ensure that the organization exists and you have access to it.",
    },
  ];
  for (const { body, details } of cases) {
    const reply = await api.post("/v3/roles", body);
    assert.deepEqual(reply.details, [details]);
    assert.equal(reply.status, 422);
  }
  await api.create("/v3/roles", role(api, "organization_user", { guid }));
  assert.deepEqual((await api.post("/v3/roles", role(api, "organization_user", { guid }))).details, [
    `User '${guid}' already has 'organization_user' role in organization 'viaduct'.`,
  ]);
});

test("managers give roles where they manage; others do not", async (t) => {
  const api = await startApi(t);
  const somebody = await api.user("organization_user");
  const manager = await api.user("organization_user", "space_manager");
  const developer = await api.user("organization_user", "space_developer");
  const body = role(api, "space_auditor", { guid: somebody.guid });
  assert.equal((await api.post("/v3/roles", body, developer.token)).status, 403);
  assert.equal((await api.post("/v3/roles", body, manager.token)).status, 201);
});

test("a user leaves an organization only after its spaces", async (t) => {
  const api = await startApi(t);
  const { guid } = await api.user();
  const member = await api.create("/v3/roles", role(api, "organization_user", { guid }));
  const auditor = await api.create("/v3/roles", role(api, "organization_auditor", { guid }));
  const developer = await api.create("/v3/roles", role(api, "space_developer", { guid }));
  assert.deepEqual((await api.delete(`/v3/roles/${member}`)).details, [
    "Cannot delete organization_user role while user has roles in spaces in that organization.",
  ]);
  for (const each of [auditor, developer, member]) {
    assert.equal((await api.delete(`/v3/roles/${each}`)).status, 202);
  }
});

test("without the flag, only administrators give roles by name", async (t) => {
  const api = await startApi(t);
  const somebody = await api.user("organization_user");
  const manager = await api.user("organization_user", "organization_manager");
  await api.patch("/v3/feature_flags/set_roles_by_username", { enabled: false });
  const byName = role(api, "organization_auditor", { username: somebody.guid });
  const refused = await api.post("/v3/roles", byName, manager.token);
  assert.deepEqual([refused.status, refused.details], [403, ["Feature Disabled: set_roles_by_username"]]);
  assert.equal((await api.post("/v3/roles", byName)).status, 201);
  const byGuid = role(api, "organization_billing_manager", { guid: somebody.guid });
  assert.equal((await api.post("/v3/roles", byGuid, manager.token)).status, 201);
});

test("a name is found in any case, and with letters that are not ASCII", async (t) => {
  const api = await startApi(t);
  const { guid } = await api.user();
  await api.store.db.updateTable("users").set({ username: "Ärger" }).where("guid", "=", guid).execute();
  for (const name of ["Ärger", "ÄRGER"]) {
    const [found] = await api.list(`/v3/users?usernames=nobody,${encodeURIComponent(name)}`);
    assert.equal(found?.guid, guid);
  }
  await api.create("/v3/roles", role(api, "organization_user", { username: "ÄrGEr" }));
});

test("users see those they share an organization with", async (t) => {
  const api = await startApi(t);
  const one = await api.user("organization_user");
  const two = await api.user("organization_user");
  const stranger = await api.user();
  const seen = (await api.list("/v3/users", one.token)).map((user) => String(user.guid));
  assert.deepEqual(seen.toSorted(), [one.guid, two.guid].toSorted());
  assert.equal((await api.get(`/v3/users/${stranger.guid}`, one.token)).status, 404);
  const [found] = await api.list(`/v3/users?usernames=${two.guid.toUpperCase()}`, one.token);
  assert.equal(found?.origin, "uaa");
});
