/** One run: a foundation of its own, a number of requests one after the other, and what must hold after each and all. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import * as fc from "fast-check";
import { type Reply, serving, startApi, type TestApi } from "../../src/cloud-controller/testing.ts";
import { createLogger, newGuid } from "../../src/kernel/index.ts";
import type { StoreLocation } from "../../src/store/index.ts";
import type { RouteLiveness } from "../../src/contracts/index.ts";
import { type Operation, readOperations } from "./api-document.ts";
import { anyRequestOf, type ApiRequest, requestOf } from "./api-requests.ts";

/** Words of what is below the API, which nobody outside should read. */
const INSIDES = /sqlite|postgres|kysely|constraint|violates|syntax error|\.ts:\d|node:internal/i;

const PORTS = [{ containerPort: 8080, hostPort: 61_000, hostTlsPort: 61_443 }];

/** Every change is live at once. */
const LIVE: RouteLiveness = {
  acknowledgements: async () => ({ cursor: { epoch: "", sequence: 0 }, readers: [] }),
  liveOn: async () => ({ live: 1, of: 1, isLive: true }),
  whenLive: async () => ({ live: 1, of: 1, isLive: true }),
};

/** Of a request and its answer, in a finding. */
const SHOWN = 1_000;

export interface RunPlan {
  readonly seed: number;
  readonly requests: number;
  readonly location?: StoreLocation | undefined;
}

/**
 * Makes some of everything, then asks for anything in any order.
 * @returns how many of the requests were good
 * @throws what does not hold, with the request
 */
export async function runRequests(
  t: Pick<TestContext, "after">,
  { seed, requests, location }: RunPlan,
): Promise<number> {
  const run = await startRun(t, location);
  const operations = await readOperations(run.api);
  await reach(run, operations.filter(isMaker), [], seed);
  let done = 0;
  for (const request of fc.sample(anyRequestOf(operations), { numRuns: requests, seed })) {
    if ((await run.send(request)).reply.status < 300) done += 1;
  }
  await run.assertConsistent();
  return done;
}

/**
 * Asks for everything there is, each until it was done once: what takes nothing away first, then the rest.
 * @returns what could not be done, and what it was refused for
 */
export async function runJourney(
  t: Pick<TestContext, "after">,
  { seed, location }: Omit<RunPlan, "requests">,
): Promise<ReadonlyMap<string, string>> {
  const run = await startRun(t, location);
  const operations = (await readOperations(run.api)).filter(({ isPossible }) => isPossible);
  const [gentle, rest] = [operations.filter(isGentle), operations.filter((each) => !isGentle(each))];
  // What is in something goes before it.
  const depth = ({ path }: Operation) => path.split("/").length;
  const inOrder = rest.toSorted(
    (a, b) => depth(b) - depth(a) || OUTER.indexOf(a.collection) - OUTER.indexOf(b.collection),
  );
  const makers = operations.filter(isMaker);
  const missed = [...(await reach(run, gentle, makers, seed)), ...(await reach(run, inOrder, makers, seed))];
  await run.assertConsistent();
  return new Map(missed.map(([{ method, path }, problem]) => [`${method} ${path}`, problem]));
}

/** Collections whose resources hold others, the outermost last. */
const OUTER = ["service_instances", "routes", "apps", "domains", "space_quotas", "spaces", "organizations"];

const isGentle = ({ method }: Operation) => method !== "DELETE";
/** What others need to be there, or to run. */
const isMaker = ({ method, path, isPossible }: Operation) =>
  method === "POST" && isPossible && !/(?:stop|cancel)$/.test(path);

/** How often everything that is missing is tried again: what was made meanwhile may be what it needs. */
const ROUNDS = 8;
const TRIES = 15;

/** @returns what never went well, and what was said of it the last time */
async function reach(
  run: ApiRun,
  operations: readonly Operation[],
  makers: readonly Operation[],
  seed: number,
): Promise<ReadonlyMap<Operation, string>> {
  const missing = new Map(operations.map((operation) => [operation, ""]));
  const ask = async (operation: Operation, ownSeed: number) => {
    const requests = fc.sample(requestOf(operation, "clean"), {
      numRuns: TRIES,
      seed: ownSeed,
    });
    const problem = await run.sendUntilGood(requests);
    if (problem === null) missing.delete(operation);
    else if (missing.has(operation)) missing.set(operation, problem);
  };
  for (let round = 0; round < ROUNDS; round++) {
    if (missing.size === 0) break;
    for (const [i, operation] of [...makers, ...missing.keys()].entries()) {
      await ask(operation, seed + round * 1_000 + i);
    }
  }
  return missing;
}

interface ApiRun {
  readonly api: TestApi;
  send(request: ApiRequest): Promise<Sent>;
  /** Until one was what was asked for. @returns null, or what the last one was refused for */
  sendUntilGood(requests: readonly ApiRequest[]): Promise<string | null>;
  /** What holds whatever happened. */
  assertConsistent(): Promise<void>;
}

interface Sent {
  readonly reply: Reply;
  /** With GUIDs in it. */
  readonly url: string;
}

async function startRun(t: Pick<TestContext, "after">, location: StoreLocation | undefined): Promise<ApiRun> {
  const failures: string[] = [];
  const api = await startApi(t, {
    ...(location !== undefined && { location }),
    liveness: LIVE,
    log: createLogger({ level: "error", sink: { write: (line) => void failures.push(line) } }),
  });
  const known = await populate(api);
  const remember = (collection: string, guid: unknown) => {
    if (typeof guid !== "string" || guid === "") return;
    const guids = known.get(collection) ?? [];
    if (!guids.includes(guid)) known.set(collection, [...guids, guid]);
  };
  const forget = (url: string) => {
    const [collection = "", guid] = url.split("?", 1)[0]?.split("/").slice(-2) ?? [];
    known.set(
      collection,
      (known.get(collection) ?? []).filter((each) => each !== guid),
    );
  };
  const fill = (text: string) =>
    text.replaceAll(/«(\w+) (\w+)»/g, (_, collection: string, which: string) => {
      const guids = known.get(collection) ?? [];
      const place = which === "first" ? 0 : guids.length - 1 - (Number(which) % Math.max(1, guids.length));
      return guids[place] ?? "none";
    });

  /** Path of an operation → what it put together the last time, and where to take that apart. */
  const partsOf = new Map<string, readonly string[]>();

  const send: ApiRun["send"] = async ({ method, url, operation, contentType, body, token, ifMatch }) => {
    // Whatever is to run, runs.
    api.bbs.actual = [...api.bbs.desired.values()].flatMap(({ processGuid, instances }) =>
      Array.from({ length: Math.min(instances, 3) }, (_, i) => ({
        ...serving(processGuid, i),
        ports: PORTS,
      })),
    );
    const [filledUrl, filledBody] = [fill(url), typeof body === "string" ? fill(body) : body];
    const asked = `${method} ${filledUrl.slice(0, SHOWN)}\n${String(filledBody).slice(0, SHOWN)}`;
    const asking = api.request({
      method,
      url: filledUrl,
      headers: {
        ...(contentType !== "" && { "content-type": contentType }),
        ...(token !== null && { authorization: `bearer ${token}` }),
        ...(ifMatch !== null && { "if-match": ifMatch }),
      },
      ...(filledBody !== undefined && { payload: filledBody }),
    });
    const reply = await asking.catch((error: unknown) => {
      throw new Error(`${asked}\n${(error as Error).message}`, { cause: error });
    });
    const answered = `→ ${reply.status} ${JSON.stringify(reply.body).slice(0, SHOWN)}`;
    assertAnswer(reply, [asked, answered, ...failures].join("\n"));
    if (reply.status < 300) {
      if (method === "DELETE") forget(filledUrl);
      else for (const [collection, guid] of guidsOf(reply, operation)) remember(collection, guid);
      if (method === "POST") {
        partsOf.set(
          operation.path,
          partGuidsOf(reply).map((guid) => `${filledUrl}/${guid}`),
        );
      }
    }
    return { reply, url: filledUrl };
  };
  return {
    api,
    send,
    async sendUntilGood(requests) {
      let problem = "";
      const [first] = requests;
      const whole = first?.operation.path.replace(/\/[^/]*$/, "") ?? "";
      const parts = first?.method === "DELETE" ? (partsOf.get(whole) ?? []) : [];
      const aboutParts = first === undefined ? [] : parts.map((url) => ({ ...first, url }));
      for (const request of [...aboutParts, ...requests]) {
        const sent = await send(request);
        if (sent.reply.status < 300) {
          await assertShown(api, request.operation, sent);
          return null;
        }
        problem = `${sent.url} ${String(request.body)}: ${sent.reply.details.join("; ")}`;
      }
      return problem;
    },
    assertConsistent: () => assertConsistent(api),
  };
}

/** Of an answer that names what belongs to something. */
function partGuidsOf(reply: Reply): readonly string[] {
  const { data, destinations } = reply.body as unknown as Readonly<
    Record<"data" | "destinations", readonly { readonly guid: string }[] | undefined>
  >;
  const parts = data ?? destinations;
  return Array.isArray(parts) ? parts.map(({ guid }: { readonly guid: string }) => guid) : [];
}

/** What a good answer tells of: a resource, a page of them, a job. */
function guidsOf(reply: Reply, { path, collection }: Operation): readonly (readonly [string, unknown])[] {
  const [, job] = /\/jobs\/([^/]+)$/.exec(String(reply.headers["location"])) ?? [];
  const isOne = /^\/v3\/\w+(?:\/\{guid\}(?:\/actions\/\w+)?)?$/.test(path);
  const { guid, droplet, resources, destinations } = reply.body as unknown as {
    readonly guid?: unknown;
    readonly droplet?: { readonly guid?: unknown } | null;
    readonly resources?: readonly { readonly guid?: unknown }[];
    readonly destinations?: readonly { readonly guid?: unknown }[];
  };
  return [
    ["jobs", job],
    ["droplets", droplet?.guid],
    ...(isOne ? [[collection, guid] as const] : []),
    ...(resources ?? []).map((each) => [path.split("/").at(-1) ?? "", each.guid] as const),
    ...(destinations ?? []).map((each) => ["destinations", each.guid] as const),
  ];
}

/** What a change answers is what is read where its link to itself leads; what was deleted is there no more. */
async function assertShown(
  api: TestApi,
  { method, path, collection }: Operation,
  { reply, url }: Sent,
): Promise<void> {
  const { guid, links } = reply.body;
  const href = links?.self?.href;
  if (guid !== undefined && href !== undefined && method !== "GET") {
    const again = await api.get(new URL(String(href)).pathname);
    assert.deepEqual(again.body, reply.body, `${method} ${url}`);
  }
  // The built-in UAA keeps its users.
  if (method !== "DELETE" || !path.endsWith("/{guid}") || collection === "users") return;
  assert.equal((await api.get(url)).status, 404, `${method} ${url}`);
}

/** That it is what the document says, codes and titles of errors too, the API for tests has checked. */
function assertAnswer(reply: Reply, about: string): void {
  assert(reply.status >= 200 && reply.status < 500, about);
  for (const detail of reply.details) assert(!INSIDES.test(detail.replaceAll(/'[^']*'/g, "")), about);
}

/** Lists say what single resources say, the route table holds what the rows hold, and totals are right. */
async function assertConsistent(api: TestApi): Promise<void> {
  await api.relay.drained();
  const routes = await api.list("/v3/routes?per_page=5000");
  assert.deepEqual(
    [...api.routeTable.reservations.keys()].toSorted(),
    routes.map(({ guid }) => String(guid)).toSorted(),
    "the route table holds the routes there are",
  );
  for (const route of routes) {
    assert.deepEqual((await api.get(`/v3/routes/${String(route.guid)}`)).body, route);
  }
  const { db } = api.store;
  const counted = await db
    .selectFrom("routes")
    .select((eb) => ["space_guid", "protocol", eb.fn.countAll<number | string>().as("total")])
    .groupBy(["space_guid", "protocol"])
    .execute();
  const kept = await db.selectFrom("route_counts").selectAll().where("total", "<>", 0).execute();
  const asText = (rows: readonly { space_guid: string; protocol: string; total: number | string }[]) =>
    rows.map((row) => `${row.space_guid} ${row.protocol} ${row.total}`).toSorted();
  assert.deepEqual(asText(kept), asText(counted), "totals of routes are what there is");
}

/** One of everything, and somebody for every kind of token. */
async function populate(api: TestApi): Promise<Map<string, readonly string[]>> {
  await api.patch("/v3/feature_flags/route_sharing", { enabled: true });
  const to = (guid: string) => ({ data: { guid } });
  const inSpace = { space: to(api.space) };
  const inOrganization = { organization: to(api.organization) };
  const second = await api.create("/v3/spaces", { name: "second", relationships: inOrganization });
  const own = await api.create("/v3/domains", { name: "own.example.com", relationships: inOrganization });
  const route = await api.create("/v3/routes", {
    host: "shop",
    relationships: { ...inSpace, domain: to(api.domain) },
  });
  const other = await api.create("/v3/routes", { relationships: { ...inSpace, domain: to(own) } });
  const app = await api.create("/v3/apps", { name: "shop", relationships: inSpace });
  const instance = await api.create("/v3/service_instances", {
    type: "user-provided",
    name: "guard",
    route_service_url: "https://guard.example.com",
    relationships: inSpace,
  });
  const segment = await api.create("/v3/isolation_segments", { name: "apart" });
  const now = "2026-01-01T00:00:00.000Z";
  const times = { created_at: now, updated_at: now };
  const users = {
    developer: "space_developer",
    manager: "organization_manager",
    nobody: "organization_user",
  };
  const roles: string[] = [];
  for (const [guid, type] of Object.entries(users)) {
    const account = { username: guid, email: guid, origin: "uaa", password_hash: "", scopes: "[]" as never };
    await api.store.db
      .insertInto("users")
      .values({ guid, ...times, ...account })
      .execute();
    const place = type.startsWith("space")
      ? { space_guid: api.space }
      : { organization_guid: api.organization };
    const role = newGuid();
    await api.store.db
      .insertInto("roles")
      .values({ guid: role, ...times, type, user_guid: guid, ...place })
      .execute();
    roles.push(role);
  }
  return new Map([
    ["organizations", [api.organization]],
    ["spaces", [api.space, second]],
    ["domains", [own, api.domain, api.internalDomain]],
    ["routes", [route, other]],
    ["apps", [app]],
    ["processes", [app]],
    ["service_instances", [instance]],
    ["isolation_segments", [segment]],
    ["users", Object.keys(users)],
    ["roles", roles],
  ]);
}
