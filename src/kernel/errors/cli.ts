import { defineError } from "./define.ts";

/** The command line itself is wrong; the program leaves with exit code 2. */
export const usageInvalid = defineError<{ problem: string; remedy: string }>({
  code: "usage_invalid",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) => `${d.problem}; ${d.remedy}`,
});

export const nothingRunning = defineError<{ what: "API" | "router"; path: string; reason: string }>({
  code: "nothing_running",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) =>
    `no ${d.what} to talk to: ${d.path} ${d.reason}; start Viaduct with «viaduct up», or name one with --${d.what.toLowerCase()} URL`,
});

export const apiUnreachable = defineError<{ url: string; reason: string }>({
  code: "api_unreachable",
  source: "operator",
  retry: "safe",
  status: 0,
  explain: (d) =>
    `the API at ${d.url} does not answer (${d.reason}); start Viaduct with «viaduct up», or name another API with --api URL`,
});

export const routerUnreachable = defineError<{ url: string; reason: string }>({
  code: "router_unreachable",
  source: "operator",
  retry: "safe",
  status: 0,
  explain: (d) =>
    `the router's status listener at ${d.url} does not answer (${d.reason}); start it with «viaduct up» or «viaduct router», or name another one with --router URL`,
});

export const routerRefused = defineError<{ url: string; reason: string }>({
  code: "router_refused",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) => `the router at ${d.url} does not say: ${d.reason}`,
});

export const sessionUnwritable = defineError<{ path: string; reason: string }>({
  code: "session_unwritable",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) =>
    `${d.path}, which keeps the login, cannot be written: ${d.reason}; let this user write there, or choose another folder with VIADUCT_HOME`,
});

export const notLoggedIn = defineError<{ api: string }>({
  code: "not_logged_in",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) => `not logged in to ${d.api}; run «viaduct login --api ${d.api}»`,
});

export const loginRefused = defineError<{ username: string; uaa: string; reason: string }>({
  code: "login_refused",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) =>
    `${d.uaa} refused to log in ${d.username}: ${d.reason}; check the user name and the password`,
});

/** One error of an answer of the API. */
export interface ApiProblem {
  readonly detail: string;
  /** What it is about, for people. */
  readonly hint?: string;
  /** The error as the API wrote it, for programs. */
  readonly answer?: unknown;
}

/** What the API said, one detail per line, unchanged: it knows better than we do. */
export const apiRefused = defineError<{ status: number; problems: readonly ApiProblem[] }>({
  code: "api_refused",
  source: "control-plane",
  retry: "never",
  status: 0,
  explain: (d) =>
    d.problems
      .flatMap(({ detail, hint }) => (hint === undefined ? detail : [detail, `  ${hint}`]))
      .join("\n"),
});

export const apiAnswerUnexpected = defineError<{ where: string; key: string; wanted: string }>({
  code: "api_answer_unexpected",
  source: "control-plane",
  retry: "never",
  status: 0,
  explain: (d) =>
    `the answer to ${d.where} has no ${d.wanted} at «${d.key}»; check that --api names a Cloud Foundry API`,
});

/** `wanted` is null when nobody said which. */
export const nothingTargeted = defineError<{ wanted: string | null; spaces: readonly string[] }>({
  code: "nothing_targeted",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) =>
    d.spaces.length === 0
      ? "no space is visible to this user; create one, or ask its manager for a role"
      : `${d.wanted === null ? "no space is targeted" : `there is no space «${d.wanted}»`}; choose one of ${d.spaces.join(", ")} with «viaduct target -o ORG -s SPACE»`,
});

export const nameUnknown = defineError<{ kind: string; name: string; near: string | null; list: string }>({
  code: "name_unknown",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) =>
    `there is no ${d.kind} «${d.name}»; ${d.near === null ? `see «${d.list}»` : `did you mean «${d.near}»?`}`,
});

export const domainUnknown = defineError<{ route: string; domains: readonly string[] }>({
  code: "domain_unknown",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) =>
    `no domain fits «${d.route}»; ${
      d.domains.length === 0
        ? "no domain is visible to this user"
        : `end it in one of ${d.domains.join(", ")}`
    }`,
});

export const appFailedToStart = defineError<{ app: string; reason: string }>({
  code: "app_failed_to_start",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) => `${d.app} did not start: ${d.reason}; see «viaduct logs ${d.app} --recent»`,
});

export const waitExpired = defineError<{ what: string; afterMs: number; state: string }>({
  code: "wait_expired",
  source: "operator",
  retry: "safe",
  status: 0,
  explain: (d) =>
    `${d.what} did not happen within ${d.afterMs / 1000} s (${d.state}); try again with a longer --timeout`,
});

export const fileUnreadable = defineError<{ path: string; reason: string; remedy: string }>({
  code: "file_unreadable",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) => `${d.path} cannot be read: ${d.reason}; ${d.remedy}`,
});

/** A feature of this program that the API behind it does not have. */
export const apiLacks = defineError<{ api: string; feature: string }>({
  code: "api_lacks",
  source: "control-plane",
  retry: "never",
  status: 0,
  explain: (d) =>
    `the API at ${d.api} has no ${d.feature}; it needs a Viaduct behind it, of this version or newer`,
});

export const nothingToPush = defineError<{ path: string; reason: string }>({
  code: "nothing_to_push",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) => `nothing to push in ${d.path}: ${d.reason}; name the app's folder: «viaduct push DIR»`,
});

export const manifestUnreadable = defineError<{ path: string; reason: string }>({
  code: "manifest_unreadable",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) => `the manifest ${d.path} cannot be read: ${d.reason}; name another one with -f FILE`,
});

export const stagingFailed = defineError<{ app: string; reason: string }>({
  code: "staging_failed",
  source: "client",
  retry: "never",
  status: 0,
  explain: (d) => `${d.app} cannot be staged: ${d.reason}`,
});

export const deploymentEnded = defineError<{ app: string; reason: string }>({
  code: "deployment_ended",
  source: "client",
  retry: "never",
  status: 0,
  explain: (d) => `the deployment of ${d.app} ended as ${d.reason}; see «viaduct app ${d.app}»`,
});
