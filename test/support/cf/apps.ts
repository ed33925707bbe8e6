/** Commands about apps: what runs, how it gets there, and what it says. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse as readYaml, stringify } from "yaml";
import { readIgnores } from "../../../src/cli/ignored-files.ts";
import { zipFolder } from "../../../src/cli/zip-folder.ts";
import {
  type Command,
  Failure,
  type Given,
  guidOf,
  http,
  type Json,
  MOST,
  parse,
  type Session,
  textOf,
} from "./session.ts";

const YAML = "application/x-yaml";
/** The zero time of the program's language, in nanoseconds since 1970. */
const FROM_THE_BEGINNING = "-6795364578871345152";

const statsOf = async (session: Session, process: Json) =>
  (await session.list(`/v3/processes/${process.guid}/stats`)).map((each) => String(each["state"]));

/** Until an instance of each process runs, or it has none. */
async function waitForStart(session: Session, app: Json): Promise<void> {
  const processes = await session.list(`/v3/apps/${app.guid}/processes`);
  for (const process of processes) {
    for (;;) {
      const states = await statsOf(session, process);
      if (states.length === 0 || states.includes("RUNNING")) break;
      if (states.every((state) => state === "CRASHED")) throw new Failure("Start unsuccessful");
    }
  }
}

/**
 * What `cf app` shows, and what every command ends with that starts something.
 * @param commands  Lists hide them; to show them, the program asks for each process by itself.
 */
async function summary(session: Session, name: string, commands: "shown" | "hidden"): Promise<void> {
  const app = await session.app(name);
  const lines: string[] = [];
  for (const listed of await session.list(`/v3/apps/${app.guid}/processes`)) {
    const { type, guid } = listed;
    const process =
      commands === "hidden" ? listed : await session.call("GET", `/v3/apps/${app.guid}/processes/${type}`);
    await session.list(`/v3/processes/${guid}/sidecars`);
    const states = await statsOf(session, process);
    const running = states.filter((state) => state === "RUNNING").length;
    lines.push(
      `type: ${type}`,
      `start command: ${process.command}`,
      `instances: ${running}/${states.length}`,
      `memory usage: ${process["memory_in_mb"]}M`,
    );
  }
  const routes = await session.list(`/v3/apps/${app.guid}/routes`);
  await currentDroplet(session, app);
  const deployment = await activeDeployment(session, app);
  session.print(
    `name: ${name}`,
    `requested state: ${String(app.state).toLowerCase()}`,
    `routes: ${routes.map((route) => String(route.url)).join(", ")}`,
    ...lines,
    ...(deployment === undefined ? [] : [`Rolling deployment: ${deployment.status?.["reason"]}`]),
  );
}

async function activeDeployment(session: Session, app: Json): Promise<Json | undefined> {
  const query = { app_guids: String(app.guid), status_values: "ACTIVE", order_by: "-created_at" };
  return (await session.list("/v3/deployments", { ...query, per_page: "1", page: "1" }))[0];
}

/** Null for an app that has none, which the program knows by the words of the error. */
async function currentDroplet(session: Session, app: Json): Promise<Json | null> {
  try {
    return await session.call("GET", `/v3/apps/${app.guid}/droplets/current`);
  } catch (error) {
    if (error instanceof Failure && error.message === "Droplet not found") return null;
    throw error;
  }
}

async function act(session: Session, app: Json, action: "start" | "stop" | "restart"): Promise<void> {
  await session.call("POST", `/v3/apps/${app.guid}/actions/${action}`);
  if (action !== "stop") await waitForStart(session, app);
}

/** From a package to a droplet. */
async function stage(session: Session, packageGuid: unknown): Promise<Json> {
  let build = await session.call("POST", "/v3/builds", { package: { guid: packageGuid } });
  while (String(build.state) === "STAGING") build = await session.call("GET", `/v3/builds/${build.guid}`);
  if (String(build.state) === "FAILED") throw new Failure(`Error staging application: ${build.error}`);
  return session.call("GET", `/v3/droplets/${build.droplet?.guid}`);
}

/** Null where no package waits to be staged. */
async function unstagedPackage(session: Session, app: Json): Promise<Json | null> {
  const newest = await newestPackage(session, app);
  if (newest === undefined) return null;
  const one = { states: "STAGED", per_page: "1", page: "1" };
  const staged = await session.list(`/v3/packages/${newest.guid}/droplets`, one);
  return staged.length === 0 ? newest : null;
}

/**
 * Stops, changes what is to run and starts; or lets one version take the place of the other.
 * @param droplet  null for the current one
 */
async function replace(session: Session, app: Json, droplet: Json | null, strategy: string): Promise<void> {
  if (strategy === "") {
    if (String(app.state) === "STARTED") await act(session, app, "stop");
    if (droplet !== null) {
      await session.call("PATCH", `/v3/apps/${app.guid}/relationships/current_droplet`, guidOf(droplet));
    }
    return act(session, app, "start");
  }
  let deployment = await session.call("POST", "/v3/deployments", {
    ...(droplet !== null && { droplet: { guid: droplet.guid } }),
    strategy,
    relationships: { app: guidOf(app) },
    options: { max_in_flight: 1 },
  });
  const reason = () => String(deployment.status?.["reason"]);
  while (reason() === "DEPLOYING")
    deployment = await session.call("GET", `/v3/deployments/${deployment.guid}`);
  if (reason() !== "DEPLOYED") throw new Failure(`Deployment ended as ${reason()}`);
  await waitForStart(session, app);
}

interface Manifest {
  applications: Record<string, unknown>[];
}

/** The given one with the flags laid over it, or one of the flags alone. */
function manifestOf({ words: [name = ""], flags }: Given): { manifest: string; app: string; folder: string } {
  const file = textOf(flags["f"]);
  const given =
    file === "" ? { applications: [{ name }] } : (readYaml(readFileSync(file, "utf8")) as Manifest);
  const [app] = given.applications as Record<string, unknown>[];
  if (app === undefined) throw new Failure("Incorrect usage: The manifest has no applications");
  if (name !== "") app["name"] = name;
  if (textOf(flags["instances"]) !== "") app["instances"] = Number(flags["instances"]);
  if (textOf(flags["c"]) !== "") app["command"] = flags["c"];
  if (flags["no-route"] === true) {
    app["no-route"] = true;
    delete app["routes"];
  } else if (flags["random-route"] === true) app["random-route"] = true;
  else if (app["routes"] === undefined) app["default-route"] = true;
  // Where no path is given, it is the folder that one is in, and not the manifest's.
  const folder = textOf(flags["path"]) || ".";
  return { manifest: stringify(given), app: String(app["name"]), folder };
}

const sendManifest = async (session: Session, action: string, manifest: string) => {
  const path = `/v3/spaces/${session.targeted().space.guid}/${action}`;
  return session.follow(path, await session.send("POST", `${session.api}${path}`, manifest, YAML));
};

async function upload(session: Session, app: Json, folder: string): Promise<Json> {
  const resources = [
    { path: "server.js", mode: "0644", size_in_bytes: 1, checksum: { value: "0".repeat(40) } },
  ];
  const matched = await session.call("POST", "/v3/resource_matches", { resources });
  const made = await session.call("POST", "/v3/packages", {
    type: "bits",
    relationships: { app: guidOf(app) },
  });
  const { archive } = await zipFolder(folder, readIgnores(""));
  const form = new FormData();
  form.append("resources", JSON.stringify(matched.resources));
  form.append("bits", new Blob([new Uint8Array(archive)]), "bits");
  const body = new Response(form);
  const path = `/v3/packages/${made.guid}/upload`;
  const type = body.headers.get("content-type") ?? "";
  const sent = await session.send(
    "POST",
    `${session.api}${path}`,
    Buffer.from(await body.arrayBuffer()),
    type,
  );
  let uploaded = await session.follow(path, sent);
  while (String(uploaded.state) !== "READY") {
    if (String(uploaded.state) === "FAILED")
      throw new Failure("Package failed to process correctly after upload");
    uploaded = await session.call("GET", `/v3/packages/${made.guid}`);
  }
  return uploaded;
}

async function newestPackage(session: Session, app: Json, more: Readonly<Record<string, string>> = {}) {
  const query = { app_guids: String(app.guid), order_by: "-created_at", per_page: "1", page: "1", ...more };
  return (await session.list("/v3/packages", query))[0];
}

export const APPS: Readonly<Record<string, Command>> = {
  async push(session, given) {
    const { manifest, app: name, folder } = manifestOf(given);
    const { flags } = given;
    await sendManifest(session, "manifest_diff", manifest);
    await sendManifest(session, "actions/apply_manifest", manifest);
    const app = await session.app(name);
    const droplet = await stage(session, (await upload(session, app, folder)).guid);
    if (flags["no-start"] === true) {
      if (String(app.state) === "STARTED") await act(session, app, "stop");
      await session.call("PATCH", `/v3/apps/${app.guid}/relationships/current_droplet`, guidOf(droplet));
    } else if (textOf(flags["strategy"]) !== "")
      await replace(session, app, droplet, textOf(flags["strategy"]));
    else {
      await session.call("PATCH", `/v3/apps/${app.guid}/relationships/current_droplet`, guidOf(droplet));
      await act(session, app, "restart");
    }
    await summary(session, name, "shown");
  },
  async "apply-manifest"(session, { flags }) {
    const manifest = readFileSync(textOf(flags["f"]), "utf8");
    await sendManifest(session, "manifest_diff", manifest);
    await sendManifest(session, "actions/apply_manifest", manifest);
    session.print("OK");
  },
  async "create-app-manifest"(session, { words: [name = ""], flags }) {
    const app = await session.app(name);
    const answer = await session.send("GET", `${session.api}/v3/apps/${app.guid}/manifest`);
    writeFileSync(textOf(flags["path"]) || join(process.cwd(), `${name}_manifest.yml`), answer.body);
    session.print(`Manifest file created successfully at ${textOf(flags["path"])}`, "OK");
  },
  async "create-app"(session, { words: [name = ""] }) {
    try {
      const relationships = { space: guidOf(session.targeted().space) };
      await session.call("POST", "/v3/apps", { name, relationships });
    } catch (error) {
      if (!(error instanceof Failure) || !/App with the name '.*' already exists\./.test(error.message))
        throw error;
      session.print(error.message);
    }
    session.print("OK");
  },
  async apps(session, { flags }) {
    const labels = textOf(flags["labels"]);
    const apps = await session.list("/v3/apps", {
      space_guids: String(session.targeted().space.guid),
      order_by: "name",
      ...MOST,
      ...(labels !== "" && { label_selector: labels }),
    });
    if (apps.length === 0) return session.print("No apps found");
    const guids = apps.map((app) => String(app.guid)).join(",");
    // Since API 3.211.0 instances come with their processes; before, one call for each asked for them.
    const processes = await session.list("/v3/processes", { app_guids: guids, embed: "process_instances" });
    const routes = await session.list("/v3/routes", { app_guids: guids });
    for (const app of apps) {
      const own = processes.filter(({ relationships }) => relationships?.app?.data?.guid === app.guid);
      const counts = own.map((each) => {
        const instances = Object.values(each["process_instances"] ?? {});
        const running = instances.filter((instance) => String(instance?.["state"]) === "RUNNING");
        return `${each["type"]}:${running.length}/${instances.length}`;
      });
      const urls = routes
        .filter(({ destinations }) =>
          Object.values(destinations ?? {}).some((each) => each?.app?.guid === app.guid),
        )
        .map(({ url }) => String(url));
      session.print(`${app.name} ${String(app.state).toLowerCase()} ${counts.join(", ")} ${urls.join(", ")}`);
    }
  },
  app: (session, { words: [name = ""] }) => summary(session, name, "shown"),
  async start(session, { words: [name = ""] }) {
    const app = await session.app(name);
    const unstaged = await unstagedPackage(session, app);
    if (String(app.state) === "STARTED") return session.print(`App '${name}' is already started.`, "OK");
    await replace(session, app, unstaged === null ? null : await stage(session, unstaged.guid), "");
    await summary(session, name, "hidden");
  },
  async stop(session, { words: [name = ""] }) {
    await act(session, await session.app(name), "stop");
    session.print("OK");
  },
  async restart(session, { words: [name = ""], flags }) {
    const app = await session.app(name);
    const unstaged = await unstagedPackage(session, app);
    const droplet = unstaged === null ? null : await stage(session, unstaged.guid);
    await replace(session, app, droplet, textOf(flags["strategy"]));
    await summary(session, name, "hidden");
  },
  async restage(session, { words: [name = ""], flags }) {
    const app = await session.app(name);
    const newest = await newestPackage(session, app, { states: "READY" });
    if (newest === undefined) throw new Failure(`App ${name} has no eligible packages.`);
    await replace(session, app, await stage(session, newest.guid), textOf(flags["strategy"]));
    await summary(session, name, "hidden");
  },
  async "copy-source"(session, { words: [name = "", other = ""], flags }) {
    const source = await newestPackage(session, await session.app(name), { states: "READY" });
    if (source === undefined) throw new Failure(`App ${name} has no eligible packages.`);
    const app = await session.app(other);
    const relationships = { app: guidOf(app) };
    let copy = await session.call("POST", `/v3/packages?source_guid=${source.guid}`, { relationships });
    while (String(copy.state) !== "READY") copy = await session.call("GET", `/v3/packages/${copy.guid}`);
    await replace(session, app, await stage(session, copy.guid), textOf(flags["strategy"]));
    await summary(session, other, "hidden");
  },
  async "restart-app-instance"(session, { words: [name = "", index = ""] }) {
    const app = await session.app(name);
    await session.call("DELETE", `/v3/apps/${app.guid}/processes/web/instances/${index}`);
    session.print("OK");
  },
  async scale(session, { words: [name = ""], flags }) {
    const app = await session.app(name);
    const path = `/v3/apps/${app.guid}/processes/web/actions/scale`;
    await session.call("POST", path, { instances: Number(flags["instances"]) });
    await summary(session, name, "hidden");
  },
  async env(session, { words: [name = ""] }) {
    const app = await session.app(name);
    const { environment_variables: variables } = await session.call("GET", `/v3/apps/${app.guid}/env`);
    for (const [key, value] of Object.entries(variables ?? {})) session.print(`${key}: ${value}`);
  },
  async rename(session, { words: [name = "", newName = ""] }) {
    const { guid } = await session.app(name);
    await session.call("PATCH", `/v3/apps/${guid}`, { name: newName });
    session.print("OK");
  },
  async "get-health-check"(session, { words: [name = ""] }) {
    const app = await session.app(name);
    for (const process of await session.list(`/v3/apps/${app.guid}/processes`)) {
      session.print(`${process["type"]} ${process["health_check"]?.["type"]}`);
    }
  },
  async "set-health-check"(session, { words: [name = "", type = ""] }) {
    const app = await session.app(name);
    const process = await session.call("GET", `/v3/apps/${app.guid}/processes/web`);
    const change = { health_check: { type, data: {} } };
    await session.call("PATCH", `/v3/processes/${process.guid}`, change);
    session.print("TIP: An app restart is required for the change to take effect.");
  },
  async "terminate-task"(session, { words: [name = "", id = ""] }) {
    const app = await session.app(name);
    const query = { sequence_ids: id };
    const task = await session.only(`/v3/apps/${app.guid}/tasks`, query, `Task sequence ID ${id} not found.`);
    await session.call("PUT", `/v3/tasks/${task.guid}/cancel`);
    session.print("OK");
  },
  async "set-env"(session, { words: [name = "", key = "", value = ""] }) {
    const path = `/v3/apps/${(await session.app(name)).guid}/environment_variables`;
    await session.call("PATCH", path, { var: { [key]: value } });
    session.print("OK");
  },
  async "unset-env"(session, { words: [name = "", key = ""] }) {
    const app = await session.app(name);
    const { environment_variables: variables } = await session.call("GET", `/v3/apps/${app.guid}/env`);
    if (variables?.[key] === undefined) return session.print(`Env variable ${key} was not set.`, "OK");
    await session.call("PATCH", `/v3/apps/${app.guid}/environment_variables`, { var: { [key]: null } });
    session.print("OK");
  },
  async delete(session, { words: [name = ""], flags }) {
    const query = { names: name, space_guids: String(session.targeted().space.guid) };
    const [app] = await session.list("/v3/apps", query);
    if (app === undefined) return session.print(`App '${name}' does not exist.`, "OK");
    const routes = flags["routes"] === true ? await session.list(`/v3/apps/${app.guid}/routes`) : [];
    // The program leaves alone what other apps are mapped to, too.
    if (routes.some(({ destinations }) => Object.keys(destinations ?? {}).length > 1))
      throw new Failure("Deleting a route that is bound to several apps is not supported.");
    await session.call("DELETE", `/v3/apps/${app.guid}`);
    for (const route of routes) await session.call("DELETE", `/v3/routes/${route.guid}`);
    session.print("OK");
  },
  async events(session, { words: [name = ""] }) {
    const app = await session.app(name);
    const query = { target_guids: String(app.guid), order_by: "-created_at" };
    for (const event of await session.list("/v3/audit_events", query))
      session.print(`${event["created_at"]} ${event["type"]} ${event["actor"]?.name}`);
  },
  async logs(session, { words: [name = ""] }) {
    const app = await session.app(name);
    const search = new URLSearchParams({
      descending: "true",
      envelope_types: "LOG",
      limit: "1000",
      start_time: FROM_THE_BEGINNING,
    });
    const answer = await http("GET", `${session.logCache}/api/v1/read/${app.guid}?${search}`, undefined, {
      authorization: `bearer ${session.access}`,
    });
    if (answer.status !== 200) throw new Failure("Failed to retrieve logs from Log Cache");
    const batch = Object.values(parse(answer.body)["envelopes"]?.["batch"] ?? {});
    for (const envelope of batch.toReversed()) {
      const { tags, log } = envelope as unknown as {
        tags: { source_type: string };
        log: { payload: string; type: string };
      };
      const text = Buffer.from(log.payload, "base64").toString();
      session.print(`[${tags.source_type}/${envelope?.["instance_id"]}] ${log.type} ${text}`);
    }
  },
  async tasks(session, { words: [name = ""] }) {
    const app = await session.app(name);
    const query = { order_by: "-created_at", ...MOST };
    const tasks = await session.list(`/v3/apps/${app.guid}/tasks`, query);
    session.print(tasks.length === 0 ? "No tasks found for application." : String(tasks.length));
  },
  async "run-task"(session, { words: [name = ""], flags }) {
    const app = await session.app(name);
    await session.call("POST", `/v3/apps/${app.guid}/tasks`, { command: flags["c"] });
    session.print("OK");
  },
  async revisions(session, { words: [name = ""] }) {
    const app = await session.app(name);
    const feature = await session.call("GET", `/v3/apps/${app.guid}/features/revisions`);
    if (String(feature.enabled) !== "true")
      session.print(`Warning: Revisions for app '${name}' are disabled.`);
    const query = { order_by: "-created_at" };
    const revisions = await session.list(`/v3/apps/${app.guid}/revisions`, query);
    if (revisions.length === 0) return session.print("No revisions found");
    await session.list(`/v3/apps/${app.guid}/revisions/deployed`);
  },
  async packages(session, { words: [name = ""] }) {
    const app = await session.app(name);
    const query = { app_guids: String(app.guid), order_by: "-created_at" };
    for (const each of await session.list("/v3/packages", query))
      session.print(`${each.guid} ${String(each.state).toLowerCase()}`);
  },
  async droplets(session, { words: [name = ""] }) {
    const app = await session.app(name);
    const query = { app_guids: String(app.guid), order_by: "-created_at" };
    const found = await session.list("/v3/droplets", query);
    const current = await currentDroplet(session, app);
    for (const each of found) {
      const mark = each.guid === current?.guid ? " (current)" : "";
      session.print(`${each.guid}${mark} ${String(each.state).toLowerCase()}`);
    }
  },
  async "cancel-deployment"(session, { words: [name = ""] }) {
    const app = await session.app(name);
    const deployment = await activeDeployment(session, app);
    if (deployment === undefined) throw new Failure("No active deployment found for app.");
    await session.call("POST", `/v3/deployments/${deployment.guid}/actions/cancel`);
    session.print("OK");
  },
  async "continue-deployment"(session, { words: [name = ""] }) {
    const deployment = await activeDeployment(session, await session.app(name));
    if (deployment === undefined) throw new Failure("No active deployment found for app.");
    await session.call("POST", `/v3/deployments/${deployment.guid}/actions/continue`);
    session.print("OK");
  },
  async "ssh-enabled"(session, { words: [name = ""] }) {
    const app = await session.app(name);
    const answer = await session.call("GET", `/v3/apps/${app.guid}/ssh_enabled`);
    session.print(
      `ssh support is ${String(answer.enabled) === "true" ? "enabled" : "disabled"} for app '${name}'.`,
    );
  },
};
