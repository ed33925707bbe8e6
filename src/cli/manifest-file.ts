/** Manifests on disk: found, read, and narrowed to what the command line asks for. */
import { readFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { parse, stringify } from "yaml";
import { manifestUnreadable, nameUnknown } from "../kernel/errors/cli.ts";

export interface PushedApp {
  readonly name: string;
  /** Absolute: the files of the app. */
  readonly folder: string;
}

export interface ManifestFile {
  /** What is sent to the API. */
  readonly text: string;
  readonly apps: readonly PushedApp[];
}

type App = Record<string, unknown>;

/** What of an application's keys a process has, too. */
const OF_PROCESS: readonly string[] = ["command", "instances", "memory"];

/**
 * @param file     Absolute path as given; null looks for `manifest.yml` in the folder.
 * @param name     The one application that is meant; null means all of them.
 * @param changes  What flags say of that application.
 * @throws manifestUnreadable, nameUnknown
 */
export async function readManifestFile(
  folder: string,
  file: string | null,
  name: string | null,
  changes: App,
): Promise<ManifestFile> {
  const path = file ?? resolve(folder, "manifest.yml");
  const text = await readFile(path, "utf8").catch(async (error: NodeJS.ErrnoException) => {
    if (file === null && error.code === "ENOENT") return null;
    const { systemReason } = await import("../kernel/index.ts");
    throw manifestUnreadable({ path, reason: systemReason(error) }, error);
  });
  if (text === null) {
    const app = { name: name ?? basename(folder), ...changes };
    return { text: stringify({ applications: [withRoutes(app)] }), apps: [{ name: app.name, folder }] };
  }
  const document = parseDocument(text, path);
  const given = Array.isArray(document["applications"]) ? (document["applications"] as unknown[]) : [];
  const all = given.filter((each): each is App => typeof each === "object" && each !== null);
  const chosen = name === null ? all : all.filter((app) => app["name"] === name);
  if (name !== null && chosen.length === 0 && all.length !== 1) {
    throw nameUnknown({ kind: "app", name, near: null, list: `the applications of ${path}` });
  }
  // With one application in the manifest, another name makes another app of it.
  const meant = chosen.length > 0 ? chosen : all.map((app) => ({ ...app, name }));
  const applications = meant.map((app) => withRoutes(changed(app, changes)));
  return {
    text: stringify({ ...document, applications }),
    apps: applications.map((app) => ({
      name: String(app["name"] ?? ""),
      folder:
        typeof app["path"] === "string"
          ? resolve(dirname(path), app["path"])
          : file === null
            ? folder
            : dirname(path),
    })),
  };
}

/** Flags are about the web process, which an application may describe among its processes, where it counts more. */
function changed(app: App, changes: App): App {
  const { processes } = app;
  const isWeb = (each: unknown) => (each as { type?: unknown } | null)?.type === "web";
  if (!Array.isArray(processes) || !processes.some(isWeb)) return { ...app, ...changes };
  const ofProcess = Object.entries(changes).filter(([key]) => OF_PROCESS.includes(key));
  const web = Object.fromEntries(ofProcess);
  return {
    ...app,
    ...changes,
    processes: processes.map((each: unknown) => (isWeb(each) ? { ...(each as App), ...web } : each)),
  };
}

/**
 * One of the words about routes is enough, and the later one is meant. As with the cf CLI, who says nothing gets the
 * default route, unless the app has a route by then.
 */
function withRoutes(app: App & { name?: unknown }): App & { name: string } {
  const {
    routes,
    "default-route": byDefault = true,
    "random-route": random,
    "no-route": none,
    ...rest
  } = app;
  const named = { ...rest, name: String(app.name ?? "") };
  if (none === true) return { ...named, "no-route": true };
  return {
    ...named,
    ...(routes !== undefined && { routes }),
    ...(random === true ? { "random-route": true } : { "default-route": byDefault }),
  };
}

function parseDocument(text: string, path: string): App {
  try {
    const value: unknown = parse(text, { merge: true, logLevel: "error" });
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as App;
  } catch (error) {
    throw manifestUnreadable({ path, reason: (error as Error).message.split("\n")[0] ?? "" }, error);
  }
  throw manifestUnreadable({ path, reason: "it is no map with the key «applications»" });
}
