/**
 * Two replicas of the API, each a process of its own, on one PostgreSQL: whoever they race for, one of them gets it,
 * the other says why not, and what both changed holds both changes.
 */
import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { Client } from "pg";
import { startPostgres } from "../support/postgres.ts";
import type { ReplicaMessage } from "../support/replica-process.ts";

const PASSWORD = "secret";
/** Each race is run for that many things at once, so that some of them really meet. */
const RACES = 12;

interface Reply {
  readonly status: number;
  readonly location: string;
  readonly etag: string;
  readonly body: Json;
  readonly details: readonly string[];
}
/** JSON that tests may look into. */
interface Json {
  readonly [key: string]: Json | undefined;
}
type Told = Extract<ReplicaMessage, { kind: "told" }>;

interface Replica {
  readonly process: ChildProcess;
  /** What it told the route table. */
  readonly told: readonly Told[];
  call(
    method: string,
    path: string,
    body?: object | string,
    headers?: Record<string, string>,
  ): Promise<Reply>;
}

async function startReplica(t: TestContext, url: string): Promise<Replica> {
  const child = fork(
    join(import.meta.dirname, "../support/replica-process.ts"),
    [JSON.stringify({ kind: "postgres", url }), PASSWORD],
    { stdio: ["ignore", "ignore", "inherit", "ipc"] },
  );
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  });
  const told: Told[] = [];
  const port = await new Promise<number>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`the replica ended with ${code} before it was ready`)));
    child.on("message", (message: ReplicaMessage) => {
      if (message.kind === "ready") resolve(message.port);
      else told.push(message);
    });
  });
  return {
    process: child,
    told,
    async call(method, path, body, headers = {}) {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
        method,
        headers: { "content-type": "application/json", ...headers },
        ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      const text = await answer.text();
      const json = (text === "" ? {} : JSON.parse(text)) as Json;
      const errors = (json.errors ?? []) as unknown as readonly { detail: string }[];
      return {
        status: answer.status,
        location: answer.headers.get("location") ?? "",
        etag: answer.headers.get("etag") ?? "",
        body: json,
        details: errors.map(({ detail }) => detail),
      };
    },
  };
}

interface Pair {
  readonly one: Replica;
  readonly two: Replica;
  /** Of the database. */
  readonly url: string;
  /** The same call at both at once. */
  both(method: string, path: string, body?: object | string): Promise<readonly [Reply, Reply]>;
  /** What a list holds. */
  list(path: string): Promise<readonly Json[]>;
  /** The GUID of what is made. */
  create(path: string, body: object): Promise<string>;
  readonly organization: string;
  readonly space: string;
  readonly domain: string;
}

/** Both start at once on an empty database; a token of the first one is used at both. */
async function startPair(t: TestContext, url: string): Promise<Pair> {
  const replicas = await Promise.all([startReplica(t, url), startReplica(t, url)]);
  const form = new URLSearchParams({ grant_type: "password", username: "admin", password: PASSWORD });
  const login = await replicas[0].call("POST", "/uaa/oauth/token", form.toString(), {
    authorization: `Basic ${btoa("cf:")}`,
    "content-type": "application/x-www-form-urlencoded",
  });
  const authorization = `bearer ${String(login.body.access_token)}`;
  const [one, two] = replicas.map(
    (replica): Replica => ({
      ...replica,
      call: (method, path, body, headers) => replica.call(method, path, body, { authorization, ...headers }),
    }),
  ) as [Replica, Replica];
  const list: Pair["list"] = async (path) => {
    const reply = await two.call("GET", path);
    assert.equal(reply.status, 200, reply.details.join());
    return reply.body.resources as unknown as readonly Json[];
  };
  const only = async (path: string) => {
    const all = await list(path);
    assert.equal(all.length, 1, `${path}: replicas that start at once make one of each`);
    return String(all[0]?.guid);
  };
  return {
    one,
    two,
    url,
    both: (method, path, body) => Promise.all([one.call(method, path, body), two.call(method, path, body)]),
    list,
    async create(path, body) {
      const reply = await one.call("POST", path, body);
      assert.equal(reply.status, 201, reply.details.join());
      return String(reply.body.guid);
    },
    organization: await only("/v3/organizations"),
    space: await only("/v3/spaces"),
    domain: await only("/v3/domains?names=localhost"),
  };
}

const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));
const to = (guid: string) => ({ data: { guid } });
const routeAt = (pair: Pair, host: string, more: object = {}) => ({
  host,
  relationships: { space: to(pair.space), domain: to(pair.domain) },
  ...more,
});

/** One of two was made, the other refused with this sentence. */
function assertOneOwner(replies: readonly [Reply, Reply], sentence: string): void {
  const [made, refused] = replies.toSorted((a, b) => a.status - b.status);
  assert.deepEqual([made?.status, refused?.status], [201, 422], replies.flatMap((r) => r.details).join());
  assert.deepEqual(refused?.details, [sentence]);
}

async function withDatabase({ url }: Pair, work: (database: Client) => Promise<unknown>): Promise<void> {
  const database = new Client(url);
  await database.connect();
  await work(database);
  await database.end();
}

/** The names that the route table was told of. */
const namesToldBy = ({ one, two }: Pair) => new Set([...one.told, ...two.told].map(({ route }) => route));

const races: Readonly<Record<string, (pair: Pair) => Promise<void>>> = {
  async "the same route has one owner, and reaches the route table once"(pair) {
    const results = await Promise.all(
      times(RACES, (i) => pair.both("POST", "/v3/routes", routeAt(pair, `Same-${i}`))),
    );
    for (const [i, replies] of results.entries()) {
      assertOneOwner(replies, `Route already exists with host 'same-${i}' for domain 'localhost'.`);
    }
    const told = [...pair.one.told, ...pair.two.told].filter(({ route }) => route.startsWith("same-"));
    assert.deepEqual(
      told.map(({ route }) => route).toSorted(),
      times(RACES, (i) => `same-${i}.localhost`).toSorted(),
    );
  },

  async "paths that differ in case only are the same route"(pair) {
    for (let i = 0; i < RACES / 2; i++) {
      const replies = await Promise.all([
        pair.one.call("POST", "/v3/routes", routeAt(pair, "cased", { path: `/V${i}` })),
        pair.two.call("POST", "/v3/routes", routeAt(pair, "cased", { path: `/v${i}` })),
      ]);
      const statuses = replies.map(({ status }) => status).toSorted();
      assert.deepEqual(statuses, [201, 422], replies.flatMap(({ details }) => details).join());
    }
  },

  async "the same domain has one owner"(pair) {
    const body = (i: number) => ({
      name: `d${i}.example.com`,
      relationships: { organization: to(pair.organization) },
    });
    const results = await Promise.all(times(RACES, (i) => pair.both("POST", "/v3/domains", body(i))));
    for (const [i, replies] of results.entries()) {
      assertOneOwner(replies, `The domain name "d${i}.example.com" is already in use`);
    }
  },

  async "a domain and a route of the same name are not both made"(pair) {
    const results = await Promise.all(
      times(RACES, (i) =>
        Promise.all([
          pair.one.call("POST", "/v3/routes", routeAt(pair, `name-${i}`)),
          pair.two.call("POST", "/v3/domains", { name: `name-${i}.localhost` }),
        ]),
      ),
    );
    for (const replies of results) {
      const statuses = replies.map(({ status }) => status).toSorted();
      assert.deepEqual(statuses, [201, 422]);
      const [refused] = replies.filter(({ status }) => status === 422);
      assert.match(String(refused?.details), /^Route conflicts with domain|is already reserved by a route$/);
    }
  },

  async "a domain and one below it are not both made by different organizations"(pair) {
    const other = await pair.create("/v3/organizations", { name: "other" });
    const privately = (name: string, owner: string) => ({ name, relationships: { organization: to(owner) } });
    for (let i = 0; i < RACES / 2; i++) {
      const [above, below] = await Promise.all([
        pair.one.call("POST", "/v3/domains", privately(`z${i}.example.org`, pair.organization)),
        pair.two.call("POST", "/v3/domains", privately(`low.z${i}.example.org`, other)),
      ]);
      // Whoever is first may be either; below somebody else's domain nothing is made afterwards.
      if (below.status === 201) continue;
      assert.equal(above.status, 201);
      assert.match(String(below.details), /is already reserved by another domain$/);
    }
  },

  async "the same app name is given once"(pair) {
    const body = (i: number) => ({ name: `app-${i}`, relationships: { space: to(pair.space) } });
    const results = await Promise.all(times(RACES, (i) => pair.both("POST", "/v3/apps", body(i))));
    for (const [i, replies] of results.entries()) {
      assertOneOwner(replies, `App with the name 'app-${i}' already exists.`);
    }
  },

  async "a port of a router group is given once, and never more than there are"(pair) {
    const now = "2026-01-01T00:00:00.000Z";
    await withDatabase(pair, (database) =>
      database.query(
        "insert into router_groups (guid, created_at, updated_at, name, type, reservable_ports) values ($1, $2, $2, $3, $4, $5)",
        ["tcp-group", now, "default-tcp", "tcp", `2000-${1999 + RACES}`],
      ),
    );
    const domains = [
      await pair.create("/v3/domains", { name: "tcp.example.net", router_group: { guid: "tcp-group" } }),
      await pair.create("/v3/domains", { name: "tcp2.example.net", router_group: { guid: "tcp-group" } }),
    ];
    const replies = await Promise.all(
      times(RACES + 2, (i) =>
        [pair.one, pair.two][i % 2]?.call("POST", "/v3/routes", {
          relationships: { space: to(pair.space), domain: to(domains[i % 2] ?? "") },
        }),
      ),
    );
    const ports = replies.filter((reply) => reply?.status === 201).map((reply) => Number(reply?.body.port));
    assert.deepEqual(
      ports.toSorted(),
      times(RACES, (i) => 2000 + i),
    );
    for (const refused of replies.filter((reply) => reply?.status !== 201)) {
      assert.equal(refused?.status, 422);
      assert.deepEqual(refused?.details, ["There are no more ports available for this domain."]);
    }
  },

  async "options, labels and destinations that both add to one route are all there"(pair) {
    const route = await pair.create("/v3/routes", routeAt(pair, "merged"));
    const path = `/v3/routes/${route}`;
    const app = await pair.create("/v3/apps", { name: "merged", relationships: { space: to(pair.space) } });
    const changes: readonly (readonly [string, string, object])[] = [
      ["PATCH", path, { options: { loadbalancing: "least-connection" } }],
      ["PATCH", path, { options: { "response-timeout": "1s" } }],
      ["PATCH", path, { options: { "trim-path": true } }],
      ["PATCH", path, { options: { "idle-timeout": "2s" } }],
      ...times(6, (i) => ["PATCH", path, { metadata: { labels: { [`l${i}`]: String(i) } } }] as const),
      ...times(6, (i) => {
        const destinations = [{ app: { guid: app }, port: 9_000 + i }];
        return ["POST", `${path}/destinations`, { destinations }] as const;
      }),
    ];
    const replies = await Promise.all(
      changes.map(([method, path, body], i) => (i % 2 === 0 ? pair.one : pair.two).call(method, path, body)),
    );
    assert.deepEqual(new Set(replies.map(({ status }) => status)), new Set([200]));
    const { body } = await pair.two.call("GET", path);
    const options = {
      loadbalancing: "least-connection",
      "response-timeout": "1s",
      "trim-path": true,
      "idle-timeout": "2s",
    };
    assert.deepEqual(body.options, { ...options, "trim-path": "true" });
    assert.equal(Object.keys(body.metadata?.labels ?? {}).length, 6);
    assert.equal((body.destinations as unknown as readonly object[]).length, 6);
    const told = [...pair.one.told, ...pair.two.told].filter((each) => each.route === "merged.localhost");
    assert.deepEqual(told.at(-1)?.options, options);
  },

  async "of two who change the state they have both read, one is told that it is another by now"(pair) {
    const route = await pair.create("/v3/routes", routeAt(pair, "tagged"));
    const path = `/v3/routes/${route}`;
    for (let i = 0; i < RACES; i++) {
      const { etag } = await pair.one.call("GET", path);
      const replies = await Promise.all(
        [pair.one, pair.two].map((replica, j) =>
          replica.call("PATCH", path, { metadata: { labels: { turn: `${i}-${j}` } } }, { "if-match": etag }),
        ),
      );
      assert.deepEqual(replies.map(({ status }) => status).toSorted(), [200, 412]);
    }
  },

  async "changes of different parts of an app, a space and an organization are all kept"(pair) {
    const app = await pair.create("/v3/apps", { name: "parts", relationships: { space: to(pair.space) } });
    const space = await pair.create("/v3/spaces", {
      name: "parts",
      relationships: { organization: to(pair.organization) },
    });
    const organization = await pair.create("/v3/organizations", { name: "parts" });
    const paths = [`/v3/apps/${app}`, `/v3/spaces/${space}`, `/v3/organizations/${organization}`];
    for (let i = 0; i < RACES / 2; i++) {
      await Promise.all(
        paths.flatMap((path) => [
          pair.one.call("PATCH", path, { name: `parts-${i}` }),
          pair.two.call("PATCH", path, { metadata: { labels: { turn: String(i) } } }),
        ]),
      );
      for (const path of paths) {
        const { body } = await pair.one.call("GET", path);
        assert.equal(body.name, `parts-${i}`, path);
        assert.equal(body.metadata?.labels?.turn, String(i), path);
      }
    }
  },

  async "a manifest that both apply at once makes each app and route once"(pair) {
    const manifest = [
      "applications:",
      "- name: from-manifest",
      "  routes:",
      "  - route: from-manifest.localhost",
      "    options: {loadbalancing: least-connection}",
      "  - route: from-manifest.localhost/v2",
    ].join("\n");
    const replies = await Promise.all(
      [pair.one, pair.two].map((replica) =>
        replica.call("POST", `/v3/spaces/${pair.space}/actions/apply_manifest`, manifest, {
          "content-type": "application/x-yaml",
        }),
      ),
    );
    for (const { status, location, details } of replies) {
      assert.equal(status, 202, details.join());
      // Each answers for the job that the other one did.
      for (const replica of [pair.one, pair.two]) {
        const job = await replica.call("GET", new URL(location).pathname);
        assert.equal(job.body.state, "COMPLETE", JSON.stringify(job.body));
      }
    }
    assert.equal((await pair.list("/v3/apps?names=from-manifest")).length, 1);
    const routes = await pair.list("/v3/routes?hosts=from-manifest");
    assert.deepEqual(
      routes.map((route) => (route.destinations as unknown as readonly object[]).length),
      [1, 1],
    );
  },

  async "what both delete at once is gone, and its job is complete at both"(pair) {
    const route = await pair.create("/v3/routes", routeAt(pair, "deleted"));
    const replies = await pair.both("DELETE", `/v3/routes/${route}`);
    const jobs = replies.filter(({ status }) => status === 202);
    assert(jobs.length > 0);
    for (const { status } of replies) assert([202, 404].includes(status), String(status));
    for (const { location } of jobs) {
      for (const reply of await pair.both("GET", new URL(location).pathname)) {
        assert.equal(reply.body.state, "COMPLETE");
      }
    }
    assert.deepEqual(await pair.list("/v3/routes?hosts=deleted"), []);
    const told = [...pair.one.told, ...pair.two.told].filter((each) => each.route === route);
    assert(told.length > 0 && told.every(({ options }) => options === null));
  },

  async "totals of routes are what there is, whoever moved them"(pair) {
    await pair.one.call("PATCH", "/v3/feature_flags/route_sharing", { enabled: true });
    const target = await pair.create("/v3/spaces", {
      name: "target",
      relationships: { organization: to(pair.organization) },
    });
    const moved = await Promise.all(
      times(RACES, (i) => pair.create("/v3/routes", routeAt(pair, `moved-${i}`))),
    );
    await Promise.all(
      moved.map((guid) => pair.both("PATCH", `/v3/routes/${guid}/relationships/space`, to(target))),
    );
    await Promise.all(moved.slice(1).map((guid) => pair.both("DELETE", `/v3/routes/${guid}`)));
    assert.equal((await pair.list(`/v3/routes?space_guids=${target}`)).length, 1);
    await withDatabase(pair, async (database) => {
      const { rows } = await database.query<{ difference: string }>(`select total - (
        select count(*) from routes
        where routes.space_guid = route_counts.space_guid and routes.protocol = route_counts.protocol
      ) as difference from route_counts`);
      assert(rows.length > 1);
      assert.deepEqual(new Set(rows.map(({ difference }) => Number(difference))), new Set([0]));
    });
  },

  async "all that was made has reached the route table"(pair) {
    const told = namesToldBy(pair);
    for (const { url, port } of await pair.list(`/v3/routes?per_page=5000&space_guids=${pair.space}`)) {
      assert(told.has(String(port ?? url)), `${String(url)} has not reached the route table`);
    }
  },

  /** Ends one of them, so it is the last. */
  async "what a killed replica acknowledged reaches the route table by the other one"(pair) {
    const [leader, other] = pair.one.told.length > 0 ? [pair.one, pair.two] : [pair.two, pair.one];
    const before = leader.told.length;
    const replies: Promise<Reply | null>[] = times(30, (i) =>
      leader.call("POST", "/v3/routes", routeAt(pair, `host-${i}`)).catch(() => null),
    );
    await Promise.race(replies);
    assert(leader.told.length > before, "the one that delivers is the one that is killed");
    leader.process.kill("SIGKILL");
    const acknowledged = (await Promise.all(replies)).filter((reply) => reply?.status === 201);
    assert(acknowledged.length > 0);
    // What comes later is delivered later.
    assert.equal((await other.call("POST", "/v3/routes", routeAt(pair, "after"))).status, 201);
    while (!other.told.some(({ route }) => route === "after.localhost")) await once(other.process, "message");
    const wanted = new Set(acknowledged.map((reply) => String(reply?.body.url)));
    assert.deepEqual(wanted.difference(namesToldBy(pair)), new Set());
  },
};

test("two replicas of the API on one PostgreSQL", async (t) => {
  const postgres = await startPostgres(t);
  if (postgres === null) return;
  const pair = await startPair(t, await postgres.newDatabase());
  for (const [name, race] of Object.entries(races)) await t.test(name, () => race(pair));
});
