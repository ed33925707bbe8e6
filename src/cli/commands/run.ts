import { usageInvalid } from "../../kernel/errors/cli.ts";
import type { Answer } from "../answer.ts";
import type { ApiClient } from "../client.ts";
import {
  apiFlag,
  defineCommand,
  type Flags,
  type FlagValues,
  jsonFlag,
  routeOptionFlag,
  timeoutFlag,
} from "../command.ts";
import type { Named } from "../data-dir.ts";
import { waitUntilRunning, webProcess } from "../instances.ts";
import { parseCount, parseMegabytes, parsePairs, parseTimeout } from "../parse.ts";
import {
  allOrNothing,
  createOrFind,
  ensureRoute,
  findAppIn,
  mapRoute,
  named,
  type ResolvedRoute,
  resolveRoute,
  targetOf,
  type Undo,
} from "../resources.ts";
import { routeUrl } from "../route-facts.ts";

const HEALTH_CHECKS = ["port", "http", "process"] as const;

const runFlags = {
  name: { type: "string", short: "n", value: "NAME", describe: "Name of the app (required)." },
  instances: {
    type: "string",
    short: "i",
    value: "N",
    describe: "How many copies run (default: 1, or as it was).",
  },
  route: {
    type: "string",
    multiple: true,
    value: "HOST.DOMAIN[/PATH]",
    describe: "Create this route if needed and point it to the app; repeatable.",
  },
  ...routeOptionFlag,
  env: {
    type: "string",
    short: "e",
    multiple: true,
    value: "KEY=VALUE",
    describe: "Set an environment variable; repeatable.",
  },
  "health-check": { type: "string", value: "TYPE", describe: "port (default), http or process." },
  memory: {
    type: "string",
    short: "m",
    value: "SIZE",
    describe: "Memory limit of one instance: 256M, 1G, or a number of megabytes.",
  },
  "no-wait": { type: "boolean", describe: "Leave as soon as the start is accepted." },
  ...timeoutFlag,
  ...jsonFlag,
  ...apiFlag,
} as const satisfies Flags;

export default defineCommand({
  usage: "run --name NAME [--instances N] [--route HOST.DOMAIN[/PATH]]… -- COMMAND…",
  details:
    "Runs COMMAND in the current folder, with PORT in its environment. Running it again changes the app to what\nthe command line says and leaves the rest as it is; an app that does not change is not restarted.",
  examples: [
    {
      command: "viaduct run --name shop --instances 2 --route shop.localhost -- node server.js",
      effect: "two copies behind http://shop.localhost:8080/",
    },
    {
      command:
        "viaduct run -n api --route shop.localhost/api --option loadbalancing=least-connection -- ./api",
      effect: "another app under a path of the same host, with a route option",
    },
    {
      command: "viaduct run -n worker --health-check process -- 'node worker.js | tee log'",
      effect: "a single argument is a shell line; without --route nothing can reach the app",
    },
  ],
  parameters: ["COMMAND…"],
  options: runFlags,
  async run({ flags, args, out, host, client }) {
    const wanted = readWanted(flags, args);
    const timeoutMs = await parseTimeout(flags.timeout);
    const api = await client();
    const { space } = await targetOf(api);
    // Every route is looked at before anything is changed: a mistyped domain leaves nothing half done.
    const routes: ResolvedRoute[] = [];
    for (const url of flags.route ?? []) routes.push(await resolveRoute(api, url));

    // Routes come first: their options are what is refused most often, and then a running app stays as it was.
    const { app, needsRestart, urls } = await allOrNothing(async (undo) => {
      const ensured = [];
      for (const resolved of routes) {
        const route = await ensureRoute(api, space, resolved, wanted.routeOptions, undo);
        ensured.push({ guid: route.text("guid"), url: routeUrl(api, route, resolved.isInternal) });
      }
      const converged = await convergeApp(api, space, host.cwd, wanted, undo);
      for (const { guid } of ensured) await mapRoute(api, guid, converged.app.guid);
      return { ...converged, urls: ensured.map(({ url }) => url) };
    });
    if (needsRestart) await api.post(`/v3/apps/${app.guid}/actions/restart`);
    if (flags["no-wait"] !== true) await waitUntilRunning(api, out, app, timeoutMs);

    if (flags.json === true) out.json({ ...app, urls });
    else for (const url of urls) out.line(url);
    return 0;
  },
});

interface Wanted {
  readonly name: string;
  readonly command: string;
  readonly instances: number | null;
  readonly memoryMb: number | null;
  readonly environment: Readonly<Record<string, string>>;
  readonly routeOptions: Readonly<Record<string, string>>;
  readonly healthCheck: (typeof HEALTH_CHECKS)[number] | null;
}

/** @throws usageInvalid */
function readWanted(flags: FlagValues<typeof runFlags>, args: readonly string[]): Wanted {
  const { name, option = [], route = [] } = flags;
  if (name === undefined || name === "") {
    throw usageInvalid({ problem: "«viaduct run» needs a name for the app", remedy: "add --name NAME" });
  }
  if (option.length > 0 && route.length === 0) {
    throw usageInvalid({ problem: "--option belongs to a route", remedy: "add --route HOST.DOMAIN" });
  }
  const check = flags["health-check"];
  const healthCheck = HEALTH_CHECKS.find((type) => type === check) ?? null;
  if (check !== undefined && healthCheck === null) {
    throw usageInvalid({
      problem: `--health-check «${check}» is none`,
      remedy: `choose ${HEALTH_CHECKS.join(", ")}`,
    });
  }
  return {
    name,
    command: shellLine(args),
    instances: flags.instances === undefined ? null : parseCount("--instances", flags.instances),
    memoryMb: flags.memory === undefined ? null : parseMegabytes("--memory", flags.memory),
    environment: parsePairs("--env", flags.env ?? []),
    routeOptions: parsePairs("--option", option),
    healthCheck,
  };
}

/** One argument is a shell line as it stands; several are quoted, so that the shell sees them as they are. */
export function shellLine(args: readonly string[]): string {
  if (args.length === 1) return args[0] ?? "";
  return args
    .map((arg) => (/^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", `'\\''`)}'`))
    .join(" ");
}

/** Makes the app what is wanted. Says whether its instances have to be replaced for it, or started at all. */
async function convergeApp(
  api: ApiClient,
  space: Named,
  directory: string,
  wanted: Wanted,
  undo: Undo,
): Promise<{ app: Named; needsRestart: boolean }> {
  const lifecycle = { type: "local", data: { directory } };
  let isChanged = false;
  let app = await findAppIn(api, space, wanted.name);
  if (app === null) {
    const create = {
      name: wanted.name,
      lifecycle,
      environment_variables: wanted.environment,
      relationships: { space: { data: { guid: space.guid } } },
    };
    app = await createOrFind(
      async () => {
        const made = await api.post("/v3/apps", create);
        undo(() => api.delete(`/v3/apps/${made.text("guid")}`));
        return made;
      },
      () => findAppIn(api, space, wanted.name),
    );
  } else {
    const guid = app.text("guid");
    if (app.find("lifecycle", "data", "directory") !== directory) {
      app = await api.patch(`/v3/apps/${guid}`, { lifecycle });
      isChanged = true;
    }
    if (await setEnvironment(api, guid, wanted.environment)) isChanged = true;
  }
  const guid = app.text("guid");
  if (await convergeProcess(api, await webProcess(api, guid), wanted)) isChanged = true;
  return { app: named(app), needsRestart: isChanged || app.text("state") !== "STARTED" };
}

async function setEnvironment(
  api: ApiClient,
  guid: string,
  environment: Readonly<Record<string, string>>,
): Promise<boolean> {
  if (Object.keys(environment).length === 0) return false;
  const current = (await api.get(`/v3/apps/${guid}/environment_variables`)).pairs("var");
  if (Object.entries(environment).every(([key, value]) => current[key] === value)) return false;
  await api.patch(`/v3/apps/${guid}/environment_variables`, { var: environment });
  return true;
}

/** @returns true when running instances are out of date. More or fewer of them is no reason to replace them. */
async function convergeProcess(api: ApiClient, process: Answer, wanted: Wanted): Promise<boolean> {
  const guid = process.text("guid");
  const change: Record<string, unknown> = {};
  if (process.find("command") !== wanted.command) change["command"] = wanted.command;
  if (wanted.healthCheck !== null && process.find("health_check", "type") !== wanted.healthCheck) {
    change["health_check"] = { type: wanted.healthCheck };
  }
  const needsPatch = Object.keys(change).length > 0;
  if (needsPatch) await api.patch(`/v3/processes/${guid}`, change);

  const isMemoryNew = wanted.memoryMb !== null && process.find("memory_in_mb") !== wanted.memoryMb;
  const isCountNew = wanted.instances !== null && process.find("instances") !== wanted.instances;
  if (isMemoryNew || isCountNew) {
    await api.post(`/v3/processes/${guid}/actions/scale`, {
      ...(isCountNew ? { instances: wanted.instances } : {}),
      ...(isMemoryNew ? { memory_in_mb: wanted.memoryMb } : {}),
    });
  }
  return needsPatch || isMemoryNew;
}
