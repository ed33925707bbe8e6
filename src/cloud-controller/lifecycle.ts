/**
 * How an app becomes something that runs. `buildpack` needs a droplet; `local` is ours: the cell runs the command in
 * a folder of its machine, where an operator allows it.
 */
import { isAbsolute } from "node:path";
import { decodeJson, type RowOf } from "../store/index.ts";
import type { CloudControllerConfig } from "./config.ts";
import type { Database } from "./context.ts";

interface Lifecycle {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export const DEFAULT_LIFECYCLE: Lifecycle = {
  type: "buildpack",
  data: { buildpacks: [], stack: "cflinuxfs4" },
};

export function checkLifecycle(lifecycle: Lifecycle, config: CloudControllerConfig): string[] {
  const { type, data } = lifecycle;
  const types = ["buildpack", ...(config.localLifecycle ? ["local"] : [])];
  if (!types.includes(type)) return [`Lifecycle type is not included in the list: ${types.join(", ")}`];
  const known = type === "local" ? ["directory"] : ["buildpacks", "stack", "credentials"];
  const unknown = Object.keys(data).filter((key) => !known.includes(key));
  const problems = unknown.length > 0 ? [`Lifecycle Unknown field(s): '${unknown.join("', '")}'`] : [];
  if (type === "local") {
    const { directory } = data;
    if (typeof directory !== "string" || !isAbsolute(directory)) {
      problems.push(`Lifecycle Directory must be an absolute path, and is ${JSON.stringify(directory)}`);
    }
    return problems;
  }
  const { buildpacks = [], stack = null } = data;
  if (!Array.isArray(buildpacks) || !buildpacks.every((each) => typeof each === "string")) {
    problems.push("Lifecycle Buildpacks can only contain strings");
  }
  if (stack !== null && typeof stack !== "string") problems.push("Lifecycle Stack must be a string");
  return problems;
}

/** Where the processes of a local app run; null for other apps. */
export function localDirectory(app: Pick<RowOf<"apps">, "lifecycle">): string | null {
  const { type, data } = decodeJson(app.lifecycle);
  return type === "local" && typeof data["directory"] === "string" ? data["directory"] : null;
}

type Droplet = Pick<RowOf<"droplets">, "process_types">;

/** How a process starts: by its own command, or by the one its droplet was staged with. */
export function commandOf(
  process: Pick<RowOf<"processes">, "type" | "command">,
  droplet: Droplet | null | undefined,
): string | null {
  if (process.command !== null || droplet === null || droplet === undefined) return process.command;
  const types = decodeJson(droplet.process_types);
  return Object.hasOwn(types, process.type) ? (types[process.type] ?? null) : null;
}

/** The droplet an app runs from its next start on. */
export async function currentDroplet(
  db: Database,
  app: Pick<RowOf<"apps">, "current_droplet_guid">,
): Promise<RowOf<"droplets"> | null> {
  if (app.current_droplet_guid === null) return null;
  const row = await db
    .selectFrom("droplets")
    .selectAll()
    .where("guid", "=", app.current_droplet_guid)
    .executeTakeFirst();
  return row ?? null;
}

/** Why an app cannot be started, or null. */
export function whyNotRunnable(
  app: Pick<RowOf<"apps">, "lifecycle">,
  processes: readonly Pick<RowOf<"processes">, "guid" | "type" | "command" | "instances">[],
  droplet: Droplet | null,
  config: CloudControllerConfig,
): string | null {
  if (localDirectory(app) === null && droplet === null) return "Assign a droplet before starting this app.";
  if (!config.localLifecycle) {
    return localDirectory(app) === null
      ? "Apps may not run on this platform's cell; an operator may set cloud-controller.local_lifecycle."
      : "Apps with lifecycle 'local' are not allowed here; an operator may set cloud-controller.local_lifecycle.";
  }
  const silent = processes.find((process) => process.instances > 0 && commandOf(process, droplet) === null);
  return silent === undefined
    ? null
    : `Process '${silent.type}' has no command; set one with PATCH /v3/processes/${silent.guid}.`;
}
