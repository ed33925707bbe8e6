/** Commands about user-provided services, what they are bound to, labels, and what lies beside routing. */
import {
  type Command,
  Failure,
  type Given,
  guidOf,
  type Json,
  MOST,
  parse,
  type Query,
  type Session,
} from "./session.ts";

const RUNNING_GROUP = "/v3/environment_variable_groups/running";

const PLAN_FIELDS: Query = {
  "fields[service_plan]": "guid,name,relationships.service_offering",
  "fields[service_plan.service_offering]": "guid,name,relationships.service_broker",
  "fields[service_plan.service_offering.service_broker]": "guid,name",
};
const DETAIL_FIELDS: Query = {
  "fields[service_plan]": "name,guid",
  "fields[service_plan.service_offering]": "name,guid,description,tags,documentation_url",
  "fields[service_plan.service_offering.service_broker]": "name,guid",
  "fields[space]": "name,guid",
  "fields[space.organization]": "name,guid",
};

async function bindingOf(session: Session, { words: [appName = "", name = ""] }: Given): Promise<Json> {
  const instance = await session.instance(name);
  const app = await session.app(appName);
  const query = {
    service_instance_guids: String(instance.guid),
    app_guids: String(app.guid),
    type: "app",
  };
  return session.only("/v3/service_credential_bindings", query, "Binding not found.");
}

/** What a label is put on, by kind and name. */
async function labelled(
  session: Session,
  kind: string,
  name: string,
): Promise<{ path: string; found: Json }> {
  switch (kind) {
    case "app": {
      const found = await session.app(name);
      return { path: `/v3/apps/${found.guid}`, found };
    }
    case "domain": {
      const found = await session.domain(name);
      return { path: `/v3/domains/${found.guid}`, found };
    }
    case "org": {
      const found = await session.organization(name);
      return { path: `/v3/organizations/${found.guid}/`, found };
    }
    case "space": {
      const found = await session.spaceIn(session.targeted().org, name);
      return { path: `/v3/spaces/${found.guid}`, found };
    }
    case "service-instance": {
      const found = await session.instance(name);
      return { path: `/v3/service_instances/${found.guid}`, found };
    }
    default: {
      const found = await routeNamed(session, name);
      return { path: `/v3/routes/${found.guid}`, found };
    }
  }
}

/** `host.domain/path`: a domain if there is one of that name, and otherwise a host below one. */
async function routeNamed(session: Session, name: string): Promise<Json> {
  const [address = "", ...path] = name.split("/");
  const [host = "", ...rest] = address.split(".");
  const whole = await session.list("/v3/domains", { names: address, per_page: "1", page: "1" });
  const domain = whole[0] ?? (await session.domain(rest.join(".")));
  const query = {
    space_guids: String(session.targeted().space.guid),
    per_page: "1",
    page: "1",
    domain_guids: String(domain.guid),
    hosts: whole[0] === undefined ? host : "",
    paths: path.length === 0 ? "" : `/${path.join("/")}`,
  };
  return session.only("/v3/routes", query, `Route '${name}' not found.`);
}

export const SERVICES: Readonly<Record<string, Command>> = {
  async "create-user-provided-service"(session, { words: [name = ""], flags }) {
    await session.call("POST", "/v3/service_instances", {
      type: "user-provided",
      name,
      ...(flags["route-service"] !== undefined && { route_service_url: flags["route-service"] }),
      relationships: { space: guidOf(session.targeted().space) },
    });
    session.print("OK");
  },
  async "update-user-provided-service"(session, { words: [name = ""], flags }) {
    const { guid } = await session.instance(name);
    const path = `/v3/service_instances/${guid}`;
    await session.call("PATCH", path, { route_service_url: flags["route-service"] });
    session.print("OK");
  },
  async services(session) {
    const instances = await session.list("/v3/service_instances", {
      space_guids: String(session.targeted().space.guid),
      ...PLAN_FIELDS,
      order_by: "name",
      ...MOST,
    });
    const guids = instances.map((each) => String(each.guid)).join(",");
    const { included } =
      guids === ""
        ? { included: {} as Record<string, Json[]> }
        : await session.listWith("/v3/service_credential_bindings", {
            service_instance_guids: guids,
            include: "app",
          });
    const apps = (included["apps"] ?? []).map((app) => app.name).join(", ");
    for (const instance of instances) session.print(`${instance.name} ${instance["type"]} ${apps}`);
  },
  async service(session, { words: [name = ""] }) {
    const instance = await session.instance(name, DETAIL_FIELDS);
    const { included } = await session.listWith("/v3/service_credential_bindings", {
      include: "app",
      service_instance_guids: String(instance.guid),
      type: "app",
    });
    session.print(
      `name: ${name}`,
      `type: ${instance["type"]}`,
      `route service url: ${instance["route_service_url"]}`,
      `bound apps: ${(included["apps"] ?? []).map((app) => app.name).join(", ")}`,
    );
  },
  async "bind-service"(session, { words: [appName = "", name = ""] }) {
    const instance = await session.instance(name);
    const app = await session.app(appName);
    await session.call("POST", "/v3/service_credential_bindings", {
      type: "app",
      relationships: { app: guidOf(app), service_instance: guidOf(instance) },
    });
    session.print("OK");
  },
  async "unbind-service"(session, given) {
    const { guid } = await bindingOf(session, given);
    await session.call("DELETE", `/v3/service_credential_bindings/${guid}`);
    session.print("OK");
  },
  async "bind-route-service"(session, { words: [domainName = "", name = ""], flags }) {
    const instance = await session.instance(name);
    const route = await session.route(await session.domain(domainName), flags);
    try {
      await session.call("POST", "/v3/service_route_bindings", {
        relationships: { service_instance: guidOf(instance), route: guidOf(route) },
      });
    } catch (error) {
      // The program knows this error by its words, and is content.
      if (!(error instanceof Failure) || !error.message.includes("are already bound.")) throw error;
      session.print(error.message);
    }
    session.print("OK");
  },
  async "unbind-route-service"(session, { words: [domainName = "", name = ""], flags }) {
    const instance = await session.instance(name);
    const route = await session.route(await session.domain(domainName), flags);
    const [binding] = await session.list("/v3/service_route_bindings", {
      route_guids: String(route.guid),
      service_instance_guids: String(instance.guid),
      per_page: "1",
      page: "1",
    });
    if (binding !== undefined) await session.call("DELETE", `/v3/service_route_bindings/${binding.guid}`);
    session.print("OK");
  },
  async "delete-service"(session, { words: [name = ""] }) {
    const { guid } = await session.instance(name);
    await session.call("DELETE", `/v3/service_instances/${guid}`);
    session.print("OK");
  },

  async "set-label"(session, { words: [kind = "", name = "", ...pairs] }) {
    const { path } = await labelled(session, kind, name);
    const labels = Object.fromEntries(pairs.map((pair) => pair.split("=")));
    await session.call("PATCH", path, { metadata: { labels } });
    session.print("OK");
  },
  async "unset-label"(session, { words: [kind = "", name = "", ...keys] }) {
    const { path } = await labelled(session, kind, name);
    const labels = Object.fromEntries(keys.map((key) => [key, null]));
    await session.call("PATCH", path, { metadata: { labels } });
    session.print("OK");
  },
  async labels(session, { words: [kind = "", name = ""] }) {
    const { found } = await labelled(session, kind, name);
    const labels = Object.entries(found.metadata?.["labels"] ?? {});
    session.print(...labels.map(([key, value]) => `${key} ${value}`));
  },

  async stacks(session) {
    const stacks = await session.list("/v3/stacks", { order_by: "name" });
    session.print(...stacks.map((stack) => `${stack.name} ${stack["description"]}`));
  },
  async stack(session, { words: [name = ""] }) {
    const stack = await session.only(
      "/v3/stacks",
      { names: name, per_page: "1", page: "1" },
      "Stack not found",
    );
    session.print(`name: ${stack.name}`, `description: ${stack["description"]}`);
  },
  async "running-environment-variable-group"(session) {
    const group = await session.call("GET", RUNNING_GROUP);
    const variables = Object.entries(group["var"] ?? {});
    session.print(...variables.map(([name, value]) => `${name} ${value}`));
  },
  async "set-running-environment-variable-group"(session, { words: [text = ""] }) {
    const group = await session.call("GET", RUNNING_GROUP);
    const removed = Object.fromEntries(Object.keys(group["var"] ?? {}).map((name) => [name, null]));
    await session.call("PATCH", RUNNING_GROUP, { var: { ...removed, ...parse(text) } });
    session.print("OK");
  },
  async buildpacks(session) {
    const found = await session.list("/v3/buildpacks", { order_by: "position" });
    session.print(found.length === 0 ? "No buildpacks found" : String(found.length));
  },
  async "security-groups"(session) {
    const found = await session.list("/v3/security_groups");
    session.print(found.length === 0 ? "No security groups found." : String(found.length));
  },
  async "service-brokers"(session) {
    const found = await session.list("/v3/service_brokers");
    session.print(found.length === 0 ? "No service brokers found" : String(found.length));
  },
  async "create-service-broker"(session, { words: [name = "", username = "", password = "", url = ""] }) {
    const authentication = { type: "basic", credentials: { username, password } };
    await session.call("POST", "/v3/service_brokers", { name, url, authentication });
    session.print("OK");
  },
  async "allow-space-ssh"(session, { words: [name = ""] }) {
    const { guid } = await session.spaceIn(session.targeted().org, name);
    const feature = await session.call("GET", `/v3/spaces/${guid}/features/ssh`);
    if (String(feature.enabled) === "true") return session.print("ssh support is already enabled.", "OK");
    await session.call("PATCH", `/v3/spaces/${guid}/features/ssh`, { enabled: true });
    session.print("OK");
  },
  async marketplace(session) {
    const space = { space_guids: String(session.targeted().space.guid) };
    const found = await session.list("/v3/service_plans", {
      include: "service_offering",
      available: "true",
      "fields[service_offering.service_broker]": "name,guid",
      ...MOST,
      ...space,
    });
    session.print(found.length === 0 ? "No service offerings found." : String(found.length));
  },
  async "network-policies"(session) {
    if (session.networkPolicy === "")
      throw new Failure(
        "This command requires Network Policy API V1. Your targeted endpoint does not expose it.",
      );
    await session.call("GET", `${session.networkPolicy}/policies`);
    session.print("OK");
  },
};
