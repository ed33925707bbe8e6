/** One run: a foundation of its own, a number of requests one after the other, and what must hold after each and all. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import * as fc from "fast-check";
import { type Reply, startApi, type TestApi } from "../../src/cloud-controller/testing.ts";
import { createLogger, newGuid } from "../../src/kernel/index.ts";
import type { StoreLocation } from "../../src/store/index.ts";
import { readOperations } from "./api-document.ts";
import { type ApiRequest, requestOf } from "./api-requests.ts";

/** Upstream's codes: title, and the statuses it comes with. */
const ERRORS: Readonly<Record<number, readonly [title: string, ...statuses: number[]]>> = {
  1000: ["CF-InvalidAuthToken", 401],
  1001: ["CF-MessageParseError", 400],
  1004: ["CF-BadRequest", 400],
  10000: ["CF-NotFound", 404],
  10002: ["CF-NotAuthenticated", 401],
  10003: ["CF-NotAuthorized", 403],
  10005: ["CF-BadQueryParameter", 400],
  10008: ["CF-UnprocessableEntity", 422],
  10010: ["CF-ResourceNotFound", 404],
  10016: ["CF-UniquenessError", 422],
  10412: ["CF-PreconditionFailed", 412],
  120_004: ["CF-ServiceFetchInstanceParametersNotSupported", 400],
  160_001: ["CF-AppBitsUploadInvalid", 400, 413],
  330_002: ["CF-FeatureDisabled", 403],
};
/** Words of what is below the API, which nobody outside should read. */
const INSIDES = /sqlite|postgres|kysely|constraint|violates|syntax error|\.ts:\d|node:internal/i;

/** Of a request and its answer, in a finding. */
const SHOWN = 1_000;

/**
 * @returns how many of them were good
 * @throws what does not hold, with the request
 */
export async function runRequests(
  t: Pick<TestContext, "after">,
  {
    seed,
    requests,
    location,
  }: { readonly seed: number; readonly requests: number; readonly location?: StoreLocation | undefined },
): Promise<number> {
  const run = await startRun(t, location);
  const arbitrary = requestOf(await readOperations(run.api));
  let done = 0;
  for (const request of fc.sample(arbitrary, { numRuns: requests, seed })) {
    if (await run.send(request)) done += 1;
  }
  await run.assertConsistent();
  return done;
}

interface ApiRun {
  readonly api: TestApi;
  /** Sends it and checks the answer; says whether it was what was asked for. */
  send(request: ApiRequest): Promise<boolean>;
  /** What holds whatever happened. */
  assertConsistent(): Promise<void>;
}

async function startRun(t: Pick<TestContext, "after">, location: StoreLocation | undefined): Promise<ApiRun> {
  const failures: string[] = [];
  const api = await startApi(t, {
    ...(location !== undefined && { location }),
    log: createLogger({ level: "error", sink: { write: (line) => void failures.push(line) } }),
  });
  const known = await populate(api);
  const remember = (collection: string, guid: unknown) => {
    if (typeof guid !== "string" || guid === "") return;
    const guids = known.get(collection) ?? [];
    known.set(collection, guids.includes(guid) ? guids : [guid, ...guids]);
  };
  const fill = (text: string) =>
    text.replaceAll(/«(\w+) (\d+)»/g, (_, collection: string, number: string) => {
      const guids = known.get(collection) ?? [];
      return guids[Number(number) % Math.max(1, guids.length)] ?? "none";
    });

  return {
    api,
    async send({ method, url, operation, contentType, body, token, ifMatch }) {
      const [filledUrl, filledBody] = [fill(url), body === undefined ? undefined : fill(body)];
      const asked = `${method} ${filledUrl.slice(0, SHOWN)}\n${filledBody?.slice(0, SHOWN)}`;
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
      if (reply.status >= 300) return false;
      if (method !== "GET") remember(operation.collection, reply.body.guid);
      for (const each of (reply.body.destinations ?? []) as unknown as readonly { guid?: string }[]) {
        remember("destinations", each.guid);
      }
      return true;
    },
    assertConsistent: () => assertConsistent(api),
  };
}

/** That it is what the document says, the API for tests has checked. */
function assertAnswer(reply: Reply, about: string): void {
  assert(reply.status >= 200 && reply.status < 500, about);
  if (reply.status < 400) return;
  const errors = reply.body.errors as unknown as readonly { code: number; title: string; detail: string }[];
  assert(errors.length > 0, about);
  for (const { code, title, detail } of errors) {
    const [wanted, ...statuses] = ERRORS[code] ?? assert.fail(about);
    assert.equal(title, wanted, about);
    assert(statuses.includes(reply.status), about);
    assert(detail.length > 0 && !INSIDES.test(detail.replaceAll(/'[^']*'/g, "")), about);
  }
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
    ["domains", [api.domain, own, api.internalDomain]],
    ["routes", [route, other]],
    ["apps", [app]],
    ["processes", [app]],
    ["service_instances", [instance]],
    ["isolation_segments", [segment]],
    ["users", Object.keys(users)],
    ["roles", roles],
  ]);
}
