/**
 * Every command, in the order help shows them. Adding one: a file in `commands/`, a line here.
 */
import type { AnyCommand } from "./command.ts";

export interface ListedCommand {
  readonly name: string;
  readonly group: string;
  /** One line, without full stop. */
  readonly summary: string;
  readonly load: () => Promise<{ readonly default: AnyCommand }>;
}

const entry = (group: string, name: string, summary: string, load: ListedCommand["load"]): ListedCommand => ({
  name,
  group,
  summary,
  load,
});

const START = "Start here";
const APPS = "Apps";
const ROUTES = "Routes";
const SESSION = "Session";
const ROLES = "Single roles";
const TOOLS = "Tools";

export const commands: readonly ListedCommand[] = [
  entry(START, "up", "start every role in one process", () => import("./commands/up.ts")),
  entry(START, "run", "run a program as an app, with routes", () => import("./commands/run.ts")),
  entry(START, "push", "upload a folder and run it as an app", () => import("./commands/push.ts")),
  entry(START, "status", "show what runs, where, and who is logged in", () => import("./commands/status.ts")),

  entry(APPS, "apps", "list the apps of the space", () => import("./commands/apps.ts")),
  entry(APPS, "app", "show one app and its instances", () => import("./commands/app.ts")),
  entry(APPS, "start", "start an app and wait until it runs", () => import("./commands/start.ts")),
  entry(APPS, "stop", "stop an app; its routes answer 503", () => import("./commands/stop.ts")),
  entry(APPS, "restart", "stop an app and start it again", () => import("./commands/restart.ts")),
  entry(APPS, "scale", "change how many instances an app has", () => import("./commands/scale.ts")),
  entry(APPS, "delete", "delete an app and unmap its routes", () => import("./commands/delete.ts")),
  entry(APPS, "logs", "show what an app's instances print", () => import("./commands/logs.ts")),
  entry(
    APPS,
    "apply-manifest",
    "make the apps of the space what a manifest says",
    () => import("./commands/apply-manifest.ts"),
  ),
  entry(
    APPS,
    "create-app-manifest",
    "write down an app as a manifest",
    () => import("./commands/create-app-manifest.ts"),
  ),

  entry(ROUTES, "routes", "list the routes of the space", () => import("./commands/routes.ts")),
  entry(ROUTES, "route", "show one route, its options and destinations", () => import("./commands/route.ts")),
  entry(
    ROUTES,
    "map-route",
    "create a route if needed and point it to an app",
    () => import("./commands/map-route.ts"),
  ),
  entry(ROUTES, "unmap-route", "stop pointing a route to an app", () => import("./commands/unmap-route.ts")),
  entry(
    ROUTES,
    "map-internal-route",
    "give an app a name that only apps resolve",
    () => import("./commands/map-internal-route.ts"),
  ),
  entry(ROUTES, "update-route", "change the options of a route", () => import("./commands/update-route.ts")),
  entry(ROUTES, "delete-route", "delete a route", () => import("./commands/delete-route.ts")),
  entry(ROUTES, "wait", "wait until every router has a route", () => import("./commands/wait.ts")),
  entry(
    ROUTES,
    "explain",
    "tell what a request would get, or why one got what it did",
    () => import("./commands/explain.ts"),
  ),
  entry(ROUTES, "domains", "list the domains routes may end in", () => import("./commands/domains.ts")),
  entry(ROUTES, "options", "list the route options there are", () => import("./commands/options.ts")),

  entry(SESSION, "login", "log in to an API", () => import("./commands/login.ts")),
  entry(SESSION, "logout", "forget the tokens and the target", () => import("./commands/logout.ts")),
  entry(
    SESSION,
    "target",
    "show or choose the organization and the space",
    () => import("./commands/target.ts"),
  ),
  entry(SESSION, "curl", "call the API and print what it answers", () => import("./commands/curl.ts")),

  entry(
    ROLES,
    "router",
    "run the HTTP router alone, from a gorouter file",
    () => import("./commands/router.ts"),
  ),
  entry(ROLES, "registrar", "run the route registrar alone", () => import("./commands/registrar.ts")),

  entry(TOOLS, "config", "check or explain the configuration", () => import("./commands/config.ts")),
  entry(TOOLS, "docs", "generate the reference pages", () => import("./commands/docs.ts")),
  entry(
    TOOLS,
    "completion",
    "print a completion script for bash or zsh",
    () => import("./commands/completion.ts"),
  ),
  entry(TOOLS, "version", "print the version", () => import("./commands/version.ts")),
];
