/** Commands about domains and routes. */
import {
  type Command,
  Failure,
  type Given,
  guidOf,
  http,
  type Json,
  listOf,
  MOST,
  parse,
  pathOf,
  type Query,
  type Session,
  textOf,
} from "./session.ts";

/** `key=value` pairs. */
function optionsOf({ words: [domain = ""], flags }: Given): Readonly<Record<string, string>> | undefined {
  const pairs = listOf(flags["option"]).map((pair) => {
    const [key = "", ...value] = pair.split("=");
    if (value.length > 0) return [key, value.join("=")] as const;
    throw new Failure(
      `Route option '${pair}' for route with host '${textOf(flags["hostname"])}', domain '${domain}', and path '${pathOf(flags)}' was specified incorrectly. Please use key-value pair format key=value.`,
    );
  });
  return pairs.length === 0 ? undefined : Object.fromEntries(pairs);
}

/** What is empty is left out. */
function newRoute(session: Session, domain: Json, flags: Given["flags"], options?: object): Promise<Json> {
  const [host, path, port] = [textOf(flags["hostname"]), pathOf(flags), textOf(flags["port"])];
  return session.call("POST", "/v3/routes", {
    ...(host !== "" && { host }),
    ...(path !== "" && { path }),
    ...(port !== "" && { port: Number(port) }),
    relationships: { space: guidOf(session.targeted().space), domain: guidOf(domain) },
    ...(options !== undefined && { options }),
  });
}

const optionText = (route: Json) =>
  Object.entries(route.options ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(", ");

const destinationsOf = (route: Json): readonly Json[] =>
  Object.values(route.destinations ?? {}).filter((each) => each !== undefined);

/** The one that `map-route` makes and `unmap-route` takes away. */
const destinationTo = (route: Json, app: Json) =>
  destinationsOf(route).find(
    ({ app: mapped }) =>
      String(mapped?.guid) === String(app.guid) && String(mapped?.process?.["type"]) === "web",
  );

/** Where the route of `share-route`, `unshare-route` and `move-route` goes. */
async function otherSpace(session: Session, { flags }: Given): Promise<Json> {
  const { org } = session.targeted();
  // Asked for even where it is the targeted one.
  const other = await session.organization(textOf(flags["org"]) || String(org.name));
  return session.spaceIn(other, textOf(flags["space"]));
}

const urlOf = ({ words: [domain = ""], flags }: Given) => {
  const [host, port] = [textOf(flags["hostname"]), textOf(flags["port"])];
  return `${host === "" ? "" : `${host}.`}${domain}${pathOf(flags)}${port === "" ? "" : `:${port}`}`;
};

async function sharedDomain(session: Session, name: string): Promise<Json> {
  const domain = await session.domain(name);
  if (domain.relationships?.organization?.data === null) return domain;
  throw new Failure(`Domain '${name}' is a private domain, not a shared domain.`);
}

async function privateDomain(session: Session, name: string): Promise<Json> {
  const domain = await session.domain(name);
  if (domain.relationships?.organization?.data !== null) return domain;
  throw new Failure(`Domain '${name}' is a shared domain, not a private domain.`);
}

async function routesIn(session: Session, scope: Query, flags: Given["flags"]): Promise<readonly Json[]> {
  const labels = textOf(flags["labels"]);
  return session.list("/v3/routes", {
    ...scope,
    ...MOST,
    ...(labels !== "" && { label_selector: labels }),
  });
}

export const ROUTES: Readonly<Record<string, Command>> = {
  async domains(session, { flags }) {
    const { org } = session.targeted();
    const labels = textOf(flags["labels"]);
    const domains = await session.list(`/v3/organizations/${org.guid}/domains`, {
      ...(labels !== "" && { label_selector: labels }),
    });
    for (const domain of domains) {
      const kind = domain.relationships?.organization?.data === null ? "shared" : "private";
      const internal = String(domain["internal"]) === "true" ? " true" : "";
      session.print(`${domain.name} ${kind}${internal} ${String(domain["supported_protocols"])}`);
    }
  },
  async "create-shared-domain"(session, { words: [name = ""], flags }) {
    const group = textOf(flags["router-group"]);
    let guid: unknown;
    if (group !== "") {
      const answer = await http("GET", `${session.routing}/v1/router_groups?name=${group}`, undefined, {
        authorization: `bearer ${session.access}`,
      });
      guid = parse(answer.body)["0"]?.guid;
      if (answer.status !== 200 || guid === undefined)
        throw new Failure(`Router group '${group}' not found.`);
    }
    await session.call("POST", "/v3/domains", {
      name,
      internal: flags["internal"] === true,
      ...(guid !== undefined && { router_group: { guid } }),
    });
    session.print("OK");
  },
  async "create-private-domain"(session, { words: [org = "", name = ""] }) {
    const organization = guidOf(await session.organization(org));
    await session.call("POST", "/v3/domains", { name, relationships: { organization } });
    session.print("OK");
  },
  async "delete-shared-domain"(session, { words: [name = ""] }) {
    await session.call("DELETE", `/v3/domains/${(await sharedDomain(session, name)).guid}`);
    session.print("OK");
  },
  async "delete-private-domain"(session, { words: [name = ""] }) {
    await session.call("DELETE", `/v3/domains/${(await privateDomain(session, name)).guid}`);
    session.print("OK");
  },
  async "share-private-domain"(session, { words: [org = "", name = ""] }) {
    const { guid } = await session.organization(org);
    const domain = await session.domain(name);
    const path = `/v3/domains/${domain.guid}/relationships/shared_organizations`;
    await session.call("POST", path, { data: [{ guid }] });
    session.print("OK");
  },
  async "unshare-private-domain"(session, { words: [org = "", name = ""] }) {
    const { guid } = await session.organization(org);
    const domain = await privateDomain(session, name);
    await session.call("DELETE", `/v3/domains/${domain.guid}/relationships/shared_organizations/${guid}`);
    session.print("OK");
  },

  async "create-route"(session, given) {
    const options = optionsOf(given);
    const domain = await session.domain(given.words[0] ?? "");
    session.print(`Creating route ${urlOf(given)}...`);
    try {
      const route = await newRoute(session, domain, given.flags, options);
      session.print(`Route ${route.url} has been created.`, "OK");
    } catch (error) {
      // The program knows this error by its words, and is content.
      if (!(error instanceof Failure) || !error.message.includes("Route already exists")) throw error;
      session.print(error.message, "OK");
    }
  },
  async "check-route"(session, given) {
    const { guid } = await session.domain(given.words[0] ?? "");
    const { flags } = given;
    const search = new URLSearchParams({
      ...(flags["hostname"] !== undefined && { host: textOf(flags["hostname"]) }),
      ...(flags["path"] !== undefined && { path: pathOf(flags) }),
      ...(flags["port"] !== undefined && { port: textOf(flags["port"]) }),
    });
    const answer = await session.call("GET", `/v3/domains/${guid}/route_reservations?${search}`);
    const isTaken = String(answer["matching_route"]) === "true";
    session.print(`Route '${urlOf(given)}' ${isTaken ? "does" : "does not"} exist.`, "OK");
  },
  async routes(session, { flags }) {
    const { org, space } = session.targeted();
    const scope: Query =
      flags["org-level"] === true
        ? { organization_guids: String(org.guid) }
        : { space_guids: String(space.guid) };
    const found = await routesIn(session, scope, flags);
    if (found.length === 0) return session.print("No routes found.");
    const unique = (guids: readonly unknown[]) => [...new Set(guids.map(String))].join(",");
    const spaces = await session.list("/v3/spaces", {
      guids: unique(found.map((route) => route.relationships?.space?.data?.guid)),
    });
    const mapped = found.flatMap(destinationsOf).map(({ app }) => app?.guid);
    const apps = mapped.length === 0 ? [] : await session.list("/v3/apps", { guids: unique(mapped) });
    const { resources: bindings, included } = await session.listWith("/v3/service_route_bindings", {
      include: "service_instance",
      route_guids: unique(found.map((route) => route.guid)),
    });
    const nameOf = (all: readonly Json[], guid: unknown) =>
      all.find((each) => String(each.guid) === String(guid))?.name ?? "";
    for (const route of found) {
      const binding = bindings.find(
        ({ relationships }) => String(relationships?.route?.data?.guid) === String(route.guid),
      );
      const service = binding?.relationships?.["service_instance"]?.data?.guid;
      session.print(
        [
          nameOf(spaces, route.relationships?.space?.data?.guid),
          String(route.url),
          ...destinationsOf(route).map(({ app, protocol }) => `${nameOf(apps, app?.guid)} ${protocol}`),
          ...(service === undefined ? [] : [nameOf(included["service_instances"] ?? [], service)]),
          optionText(route),
        ].join(" "),
      );
    }
  },
  async route(session, given) {
    const domain = await session.domain(given.words[0] ?? "");
    const route = await session.route(domain, given.flags);
    const guids = destinationsOf(route).map(({ app }) => String(app?.guid));
    const apps = guids.length === 0 ? [] : await session.list("/v3/apps", { guids: guids.join(",") });
    session.print(`url: ${route.url}`, `options: ${optionText(route)}`);
    for (const { app, port, protocol } of destinationsOf(route)) {
      const mapped = apps.find((each) => String(each.guid) === String(app?.guid));
      session.print(`${mapped?.name} ${app?.process?.["type"]} ${port} ${protocol}`);
    }
  },
  async "map-route"(session, given) {
    const [name = "", domainName = ""] = given.words;
    const { flags } = given;
    const domain = await session.domain(domainName);
    const app = await session.app(name);
    let route = await session.findRoute(domain, flags);
    const options = optionsOf({ words: [domainName], flags });
    if (route === null) route = await newRoute(session, domain, flags, options);
    else if (options !== undefined)
      throw new Failure("Route specific options can only be specified for nonexistent routes.");
    if (destinationTo(route, app) !== undefined) {
      session.print(
        `App '${name}' is already mapped to route '${route.url}'. Nothing has been updated.`,
        "OK",
      );
      return;
    }
    const protocol = textOf(flags["app-protocol"]);
    const destination = { app: { guid: app.guid }, ...(protocol !== "" && { protocol }) };
    await session.call("POST", `/v3/routes/${route.guid}/destinations`, { destinations: [destination] });
    session.print(`Mapping route ${route.url} to app ${name}`, "OK");
  },
  async "update-route"(session, given) {
    const domain = await session.domain(given.words[0] ?? "");
    const route = await session.route(domain, given.flags);
    const set = optionsOf(given);
    const removed = listOf(given.flags["remove-option"]);
    if (set === undefined && removed.length === 0)
      throw new Failure(`No options were specified for the update of the Route ${route.url}`);
    // One after the other, each with its own rules.
    const path = `/v3/routes/${route.guid}`;
    if (set !== undefined) await session.call("PATCH", path, { options: set });
    if (removed.length > 0) {
      await session.call("PATCH", path, { options: Object.fromEntries(removed.map((key) => [key, null])) });
    }
    session.print(`Route ${route.url} has been updated`, "OK");
  },
  async "update-destination"(session, { words: [name = "", domainName = ""], flags }) {
    const domain = await session.domain(domainName);
    const app = await session.app(name);
    const route = await session.route(domain, flags);
    const mapped = destinationTo(route, app);
    if (mapped === undefined) throw new Failure("The app is not mapped to the route.");
    await session.call("PATCH", `/v3/routes/${route.guid}/destinations/${mapped.guid}`, {
      protocol: textOf(flags["app-protocol"]),
    });
    session.print("OK");
  },
  async "unmap-route"(session, given) {
    const [name = "", domainName = ""] = given.words;
    const domain = await session.domain(domainName);
    const app = await session.app(name);
    const route = await session.route(domain, given.flags);
    const mapped = destinationTo(route, app);
    if (mapped === undefined) {
      session.print("Route to be unmapped is not currently mapped to the application.", "OK");
      return;
    }
    await session.call("DELETE", `/v3/routes/${route.guid}/destinations/${mapped.guid}`);
    session.print("OK");
  },
  async "delete-route"(session, given) {
    const domain = await session.domain(given.words[0] ?? "");
    const route = await session.findRoute(domain, given.flags);
    if (route === null) return session.print(`Unable to delete. Route '${urlOf(given)}' not found.`, "OK");
    await session.call("DELETE", `/v3/routes/${route.guid}`);
    session.print("OK");
  },
  async "delete-orphaned-routes"(session) {
    await session.call("DELETE", `/v3/spaces/${session.targeted().space.guid}/routes?unmapped=true`);
    session.print("OK");
  },
  async "share-route"(session, given) {
    const route = await session.route(await session.domain(given.words[0] ?? ""), given.flags);
    const space = await otherSpace(session, given);
    const path = `/v3/routes/${route.guid}/relationships/shared_spaces`;
    await session.call("POST", path, { data: [{ guid: space.guid }] });
    session.print("OK");
  },
  async "unshare-route"(session, given) {
    const route = await session.route(await session.domain(given.words[0] ?? ""), given.flags);
    const space = await otherSpace(session, given);
    await session.call("DELETE", `/v3/routes/${route.guid}/relationships/shared_spaces/${space.guid}`);
    session.print("OK");
  },
  async "move-route"(session, given) {
    const route = await session.route(await session.domain(given.words[0] ?? ""), given.flags);
    const space = await otherSpace(session, given);
    await session.call("PATCH", `/v3/routes/${route.guid}/relationships/space`, guidOf(space));
    session.print("OK");
  },
};
