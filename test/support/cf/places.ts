/** Commands about who one is and where: login, organizations, spaces, users, roles, quotas, isolation segments. */
import {
  type Command,
  Failure,
  http,
  type Json,
  MOST,
  parse,
  type Session,
  textOf,
  guidOf,
} from "./session.ts";

const ROLE_OF: Readonly<Record<string, string>> = {
  OrgManager: "organization_manager",
  BillingManager: "organization_billing_manager",
  OrgAuditor: "organization_auditor",
  SpaceManager: "space_manager",
  SpaceDeveloper: "space_developer",
  SpaceAuditor: "space_auditor",
  SpaceSupporter: "space_supporter",
};

/** That somebody has the role already is no error; the program knows it by its words. */
async function giveRole(session: Session, type: string, username: string, place: object): Promise<void> {
  const relationships = { user: { data: { username, origin: "uaa" } }, ...place };
  try {
    await session.call("POST", "/v3/roles", { type, relationships });
  } catch (error) {
    if (!(error instanceof Failure) || !/User '.*' already has '.*' role.*/.test(error.message)) throw error;
    session.print(error.message);
  }
}

/** Every role in an organization comes with membership. */
const joinOrganization = (session: Session, username: string, org: Json) =>
  giveRole(session, "organization_user", username, { organization: guidOf(org) });

async function findUser(session: Session, username: string): Promise<Json> {
  const query = { usernames: username, origins: "uaa" };
  return session.only("/v3/users", query, `No user exists with the username '${username}'.`);
}

async function removeRole(session: Session, query: Readonly<Record<string, string>>): Promise<void> {
  const [role] = await session.list("/v3/roles", query);
  if (role !== undefined) await session.call("DELETE", `/v3/roles/${role.guid}`);
}

/** `-m 1G` as the API takes it; «unlimited» is null. */
function limitsOf(flags: Readonly<Record<string, unknown>>): object {
  const memory = textOf(flags["memory"] as string | undefined);
  const routes = textOf(flags["r"] as string | undefined);
  return {
    apps: {
      total_memory_in_mb: memory === "" ? 0 : Number(/^(\d+)G$/.exec(memory)?.[1]) * 1024,
      per_process_memory_in_mb: null,
      total_instances: null,
    },
    services: { total_service_instances: 0, paid_services_allowed: false },
    routes: { total_routes: Number(routes || "0"), total_reserved_ports: 0 },
  };
}

const segmentNamed = (session: Session, name: string) =>
  session.only("/v3/isolation_segments", { names: name }, `Isolation segment '${name}' not found.`);

export const PLACES: Readonly<Record<string, Command>> = {
  async api(session, { words: [url = ""] }) {
    session.api = url;
    const { links } = await session.call("GET", "/");
    session.api = String(links?.cloud_controller_v3?.href).replace(/\/v3$/, "");
    session.uaa = String(links?.uaa?.href);
    session.routing = String(links?.routing?.href);
    session.logCache = String(links?.log_cache?.href);
    session.networkPolicy = String(links?.network_policy_v1?.href ?? "");
    await session.call("GET", "/v3/info");
    const login = await session.send("GET", `${links?.login?.href}/login`);
    const { prompts } = parse(login.body);
    if (prompts?.username === undefined) throw new Failure("the login server names no prompts");
    session.print(
      `API endpoint: ${session.api}`,
      `API version: ${links?.cloud_controller_v3?.meta?.version}`,
    );
  },
  async auth(session, { words: [user = "", password = ""], flags }) {
    await session.grant(
      flags["client-credentials"] === true
        ? { grant_type: "client_credentials", client_id: user, client_secret: password }
        : { grant_type: "password", username: user, password },
    );
    session.user = user;
    session.print("Authenticating...", "OK");
  },
  async login(session, { flags }) {
    await session.grant({
      grant_type: "password",
      username: textOf(flags["username"]),
      password: textOf(flags["password"]),
    });
    session.user = textOf(flags["username"]);
    const orgs = await session.list("/v3/organizations", { order_by: "name", ...MOST });
    // One is taken without a question, of several one is asked for.
    const [org] = textOf(flags["org"]) === "" ? orgs : [await session.organization(textOf(flags["org"]))];
    session.org = org ?? {};
    const spaces = await session.list("/v3/spaces", {
      organization_guids: String(session.org.guid),
      order_by: "name",
      ...MOST,
    });
    session.space = spaces[0] ?? {};
    session.print("OK", `org: ${session.org.name}`, `space: ${session.space.name}`);
  },
  async logout(session) {
    const [, claims = ""] = session.access.split(".");
    const { jti } = parse(Buffer.from(claims, "base64url").toString());
    await session.call("DELETE", `${session.uaa}/oauth/token/revoke/${jti}`);
    [session.access, session.refresh, session.org, session.space] = ["", "", {}, {}];
    session.print("OK");
  },
  async "oauth-token"(session) {
    await session.grant({ grant_type: "refresh_token", refresh_token: session.refresh });
    session.print(`bearer ${session.access}`);
  },
  async target(session, { flags }) {
    const [org, space] = [textOf(flags["org"]), textOf(flags["space"])];
    if (org !== "") {
      [session.org, session.space] = [await session.organization(org), {}];
      if (space === "") {
        // The only space of an organization is targeted along with it.
        const spaces = await session.list("/v3/spaces", { organization_guids: String(session.org.guid) });
        if (spaces.length === 1) session.space = spaces[0] ?? {};
      }
    }
    if (space !== "") session.space = await session.spaceIn(session.targeted().org, space);
    session.print(`org: ${session.org.name}`, `space: ${session.space.name}`);
  },
  async curl(session, { words: [path = ""], flags }) {
    const method = textOf(flags["method"]) || "GET";
    const data = flags["data"] === undefined ? undefined : textOf(flags["data"]);
    session.print((await session.send(method, `${session.api}${path}`, data)).body);
  },

  async orgs(session) {
    const orgs = await session.list("/v3/organizations", { order_by: "name", ...MOST });
    session.print(...orgs.map((org) => String(org.name)));
  },
  async org(session, { words: [name = ""] }) {
    const org = await session.organization(name);
    const domains = await session.list(`/v3/organizations/${org.guid}/domains`);
    const quota = await session.call(
      "GET",
      `/v3/organization_quotas/${org.relationships?.quota?.data?.guid}`,
    );
    const spaces = await session.list("/v3/spaces", {
      organization_guids: String(org.guid),
      order_by: "name",
      ...MOST,
    });
    const segments = await session.list("/v3/isolation_segments", { organization_guids: String(org.guid) });
    await session.call("GET", `/v3/organizations/${org.guid}/relationships/default_isolation_segment`);
    session.print(
      `name: ${name}`,
      `domains: ${domains.map((each) => each.name).join(", ")}`,
      `quota: ${quota.name}`,
      `spaces: ${spaces.map((each) => each.name).join(", ")}`,
      `isolation segments: ${segments.map((each) => each.name).join(", ")}`,
    );
  },
  async "create-org"(session, { words: [name = ""] }) {
    let org: Json;
    try {
      org = await session.call("POST", "/v3/organizations", { name });
    } catch (error) {
      if (!(error instanceof Failure) || !/Organization '.*' already exists\./.test(error.message))
        throw error;
      return session.print(error.message, "OK");
    }
    await joinOrganization(session, session.user, org);
    await giveRole(session, "organization_manager", session.user, { organization: guidOf(org) });
    session.print("OK");
  },
  async "delete-org"(session, { words: [name = ""] }) {
    const { guid } = await session.organization(name);
    // With the slash at the end, as the program writes it.
    await session.call("DELETE", `/v3/organizations/${guid}/`);
    session.print("OK");
  },
  async "rename-org"(session, { words: [name = "", other = ""] }) {
    const { guid } = await session.organization(name);
    await session.call("PATCH", `/v3/organizations/${guid}/`, { name: other });
    session.print("OK");
  },
  async spaces(session) {
    const { org } = session.targeted();
    const query = { organization_guids: String(org.guid), order_by: "name", ...MOST };
    session.print(...(await session.list("/v3/spaces", query)).map((space) => String(space.name)));
  },
  async space(session, { words: [name = ""] }) {
    const { org } = session.targeted();
    const space = await session.spaceIn(org, name);
    const inSpace = { space_guids: String(space.guid), order_by: "name" };
    const apps = await session.list("/v3/apps", inSpace);
    const services = await session.list("/v3/service_instances", inSpace);
    await session.call("GET", `/v3/spaces/${space.guid}/relationships/isolation_segment`);
    await session.list(`/v3/spaces/${space.guid}/running_security_groups`);
    await session.list(`/v3/spaces/${space.guid}/staging_security_groups`);
    const quota = space.relationships?.quota?.data?.guid;
    const { name: quotaName } =
      quota === undefined ? {} : await session.call("GET", `/v3/space_quotas/${quota}`);
    session.print(
      `name: ${name}`,
      `org: ${org.name}`,
      `apps: ${apps.map((each) => each.name).join(", ")}`,
      `services: ${services.map((each) => each.name).join(", ")}`,
      `quota: ${quotaName ?? ""}`,
    );
  },
  async "create-space"(session, { words: [name = ""], flags }) {
    const other = textOf(flags["org"]);
    const org = other === "" ? session.targeted().org : await session.organization(other);
    let space: Json;
    try {
      space = await session.call("POST", "/v3/spaces", {
        name,
        relationships: { organization: guidOf(org) },
      });
    } catch (error) {
      if (!(error instanceof Failure) || !error.message.includes("Name must be unique per organization"))
        throw error;
      return session.print(`Space '${name}' already exists.`, "OK");
    }
    await joinOrganization(session, session.user, org);
    for (const role of ["space_manager", "space_developer"])
      await giveRole(session, role, session.user, { space: guidOf(space) });
    session.print("OK");
  },
  async "delete-space"(session, { words: [name = ""] }) {
    const { guid } = await session.spaceIn(session.targeted().org, name);
    await session.call("DELETE", `/v3/spaces/${guid}`);
    session.print("OK");
  },
  async "rename-space"(session, { words: [name = "", other = ""] }) {
    const { guid } = await session.spaceIn(session.targeted().org, name);
    await session.call("PATCH", `/v3/spaces/${guid}`, { name: other });
    session.print("OK");
  },

  async "create-user"(session, { words: [userName = "", password = ""] }) {
    const made = await session.send(
      "POST",
      `${session.uaa}/Users`,
      JSON.stringify({
        userName,
        password,
        origin: "",
        name: { familyName: userName, givenName: userName },
        emails: [{ value: userName, primary: true }],
      }),
    );
    if (made.status === 409) return session.print(`User '${userName}' already exists.`, "OK");
    if (made.status !== 201) throw new Failure(made.body);
    await session.call("POST", "/v3/users", { guid: parse(made.body)["id"] });
    session.print("OK");
  },
  async "delete-user"(session, { words: [userName = ""] }) {
    const filter = encodeURIComponent(`userName eq "${userName}"`);
    const found = await session.send("GET", `${session.uaa}/Users?filter=${filter}`);
    const [user] = (parse(found.body).resources ?? []) as unknown as readonly { id: string }[];
    if (user === undefined) return session.print(`User '${userName}' does not exist.`, "OK");
    await session.call("DELETE", `/v3/users/${user.id}`);
    await session.send("DELETE", `${session.uaa}/Users/${user.id}`);
    session.print("OK");
  },
  async "set-org-role"(session, { words: [user = "", name = "", role = ""] }) {
    const org = await session.organization(name);
    await joinOrganization(session, user, org);
    await giveRole(session, ROLE_OF[role] ?? role, user, { organization: guidOf(org) });
    session.print("OK");
  },
  async "unset-org-role"(session, { words: [user = "", name = "", role = ""] }) {
    const org = await session.organization(name);
    const { guid } = await findUser(session, user);
    await removeRole(session, {
      types: ROLE_OF[role] ?? role,
      user_guids: String(guid),
      organization_guids: String(org.guid),
    });
    session.print("OK");
  },
  async "set-space-role"(session, { words: [user = "", orgName = "", name = "", role = ""] }) {
    const org = await session.organization(orgName);
    const space = await session.spaceIn(org, name);
    await joinOrganization(session, user, org);
    await giveRole(session, ROLE_OF[role] ?? role, user, { space: guidOf(space) });
    session.print("OK");
  },
  async "unset-space-role"(session, { words: [user = "", orgName = "", name = "", role = ""] }) {
    const space = await session.spaceIn(await session.organization(orgName), name);
    const { guid } = await findUser(session, user);
    await removeRole(session, {
      types: ROLE_OF[role] ?? role,
      user_guids: String(guid),
      space_guids: String(space.guid),
    });
    session.print("OK");
  },
  async "org-users"(session, { words: [name = ""] }) {
    const org = await session.organization(name);
    const { resources, included } = await session.listWith("/v3/roles", {
      organization_guids: String(org.guid),
      include: "user",
      ...MOST,
    });
    printUsers(session, resources, included["users"] ?? []);
  },
  async "space-users"(session, { words: [orgName = "", name = ""] }) {
    const space = await session.spaceIn(await session.organization(orgName), name);
    const { resources, included } = await session.listWith("/v3/roles", {
      space_guids: String(space.guid),
      include: "user",
      ...MOST,
    });
    printUsers(session, resources, included["users"] ?? []);
  },

  async "org-quotas"(session) {
    const quotas = await session.list("/v3/organization_quotas", MOST);
    session.print(...quotas.map((quota) => `${quota.name} ${quota.apps?.["total_memory_in_mb"]}`));
  },
  async "create-org-quota"(session, { words: [name = ""], flags }) {
    await session.call("POST", "/v3/organization_quotas", { name, ...limitsOf(flags) });
    session.print("OK");
  },
  async "org-quota"(session, { words: [name = ""] }) {
    printQuota(session, await orgQuota(session, name));
  },
  async "update-org-quota"(session, { words: [name = ""], flags }) {
    const { guid } = await orgQuota(session, name);
    await session.call("PATCH", `/v3/organization_quotas/${guid}`, {
      routes: { total_routes: Number(textOf(flags["r"])) },
    });
    session.print("OK");
  },
  async "delete-org-quota"(session, { words: [name = ""] }) {
    const { guid } = await orgQuota(session, name);
    await session.call("DELETE", `/v3/organization_quotas/${guid}`);
    session.print("OK");
  },
  async "set-org-quota"(session, { words: [name = "", quotaName = ""] }) {
    const org = await session.organization(name);
    const quota = await orgQuota(session, quotaName);
    const path = `/v3/organization_quotas/${quota.guid}/relationships/organizations`;
    await session.call("POST", path, { data: [{ guid: org.guid }] });
    session.print("OK");
  },
  async "space-quotas"(session) {
    const query = { organization_guids: String(session.targeted().org.guid), ...MOST };
    const quotas = await session.list("/v3/space_quotas", query);
    session.print(...quotas.map((quota) => `${quota.name} ${quota.routes?.["total_routes"]}`));
  },
  async "space-quota"(session, { words: [name = ""] }) {
    printQuota(session, await spaceQuota(session, name));
  },
  async "create-space-quota"(session, { words: [name = ""], flags }) {
    const { org } = session.targeted();
    const relationships = { organization: guidOf(org) };
    await session.call("POST", "/v3/space_quotas", { name, ...limitsOf(flags), relationships });
    session.print("OK");
  },
  async "update-space-quota"(session, { words: [name = ""], flags }) {
    const { guid } = await spaceQuota(session, name);
    await session.call("PATCH", `/v3/space_quotas/${guid}`, {
      routes: { total_routes: Number(textOf(flags["r"])) },
    });
    session.print("OK");
  },
  async "set-space-quota"(session, { words: [name = "", quotaName = ""] }) {
    const space = await session.spaceIn(session.targeted().org, name);
    const { guid } = await spaceQuota(session, quotaName);
    await session.call("POST", `/v3/space_quotas/${guid}/relationships/spaces`, {
      data: [{ guid: space.guid }],
    });
    session.print("OK");
  },
  async "unset-space-quota"(session, { words: [name = "", quotaName = ""] }) {
    const space = await session.spaceIn(session.targeted().org, name);
    const { guid } = await spaceQuota(session, quotaName);
    await session.call("DELETE", `/v3/space_quotas/${guid}/relationships/spaces/${space.guid}`);
    session.print("OK");
  },
  async "delete-space-quota"(session, { words: [name = ""] }) {
    const { guid } = await spaceQuota(session, name);
    await session.call("DELETE", `/v3/space_quotas/${guid}`);
    session.print("OK");
  },

  async "isolation-segments"(session) {
    for (const segment of await session.list("/v3/isolation_segments")) {
      const orgs = await session.list(`/v3/isolation_segments/${segment.guid}/organizations`);
      session.print(`${segment.name} ${orgs.map((org) => org.name).join(", ")}`);
    }
  },
  async "create-isolation-segment"(session, { words: [name = ""] }) {
    await session.call("POST", "/v3/isolation_segments", { name });
    session.print("OK");
  },
  async "enable-org-isolation"(session, { words: [name = "", segmentName = ""] }) {
    const segment = await segmentNamed(session, segmentName);
    const org = await session.organization(name);
    const path = `/v3/isolation_segments/${segment.guid}/relationships/organizations`;
    await session.call("POST", path, { data: [{ guid: org.guid }] });
    session.print("OK");
  },
  async "disable-org-isolation"(session, { words: [name = "", segmentName = ""] }) {
    const org = await session.organization(name);
    const segment = await segmentNamed(session, segmentName);
    const path = `/v3/isolation_segments/${segment.guid}/relationships/organizations/${org.guid}`;
    await session.call("DELETE", path);
    session.print("OK");
  },
  async "set-space-isolation-segment"(session, { words: [name = "", segmentName = ""] }) {
    const space = await session.spaceIn(session.targeted().org, name);
    const segment = await segmentNamed(session, segmentName);
    const path = `/v3/spaces/${space.guid}/relationships/isolation_segment`;
    await session.call("PATCH", path, guidOf(segment));
    session.print("OK");
  },
  async "reset-space-isolation-segment"(session, { words: [name = ""] }) {
    const { org } = session.targeted();
    const space = await session.spaceIn(org, name);
    await session.call("PATCH", `/v3/spaces/${space.guid}/relationships/isolation_segment`, { data: null });
    await session.call("GET", `/v3/organizations/${org.guid}/relationships/default_isolation_segment`);
    session.print("OK");
  },
  async "delete-isolation-segment"(session, { words: [name = ""] }) {
    const { guid } = await segmentNamed(session, name);
    await session.call("DELETE", `/v3/isolation_segments/${guid}`);
    session.print("OK");
  },

  async "feature-flags"(session) {
    for (const flag of await session.list("/v3/feature_flags")) {
      session.print(`${flag.name} ${String(flag.enabled) === "true" ? "enabled" : "disabled"}`);
    }
  },
  async "feature-flag"(session, { words: [name = ""] }) {
    const flag = await session.call("GET", `/v3/feature_flags/${name}`);
    session.print(`${flag.name} ${String(flag.enabled) === "true" ? "enabled" : "disabled"}`);
  },
  async "enable-feature-flag"(session, { words: [name = ""] }) {
    await session.call("PATCH", `/v3/feature_flags/${name}`, { enabled: true });
    session.print("OK");
  },
  async "disable-feature-flag"(session, { words: [name = ""] }) {
    await session.call("PATCH", `/v3/feature_flags/${name}`, { enabled: false });
    session.print("OK");
  },
  async "router-groups"(session) {
    const answer = await http("GET", `${session.routing}/v1/router_groups`, undefined, {
      authorization: `bearer ${session.access}`,
    });
    for (const group of Object.values(parse(answer.body))) session.print(`${group?.name} ${group?.["type"]}`);
  },
};

const orgQuota = (session: Session, name: string) =>
  session.only(
    "/v3/organization_quotas",
    { names: name },
    `Organization quota with name '${name}' not found.`,
  );

const printQuota = (session: Session, quota: Json) =>
  session.print(`routes: ${quota.routes?.["total_routes"]}`);

const spaceQuota = (session: Session, name: string) =>
  session.only(
    "/v3/space_quotas",
    { organization_guids: String(session.targeted().org.guid), names: name },
    `Space quota with name '${name}' not found.`,
  );

function printUsers(session: Session, roles: readonly Json[], users: readonly Json[]): void {
  const nameOf = new Map(users.map((user) => [String(user.guid), String(user["presentation_name"])]));
  for (const role of roles) {
    const name = nameOf.get(String(role.relationships?.user?.data?.guid));
    if (name === undefined) throw new Failure("the answer includes no such user");
    session.print(`${String(role["type"]).toUpperCase().replaceAll("_", " ")}: ${name}`);
  }
}
