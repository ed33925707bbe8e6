/**
 * How long does the v3 API take for what `cf` asks of it when there are 100,000 routes in 1,000 spaces, and does its
 * memory stay where it is? `--help` lists the flags.
 *
 * The API is a process of its own, reached over the loopback interface with a real token; the rows are written to the
 * database before it starts. Times are what the client waits, so this process's share is in them, and whatever else the
 * machine does; «CPU ms» is what a call costs the API's process, its collector included, and PostgreSQL's not.
 *
 * Beside each call that writes, a bare INSERT of one row is committed to the same kind of database on the same disk, by
 * turns: what of a slow answer is the disk's and the machine's is in both.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent, request } from "node:http";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { Insertable } from "kysely";
import { sql } from "kysely";
import { ensureUser, USER_SCOPES } from "../../src/auth/index.ts";
import { newGuid, silentLogger, systemClock } from "../../src/kernel/index.ts";
import {
  encodeJson,
  openStore,
  type Store,
  type StoreLocation,
  type Tables,
  toTimestamp,
} from "../../src/store/index.ts";
import type { ApiState } from "../support/api-process.ts";
import { openBareCommits } from "../support/bare-commits.ts";
import { readFlags } from "../support/flags.ts";

const SPACES = 1_000;
const ORGANIZATIONS = 10;
const TEAMS = 500;
const DOMAIN = "apps.example.com";
const PASSWORD = "bench";
/** A row of the widest table has a dozen values; SQLite takes 32,766 in a statement. */
const ROWS_PER_INSERT = 1_000;
const WARM_UP = 30;
const LAST_LOOKS = 3;
const BETWEEN_LOOKS_MS = 5_000;
/** Rows of the table that write, in the order of {@link kindsOf}. */
const WRITES = new Set(["create", "change an option", "map an app", "delete"]);
/** What is repeated for the look at the memory: reads, and as many deletions as creations. */
const USUAL = [
  "list, first page of 50",
  "by host",
  "by space",
  "one route",
  "create",
  "change an option",
  "delete",
];

const HELP = `Times the v3 API at many routes.

  node bench/cloud-controller/routes.bench.ts [flags]                  SQLite in a file of the current folder's disk
  node bench/cloud-controller/routes.bench.ts [flags] postgres://…     PostgreSQL: a database that is empty, or that
                                                                       an earlier run with as many routes has filled

  --routes N    (default 100000)
  --samples N   per row of the table (default 300)
  --clients N   that ask at the same time (default 1)
  --only TEXT   only rows of the table whose name holds the text
  --calls N     then so many calls of the usual kinds, with a look at the memory every tenth of them (default 0)
  --help
`;

const { values: flags, positionals } = readFlags(
  HELP,
  { routes: 100_000, samples: 300, clients: 1, only: "", calls: 0 },
  1,
);
const { routes: ROUTES, samples: SAMPLES, clients: CLIENTS, calls: CALLS } = flags;

const folder = mkdtempSync(join(process.cwd(), ".bench-api-"));
const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
try {
  const [url] = positionals;
  await measure(
    url === undefined ? { kind: "sqlite", path: join(folder, "viaduct.db") } : { kind: "postgres", url },
  );
} finally {
  agent.destroy();
  rmSync(folder, { recursive: true, force: true });
}

/** What the rows are called, so that a call can ask for any of them. */
interface Ground {
  readonly spaces: readonly string[];
  readonly organizations: readonly string[];
  readonly apps: readonly string[];
  readonly routes: readonly string[];
  readonly domain: string;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}
type Ask = (token: string, method: string, path: string, body?: object) => Promise<Answer>;
/** One call of a kind; `i` makes each a different one. */
type Kind = (i: number) => Promise<Answer>;

async function measure(location: StoreLocation): Promise<void> {
  const ground = await prepareGround(location);
  const before = loadavg()[0] ?? 0;
  const child = fork(
    join(import.meta.dirname, "../support/api-process.ts"),
    [JSON.stringify(location), PASSWORD],
    {
      execArgv: ["--expose-gc", "--max-semi-space-size=4"],
    },
  );
  try {
    const [{ port, startMs }] = (await once(child, "message")) as [{ port: number; startMs: number }];
    const state = async (wish: "state" | "collect") => {
      const answer = once(child, "message");
      child.send(wish);
      return ((await answer) as [ApiState])[0];
    };
    const ask: Ask = (token, method, path, body) => call(port, token, method, path, body);
    const tokens = {
      admin: await login(port, "admin"),
      developer: await login(port, "developer"),
      manager: await login(port, "manager"),
    };
    console.log(
      `${location.kind}, ${ROUTES} routes in ${SPACES} spaces; ${cpus()[0]?.model}, ${cpus().length} cores, load ${before.toFixed(1)}, ` +
        `Node ${process.version}; ${CLIENTS} client(s); start with a full comparison ${(startMs / 1000).toFixed(1)} s`,
    );
    const kinds = kindsOf(ask, tokens, ground);
    const bare = await openBareCommits(location);
    const table: Record<string, object> = {};
    for (const [name, kind] of Object.entries(kinds)) {
      if (!name.includes(flags.only)) continue;
      const beside = WRITES.has(name) ? () => bare.commit() : undefined;
      await run(kind, WARM_UP, 0, beside);
      await state("collect");
      const before = await state("state");
      const { times, besideTimes } = await run(kind, SAMPLES, WARM_UP, beside);
      const after = await state("state");
      table[name] = {
        p50: rounded(at(times, 0.5)),
        p99: rounded(at(times, 0.99)),
        "CPU ms": rounded((after.cpuMs - before.cpuMs) / SAMPLES),
        "longest turn": rounded(after.longestTurnMs),
        ...(beside !== undefined && {
          "bare p50": rounded(at(besideTimes, 0.5)),
          "bare p99": rounded(at(besideTimes, 0.99)),
          "p50 × bare": rounded(at(times, 0.5) / at(besideTimes, 0.5)),
        }),
      };
    }
    await bare.close();
    console.table(table);
    if (CALLS > 0) await watchMemory(kinds, state);
  } finally {
    child.disconnect();
    await once(child, "exit");
  }
}

function kindsOf(
  ask: Ask,
  tokens: Readonly<Record<"admin" | "developer" | "manager", string>>,
  ground: Ground,
) {
  const { admin, developer, manager } = tokens;
  const pick = (from: readonly string[], i: number) => from[(i * 7_919) % from.length] ?? "";
  const host = (i: number) => `route-${(i * 7_919) % ROUTES}`;
  const get =
    (path: (i: number) => string, token = admin): Kind =>
    (i) =>
      ask(token, "GET", path(i));
  let made = 0;
  const connectionLimit = 100 + (process.pid % 1_000);
  const newRoute = (i: number) => ({
    host: `new-${process.pid}-${made++}`,
    relationships: {
      space: { data: { guid: pick(ground.spaces, i) } },
      domain: { data: { guid: ground.domain } },
    },
    options: { loadbalancing: "least-connection" },
  });
  const deletable: string[] = [];
  return {
    "list, first page of 50": get(() => "/v3/routes?per_page=50"),
    "list, a page in the middle": get((i) => `/v3/routes?per_page=50&page=${1 + ((i * 37) % (ROUTES / 50))}`),
    "list, the last page": get(() => `/v3/routes?per_page=50&page=${ROUTES / 50}`),
    "list, newest first": get(() => "/v3/routes?per_page=50&order_by=-created_at"),
    "list with domain, space and organization": get(
      () => "/v3/routes?per_page=50&include=domain,space,space.organization",
    ),
    "as a developer of 10 spaces": get(() => "/v3/routes?per_page=50", developer),
    "as the manager of 100 spaces": get(() => "/v3/routes?per_page=50", manager),
    "by host": get((i) => `/v3/routes?hosts=${host(i)}`),
    "by host, as a developer": get((i) => `/v3/routes?hosts=${host(i)}`, developer),
    "by host and domain, as cf map-route asks": get(
      (i) => `/v3/routes?hosts=${host(i)}&domain_guids=${ground.domain}&paths=&ports=`,
    ),
    "by space": get((i) => `/v3/routes?per_page=50&space_guids=${pick(ground.spaces, i)}`),
    "by organization": get(
      (i) => `/v3/routes?per_page=50&organization_guids=${pick(ground.organizations, i)}`,
    ),
    "by app": get((i) => `/v3/routes?per_page=50&app_guids=${pick(ground.apps, i)}`),
    "of an app": get((i) => `/v3/apps/${pick(ground.apps, i)}/routes`),
    "by a label that 200 routes have": get(
      (i) => `/v3/routes?per_page=50&label_selector=team%3Dteam-${i % TEAMS}`,
    ),
    "by a label that half of them have": get(() => "/v3/routes?per_page=50&label_selector=tier%3Dweb"),
    "by a label they must not have": get(() => "/v3/routes?per_page=50&label_selector=!tier"),
    "by a time of change": get(() => "/v3/routes?per_page=50&updated_ats[gt]=2026-06-01T00:00:00Z"),
    "one route": get((i) => `/v3/routes/${pick(ground.routes, i)}`),
    "is a route taken": get((i) => `/v3/domains/${ground.domain}/route_reservations?host=${host(i)}`),
    create: async (i: number) => {
      const answer = await ask(admin, "POST", "/v3/routes", newRoute(i));
      deletable.push((JSON.parse(answer.text) as { guid: string }).guid);
      return answer;
    },
    "change an option": (i: number) =>
      ask(admin, "PATCH", `/v3/routes/${pick(ground.routes, i)}`, {
        // Another one than an earlier run has left there.
        options: { "connection-limit": connectionLimit },
      }),
    "map an app": (i: number) =>
      ask(admin, "POST", `/v3/routes/${pick(ground.routes, i)}/destinations`, {
        destinations: [{ app: { guid: ground.apps[((i * 7_919) % ROUTES) % SPACES] }, port: 9_000 }],
      }),
    delete: async () => {
      if (deletable.length === 0) {
        const { text } = await ask(admin, "POST", "/v3/routes", newRoute(0));
        deletable.push((JSON.parse(text) as { guid: string }).guid);
      }
      return ask(admin, "DELETE", `/v3/routes/${deletable.pop()}`);
    },
  } satisfies Record<string, Kind>;
}

interface Times {
  readonly times: readonly number[];
  /** Of what was done beside each call. */
  readonly besideTimes: readonly number[];
}

/** @returns how long each took, in ms, sorted */
async function run(kind: Kind, count: number, from: number, beside?: () => Promise<void>): Promise<Times> {
  const times: number[] = [];
  const besideTimes: number[] = [];
  let next = from;
  const client = async () => {
    while (next < from + count) {
      const i = next++;
      const startedMs = performance.now();
      const { status, text } = await kind(i);
      const endedMs = performance.now();
      times.push(endedMs - startedMs);
      if (status >= 300) throw new Error(`${status} ${text}`);
      if (beside === undefined) continue;
      await beside();
      besideTimes.push(performance.now() - endedMs);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  const sorted = (values: number[]) => values.sort((a, b) => a - b);
  return { times: sorted(times), besideTimes: sorted(besideTimes) };
}

/** @param sorted  The value below which that share of them lies. */
function at(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

async function watchMemory(
  kinds: Readonly<Record<string, Kind>>,
  state: (wish: "collect") => Promise<ApiState>,
): Promise<void> {
  const all = USUAL.flatMap((name) => kinds[name] ?? []);
  const everyKind: Kind = (i) => (all[i % all.length] as Kind)(i);
  const mb = (bytes: number) => Number((bytes / 1e6).toFixed(0));
  const look = async (when: string) => {
    const { heapBytes, residentBytes } = await state("collect");
    console.log(`${when}: heap ${mb(heapBytes)} MB, resident ${mb(residentBytes)} MB`);
  };
  for (let tenth = 0; tenth <= 10; tenth++) {
    if (tenth > 0) await run(everyKind, CALLS / 10, SAMPLES + WARM_UP + (tenth * CALLS) / 10);
    await look(`after ${(tenth * CALLS) / 10} calls`);
  }
  // Whether what the last look found is held, or was not given back yet.
  for (let again = 1; again <= LAST_LOOKS; again++) {
    await setTimeout(BETWEEN_LOOKS_MS);
    await look(`${(again * BETWEEN_LOOKS_MS) / 1_000} s later`);
  }
}

function rounded(ms: number): number {
  return Number(ms.toFixed(1));
}

/** Rows in a database that has none yet, and what they are called. */
async function prepareGround(location: StoreLocation): Promise<Ground> {
  const store = await openStore(location, { log: silentLogger, clock: systemClock });
  try {
    const known = await readGround(store);
    if (known.routes.length === ROUTES) return known;
    if (known.routes.length > 0) throw new Error(`the database has ${known.routes.length} routes already`);
    await fill(store);
    return await readGround(store);
  } finally {
    await store.close();
  }
}

/** In the order they were made. */
async function readGround({ db }: Store): Promise<Ground> {
  const named = async (
    table: "spaces" | "organizations" | "apps" | "routes",
    column: "name" | "host",
    prefix: string,
  ) => {
    const { rows } = await sql<{ guid: string }>`
      select guid from ${sql.table(table)} where ${sql.ref(column)} like ${`${prefix}-%`}
      order by created_at, guid`.execute(db);
    return rows.map(({ guid }) => guid);
  };
  const domain = await db.selectFrom("domains").select("guid").where("name", "=", DOMAIN).executeTakeFirst();
  return {
    spaces: await named("spaces", "name", "space"),
    organizations: await named("organizations", "name", "org"),
    apps: await named("apps", "name", "app"),
    routes: await named("routes", "host", "route"),
    domain: domain?.guid ?? "",
  };
}

async function fill(store: Store): Promise<void> {
  const firstMs = Date.parse("2026-01-01T00:00:00Z");
  let rows = 0;
  // Ten minutes apart, over most of a year and more.
  const row = (guid = newGuid()) => {
    const at = toTimestamp(firstMs + rows++ * 250_000);
    return { guid, created_at: at, updated_at: at };
  };
  const guids = (count: number) => Array.from({ length: count }, () => newGuid());
  const [organizations, spaces, apps, routes] = [ORGANIZATIONS, SPACES, SPACES, ROUTES].map(guids) as [
    string[],
    string[],
    string[],
    string[],
  ];
  const domain = newGuid();
  await insert(
    store,
    "organizations",
    organizations.map((guid, i) => ({ ...row(guid), name: `org-${i}`, quota_guid: null })),
  );
  await insert(
    store,
    "spaces",
    spaces.map((guid, i) => ({
      ...row(guid),
      name: `space-${i}`,
      organization_guid: organizations[i % ORGANIZATIONS] ?? "",
    })),
  );
  await insert(store, "domains", [
    { ...row(domain), name: DOMAIN, router_group_guid: null, organization_guid: null },
  ]);
  await insert(
    store,
    "apps",
    apps.map((guid, i) => ({
      ...row(guid),
      name: `app-${i}`,
      space_guid: spaces[i] ?? "",
      state: "STOPPED",
      lifecycle: encodeJson({ type: "buildpack", data: { buildpacks: [], stack: "cflinuxfs4" } }),
      environment: encodeJson({}),
      current_droplet_guid: null,
    })),
  );
  await insert(
    store,
    "routes",
    routes.map((guid, i) => ({
      ...row(guid),
      space_guid: spaces[i % SPACES] ?? "",
      domain_guid: domain,
      host: `route-${i}`,
      path: "",
      port: null,
      protocol: "http" as const,
      options: encodeJson({}),
    })),
  );
  await insert(
    store,
    "destinations",
    routes.map((guid, i) => ({
      ...row(),
      route_guid: guid,
      app_guid: apps[i % SPACES] ?? "",
      process_type: "web",
      app_port: 8_080,
      weight: null,
      protocol: null,
    })),
  );
  const label = (guid: string, name: string, value: string) =>
    ({ resource_type: "route", resource_guid: guid, kind: "label", prefix: "", name, value }) as const;
  await insert(
    store,
    "metadata",
    routes.map((guid, i) => label(guid, "team", `team-${i % TEAMS}`)),
  );
  await insert(
    store,
    "metadata",
    routes.filter((_, i) => i % 2 === 0).map((guid) => label(guid, "tier", "web")),
  );
  const roleOf = async (username: string, places: readonly object[], type: string) => {
    await ensureUser({ store, clock: systemClock }, { username, password: PASSWORD, scopes: USER_SCOPES });
    const user = await store.db
      .selectFrom("users")
      .select("guid")
      .where("username", "=", username)
      .executeTakeFirstOrThrow();
    await insert(
      store,
      "roles",
      places.map((place) => ({
        ...row(),
        type,
        user_guid: user.guid,
        organization_guid: null,
        space_guid: null,
        ...place,
      })),
    );
  };
  await roleOf(
    "developer",
    spaces.slice(0, 10).map((guid) => ({ space_guid: guid })),
    "space_developer",
  );
  await roleOf("manager", [{ organization_guid: organizations[0] }], "organization_manager");
  // What PostgreSQL does by itself a minute later.
  if (store.dialect === "postgres") await sql`vacuum analyze`.execute(store.db);
}

async function insert<T extends keyof Tables>(
  store: Store,
  table: T,
  rows: readonly Insertable<Tables[T]>[],
): Promise<void> {
  for (let i = 0; i < rows.length; i += ROWS_PER_INSERT) {
    await store.db
      .insertInto(table)
      .values(rows.slice(i, i + ROWS_PER_INSERT))
      .execute();
  }
}

async function login(port: number, username: string): Promise<string> {
  const form = new URLSearchParams({ grant_type: "password", username, password: PASSWORD }).toString();
  const headers = {
    authorization: `Basic ${btoa("cf:")}`,
    "content-type": "application/x-www-form-urlencoded",
  };
  const { status, text } = await send(port, "POST", "/uaa/oauth/token", headers, form);
  if (status !== 200) throw new Error(`login of ${username}: ${status} ${text}`);
  return (JSON.parse(text) as { access_token: string }).access_token;
}

function call(port: number, token: string, method: string, path: string, body?: object): Promise<Answer> {
  const headers = { authorization: `bearer ${token}`, "content-type": "application/json" };
  return send(port, method, path, headers, body === undefined ? "" : JSON.stringify(body));
}

function send(
  port: number,
  method: string,
  path: string,
  headers: Record<string, string>,
  body: string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, method, path, headers, agent }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("error", reject);
      answer.on("end", () =>
        resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
      );
    });
    sent.on("error", reject);
    sent.end(body);
  });
}
