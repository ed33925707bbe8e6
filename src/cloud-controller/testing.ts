/**
 * For tests of this room: the whole API on a database of its own, without a socket, with recorders where the route
 * table and Diego would be. Tokens are plain words: `admin`, or `user:<guid>` for somebody without further scopes.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { ADMIN_SCOPES, type TokenIssuer, type TokenVerifier, USER_SCOPES } from "../auth/index.ts";
import type {
  ActualLrp,
  Bbs,
  DesiredLrp,
  LogLine,
  RouteLiveness,
  RouteTableWriter,
} from "../contracts/index.ts";
import { tokenInvalid } from "../kernel/errors/auth.ts";
import {
  createManualClock,
  loadConfig,
  type Logger,
  type ManualClock,
  newGuid,
  silentLogger,
} from "../kernel/index.ts";
import {
  createOutboxRelay,
  openStore,
  type OutboxRelay,
  type Store,
  type StoreLocation,
} from "../store/index.ts";
import type { Reservation } from "../table/index.ts";
import { answerProblem } from "./answer-check.ts";
import { createBits } from "./bits/rows.ts";
import type { AccessLines } from "./app-log.ts";
import { buildCloudController, type CloudControllerDeps } from "./api.ts";
import { createContext } from "./context.ts";
import { advanceDeployments } from "./deployment-steps.ts";
import { cloudControllerSection } from "./config.ts";
import { TOPICS } from "./news.ts";
import { seed } from "./seed.ts";
import { createSync } from "./sync/sync.ts";

export interface Reply {
  readonly status: number;
  readonly body: Json;
  readonly headers: Readonly<Record<string, unknown>>;
  /** `detail` of each error. */
  readonly details: readonly string[];
}

/** JSON that tests may look into: every property may be there, and is again some. */
export interface Json {
  readonly [key: string]: Json | undefined;
}

export interface TestApi {
  readonly store: Store;
  readonly clock: ManualClock;
  readonly bbs: BbsRecorder;
  readonly routeTable: RouteTableRecorder;
  readonly relay: OutboxRelay;
  call(method: Method, path: string, body?: object | string, token?: string): Promise<Reply>;
  get(path: string, token?: string): Promise<Reply>;
  post(path: string, body?: object | string, token?: string): Promise<Reply>;
  patch(path: string, body?: object | string, token?: string): Promise<Reply>;
  delete(path: string, token?: string): Promise<Reply>;
  /** Any request, any headers: for tokens and odd bodies. An answer that the OpenAPI document does not know fails. */
  request(options: {
    method: Method;
    url: string;
    headers?: Record<string, string>;
    payload?: string | Buffer;
  }): Promise<Reply>;
  /** What is not JSON, as it came. */
  page(url: string): Promise<{ readonly body: string; readonly headers: Readonly<Record<string, unknown>> }>;
  /** The GUID of what a `POST` makes; fails the test when it does not. */
  create(path: string, body: object, token?: string): Promise<string>;
  /** `resources` of a list; fails the test when there are none. */
  list(path: string, token?: string): Promise<readonly Json[]>;
  /** GUIDs of what every foundation has. */
  readonly organization: string;
  readonly space: string;
  readonly domain: string;
  readonly internalDomain: string;
  /** The body of a `GET` that does not answer with JSON. */
  text(path: string): Promise<string>;
  /** One step of every deployment, as what Diego reports allows. */
  deploy(): Promise<void>;
  /** Resolves when bits that nobody needs are gone. */
  swept(): Promise<void>;
  /** A new user with these roles in the organization and space, and their token. */
  user(...roles: readonly string[]): Promise<{ guid: string; token: string }>;
}
type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface TestApiOptions {
  readonly location?: StoreLocation;
  readonly flags?: Readonly<Record<string, string>>;
  /** Real tokens instead of words. */
  readonly issuer?: (store: Store, clock: ManualClock) => TokenIssuer;
  readonly liveness?: RouteLiveness;
  readonly accessLines?: AccessLines;
  readonly log?: Logger;
}

export async function startApi(
  t: Pick<TestContext, "after">,
  options: TestApiOptions = {},
): Promise<TestApi> {
  const clock = createManualClock(Date.parse("2025-12-31T23:59:59Z"));
  const log = options.log ?? silentLogger;
  const folder = await mkdtemp(join(tmpdir(), "viaduct-cloud-controller-"));
  const store = await openStore(options.location ?? { kind: "sqlite", path: join(folder, "viaduct.db") }, {
    log,
    clock,
  });
  const config = loadConfig([cloudControllerSection], {
    flags: { "cloud-controller.local_lifecycle": "true", ...options.flags },
  }).get(cloudControllerSection);
  await seed({ store, clock }, config);
  // What a test makes is younger than the seed, from the first moment of the year on.
  clock.advance(1_000);
  const bbs = createBbsRecorder();
  const routeTable = createRouteTableRecorder();
  const externalUrl = () => "http://localhost:8080";
  const bits = createBits(store, { ...config, bitsDirectory: join(folder, "bits") });
  await bits.open();
  const dropletPath = (sha256: string) => bits.dropletPath(sha256);
  const relay = createOutboxRelay({
    store,
    consumer: "cloud-controller",
    topics: TOPICS,
    handle: createSync({ store, bbs, routeTable, apiUrl: externalUrl, dropletPath, log }),
    log,
    clock,
  });
  await relay.start();
  const issuer = options.issuer?.(store, clock);
  const deps: CloudControllerDeps = {
    config,
    store,
    bbs,
    operator: { maxResponseTimeoutMs: 900_000 },
    log,
    clock,
    externalUrl,
    bits,
    liveness: options.liveness,
    accessLines: options.accessLines,
    handOver: (lastId) => relay.drained(lastId),
    verifier: issuer ?? WORDS,
    issuer,
  };
  const api = buildCloudController(deps);
  const pathOf = new WeakMap<object, string>();
  api.addHook("onRequest", async ({ raw, routeOptions }) => void pathOf.set(raw, routeOptions.url ?? ""));
  await api.ready();
  t.after(async () => {
    await api.close();
    await relay.stop();
    await store.close();
    await rm(folder, { recursive: true, force: true });
  });

  const request: TestApi["request"] = async ({ method, url, headers = {}, payload }) => {
    const answer = await api.inject({ method, url, headers, ...(payload !== undefined && { payload }) });
    const contentType = String(answer.headers["content-type"]);
    const problem = answerProblem({
      method,
      path: pathOf.get(answer.raw.req) ?? "",
      status: answer.statusCode,
      contentType,
      headers: answer.headers,
      body: answer.body,
    });
    assert(problem === null, `${method} ${url} → ${answer.statusCode} ${answer.body}\n${problem}`);
    const isJson = contentType.includes("json");
    const body = (isJson && answer.body !== "" ? JSON.parse(answer.body) : {}) as Json;
    const errors = (body.errors ?? []) as unknown as readonly { detail: string }[];
    return {
      status: answer.statusCode,
      body,
      headers: answer.headers,
      details: errors.map((error) => error.detail),
    };
  };
  const call: TestApi["call"] = (method, path, body, token = "admin") =>
    request({
      method,
      url: path,
      headers: { authorization: `bearer ${token}`, "content-type": "application/json" },
      ...(body !== undefined && { payload: typeof body === "string" ? body : JSON.stringify(body) }),
    });
  const create: TestApi["create"] = async (path, body, token) => {
    const reply = await call("POST", path, body, token);
    assert.equal(reply.status, 201, `POST ${path}: ${reply.details.join("; ")}`);
    return String(reply.body.guid);
  };
  const guidOf = async (table: "organizations" | "spaces" | "domains", name: string) => {
    const row = await store.db
      .selectFrom(table)
      .select("guid")
      .where("name", "=", name)
      .executeTakeFirstOrThrow();
    return row.guid;
  };
  const organization = await guidOf("organizations", config.organization);
  const space = await guidOf("spaces", config.space);
  return {
    store,
    clock,
    bbs,
    routeTable,
    relay,
    request,
    call,
    async page(url) {
      const { body, headers } = await api.inject({ method: "GET", url });
      return { body, headers };
    },
    create,
    get: (path, token) => call("GET", path, undefined, token),
    post: (path, body, token) => call("POST", path, body, token),
    patch: (path, body, token) => call("PATCH", path, body, token),
    delete: (path, token) => call("DELETE", path, undefined, token),
    async list(path, token) {
      const reply = await call("GET", path, undefined, token);
      assert.equal(reply.status, 200, `GET ${path}: ${reply.details.join("; ")}`);
      return reply.body.resources as unknown as readonly Json[];
    },
    organization,
    space,
    domain: await guidOf("domains", "localhost"),
    internalDomain: await guidOf("domains", "apps.internal"),
    async text(path) {
      const answer = await api.inject({
        method: "GET",
        url: path,
        headers: { authorization: "bearer admin" },
      });
      assert.equal(answer.statusCode, 200, `GET ${path}: ${answer.body}`);
      return answer.body;
    },
    deploy: () => advanceDeployments(createContext(deps)),
    swept: () => bits.sweep(),
    async user(...roles) {
      const guid = newGuid();
      const times = { created_at: "2026-01-01T00:00:00.000Z", updated_at: "2026-01-01T00:00:00.000Z" };
      const account = {
        username: guid,
        email: guid,
        origin: "uaa",
        password_hash: "",
        scopes: "[]" as never,
      };
      await store.db
        .insertInto("users")
        .values({ guid, ...times, ...account })
        .execute();
      for (const type of roles) {
        const place = type.startsWith("space") ? { space_guid: space } : { organization_guid: organization };
        await store.db
          .insertInto("roles")
          .values({ guid: newGuid(), ...times, type, user_guid: guid, ...place })
          .execute();
      }
      return { guid, token: `user:${guid}` };
    },
  };
}

const WORDS: TokenVerifier = {
  async verifyToken(token) {
    const [kind, guid = ""] = token.split(":");
    const scope = {
      admin: ADMIN_SCOPES,
      user: USER_SCOPES,
      reader: ["cloud_controller.admin_read_only"],
      auditor: ["cloud_controller.global_auditor"],
    }[kind ?? ""];
    if (scope === undefined) throw tokenInvalid({ reason: `«${token}» is no word of these tests` });
    const client = { client_id: "cf", cid: "cf", azp: "cf" };
    const rest = { grant_type: "password", aud: [], iat: 0, exp: 0, iss: "", zid: "", rev_sig: "" };
    return { jti: token, sub: guid, user_id: guid, ...client, scope, ...rest };
  },
};

export interface BbsRecorder extends Bbs {
  readonly desired: Map<string, DesiredLrp>;
  /** `desire <guid>`, `update <guid>`, `remove <guid>`, `retire <guid> <index>`. */
  readonly calls: string[];
  actual: ActualLrp[];
  logs: LogLine[];
}

export function createBbsRecorder(): BbsRecorder {
  const desired = new Map<string, DesiredLrp>();
  const calls: string[] = [];
  const recorder: BbsRecorder = {
    desired,
    calls,
    actual: [],
    logs: [],
    async desireLrp(lrp) {
      calls.push(`desire ${lrp.processGuid}`);
      assert(!desired.has(lrp.processGuid), `${lrp.processGuid} is desired already`);
      desired.set(lrp.processGuid, lrp);
    },
    async updateDesiredLrp(guid, update) {
      calls.push(`update ${guid}`);
      const before = desired.get(guid);
      assert(before !== undefined, `${guid} is not desired`);
      desired.set(guid, { ...before, ...update });
    },
    async removeDesiredLrp(guid) {
      calls.push(`remove ${guid}`);
      desired.delete(guid);
    },
    async desiredLrps({ domain, processGuids } = {}) {
      return [...desired.values()].filter(
        (lrp) =>
          (domain === undefined || lrp.domain === domain) &&
          (processGuids === undefined || processGuids.includes(lrp.processGuid)),
      );
    },
    async actualLrps({ processGuid } = {}) {
      return recorder.actual.filter((lrp) => processGuid === undefined || lrp.processGuid === processGuid);
    },
    async retireActualLrp(guid, index) {
      calls.push(`retire ${guid} ${index}`);
    },
    subscribe: () => () => {},
    recentLogs: async (_guid, limit) => recorder.logs.slice(-limit),
  };
  return recorder;
}

/** An instance as its cell reports it. */
export const serving = (
  processGuid: string,
  index: number,
  state: ActualLrp["state"] = "RUNNING",
): ActualLrp => ({
  processGuid,
  index,
  domain: "cf-apps",
  instanceGuid: `${processGuid}-${index}`,
  cellId: "cell",
  state,
  address: "127.0.0.1",
  instanceAddress: "127.0.0.1",
  ports: [],
  crashCount: 0,
  crashReason: "",
  placementError: "",
  sinceNs: "0",
  routable: state === "RUNNING",
  availabilityZone: "",
});

export interface RouteTableRecorder
  extends Pick<RouteTableWriter, "putReservation" | "deleteReservation" | "replaceReservations"> {
  readonly reservations: Map<string, Reservation>;
  /** `put <route>`, `delete <guid>`, `replace <count>`. */
  readonly calls: string[];
  /** What is held for a route as users write it: `shop.localhost/v2`. */
  find(route: string): Reservation | undefined;
  /** Thrown by the next call, once. */
  failure: Error | null;
}

export function createRouteTableRecorder(): RouteTableRecorder {
  const reservations = new Map<string, Reservation>();
  const calls: string[] = [];
  const took = (what: string) => {
    const { failure } = recorder;
    recorder.failure = null;
    if (failure !== null) throw failure;
    calls.push(what);
    return { epoch: "test", sequence: calls.length };
  };
  const recorder: RouteTableRecorder = {
    reservations,
    calls,
    failure: null,
    find: (route) => [...reservations.values()].find((reservation) => reservation.route === route),
    async putReservation(reservation) {
      const cursor = took(`put ${reservation.route}`);
      reservations.set(reservation.guid, reservation);
      return cursor;
    },
    async deleteReservation(guid) {
      const cursor = took(`delete ${guid}`);
      reservations.delete(guid);
      return cursor;
    },
    async replaceReservations(all) {
      const cursor = took(`replace ${all.length}`);
      reservations.clear();
      for (const reservation of all) reservations.set(reservation.guid, reservation);
      return cursor;
    },
  };
  return recorder;
}
