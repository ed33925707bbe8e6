/**
 * The stream as a third party's client sees it: exact bytes of the body.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { type TestContext, test } from "node:test";
import { endpoint, reservation, startRouteTable } from "../../test/support/route-table.ts";
import { listen } from "../http/index.ts";
import { silentLogger } from "../kernel/index.ts";
import { createSseDecoder, type SseEvent } from "../wire/sse/index.ts";
import { SCOPES } from "./access.ts";
import { buildRoutingApi } from "./api.ts";
import type { RouteTableOptions } from "./route-table.ts";

const TTL_MS = 60_000;
const TOKEN_LIFE_S = 600;

async function startStreams(t: TestContext, options: Partial<RouteTableOptions> = {}) {
  const { table, clock, store } = await startRouteTable(t, options);
  const api = buildRoutingApi({
    table,
    store,
    clock,
    log: silentLogger,
    maxTtlSeconds: 120,
    verifyToken: async (token) => ({ scope: token.split(","), exp: clock.nowMs() / 1_000 + TOKEN_LIFE_S }),
  });
  const listener = await listen(api, { role: "routing-api", host: "127.0.0.1", port: 0, setting: "port" });
  t.after(() => listener.close());
  const open = (query: string, settings?: OpenSettings) => openStream(t, listener.port, query, settings);
  return { table, clock, open };
}

interface OpenSettings {
  readonly scopes?: string;
  readonly lastEventId?: string;
}

interface StreamClient {
  readonly response: IncomingMessage;
  /** Everything received, as text. */
  body(): string;
  /** The next events up to one for which this is true, that one included. */
  until(isIt: (event: SseEvent) => boolean): Promise<readonly SseEvent[]>;
  /** Resolves when the body holds this text. */
  holds(text: string): Promise<void>;
  readonly ended: Promise<void>;
}

async function openStream(
  t: TestContext,
  port: number,
  query: string,
  settings: OpenSettings = {},
): Promise<StreamClient> {
  const { scopes = SCOPES.read, lastEventId } = settings;
  const sent = request(`http://127.0.0.1:${port}/routing/v1/route_table/events${query}`, {
    headers: {
      authorization: `Bearer ${scopes.replaceAll(" ", ",")}`,
      ...(lastEventId !== undefined && { "last-event-id": lastEventId }),
    },
  }).end();
  t.after(() => sent.destroy());
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  const decoder = createSseDecoder();
  const waiting = new Set<() => void>();
  const events: SseEvent[] = [];
  let body = "";
  response.on("data", (bytes: Buffer) => {
    body += bytes.toString();
    events.push(...decoder.push(bytes));
    for (const check of waiting) check();
  });
  response.on("error", () => {}); // a stream that the server cuts
  const ended = new Promise<void>((resolve) => response.once("close", () => resolve()));
  const when = <T>(look: () => T | null) =>
    new Promise<T>((resolve) => {
      const check = () => {
        const found = look();
        if (found === null) return;
        waiting.delete(check);
        resolve(found);
      };
      waiting.add(check);
      check();
    });
  return {
    response,
    body: () => body,
    ended,
    holds: (text) => when(() => (body.includes(text) ? undefined : null)),
    until: (isIt) =>
      when(() => {
        const at = events.findIndex(isIt);
        return at === -1 ? null : events.splice(0, at + 1);
      }),
  };
}

const isSynced = ({ event }: SseEvent) => event === "Synced";
const isRoute =
  (guid: string) =>
  ({ data }: SseEvent) =>
    (JSON.parse(data) as { guid?: string }).guid === guid;
/** Event, what it is about, and whether it has an id. */
const brief = ({ id, event, data }: SseEvent) => {
  const json = JSON.parse(data) as { guid?: string; route_guids?: string[]; endpoint?: { port: number } };
  const about =
    json.guid ?? (json.endpoint === undefined ? "" : `${json.endpoint.port} of ${json.route_guids?.join()}`);
  return `${event} ${about}${id === null ? "" : " #"}`;
};

test("the bytes of a stream with a snapshot", async (t) => {
  const { table, open } = await startStreams(t);
  await table.putReservation(reservation("a", { destinations: [] }));
  const client = await open("?snapshot=true");
  await client.until(isSynced);
  const { epoch } = table.cursor;
  assert.equal(client.response.statusCode, 200);
  assert.equal(client.response.headers["content-type"], "text/event-stream; charset=utf-8");
  assert.equal(client.response.headers["cache-control"], "no-cache, no-store, must-revalidate");
  const object =
    '"guid":"a","protocol":"http","route":"a.example.com","process_guids":[],"destinations":[],"options":{},"isolation_segment":"","tags":{},"modification_tag":{"guid":"a","index":1}';
  assert.equal(
    client.body(),
    `retry: 1000

event: RouteUpsert
data: {${object},"state":"reserved"}

id: ${epoch}-1
event: Synced
data: {"cursor":"${epoch}-1"}

`,
  );
  await table.deleteReservation("a");
  await client.until(isRoute("a"));
  assert.ok(
    client.body().endsWith(`id: ${epoch}-2
event: RouteDelete
data: {"guid":"a","modification_tag":{"guid":"a","index":1}}

`),
    client.body(),
  );
});

test("a stream without a wish begins with now", async (t) => {
  const { table, open } = await startStreams(t);
  await table.putReservation(reservation("a"));
  const client = await open("");
  assert.deepEqual((await client.until(isSynced)).map(brief), ["Synced  #"]);
  await table.putReservation(reservation("b"));
  assert.deepEqual((await client.until(isRoute("b"))).map(brief), ["RouteUpsert b #"]);
});

test("a known position is replayed, by header or by query", async (t) => {
  const { table, open } = await startStreams(t);
  const { epoch } = await table.putReservation(reservation("a"));
  await table.putReservation(reservation("b"));
  for (const client of [await open("", { lastEventId: `${epoch}-1` }), await open(`?cursor=${epoch}-1`)]) {
    assert.deepEqual((await client.until(isSynced)).map(brief), ["RouteUpsert b #", "Synced  #"]);
  }
});

for (const position of ["another-epoch-1", "nonsense", "-1"]) {
  test(`the position «${position}» is answered with Reset and a snapshot`, async (t) => {
    const { table, open } = await startStreams(t);
    await table.putReservation(reservation("a"));
    const client = await open("", { lastEventId: position });
    assert.deepEqual((await client.until(isSynced)).map(brief), ["Reset ", "RouteUpsert a", "Synced  #"]);
  });
}

test("endpoints that a route's change brings or takes come before it and carry no id", async (t) => {
  const { table, open } = await startStreams(t);
  await table.putReservation(reservation("a", { destinations: [] }));
  await table.putEndpoints([endpoint("p", 1000), endpoint("q", 1001)], TTL_MS);
  const client = await open("");
  await client.until(isSynced);
  const to = (processGuid: string) => [
    { processGuid, appPort: null, weight: null, protocol: "http1" as const },
  ];
  await table.putReservation(reservation("a", { destinations: to("p") }));
  assert.deepEqual((await client.until(isRoute("a"))).map(brief), [
    "EndpointUpsert 1000 of a",
    "RouteUpsert a #",
  ]);
  await table.putReservation(reservation("a", { destinations: to("q") }));
  assert.deepEqual((await client.until(isRoute("a"))).map(brief), [
    "EndpointDelete 1000 of a",
    "EndpointUpsert 1001 of a",
    "RouteUpsert a #",
  ]);
});

test("when a process's lowest port changes, its routes without a port change their endpoints", async (t) => {
  const { table, open } = await startStreams(t);
  await table.putReservation(reservation("a"));
  await table.putEndpoints([endpoint("process-a", 1001, { appPort: 9090 })], TTL_MS);
  const client = await open("");
  await client.until(isSynced);
  await table.putEndpoints([endpoint("process-a", 1000, { appPort: 8080 })], TTL_MS);
  assert.deepEqual((await client.until(isRoute("a"))).map(brief), [
    "EndpointUpsert 1000 of a #",
    "EndpointDelete 1001 of a",
    "EndpointUpsert 1000 of a",
    "RouteUpsert a #",
  ]);
  await table.deleteEndpoints([endpoint("process-a", 1000)]);
  assert.deepEqual((await client.until(isRoute("a"))).map(brief), [
    "EndpointDelete 1000 of a #",
    "EndpointUpsert 1001 of a",
    "RouteUpsert a #",
  ]);
});

test("a heartbeat is no event, a missed one is", async (t) => {
  const { table, clock, open } = await startStreams(t);
  await table.putReservation(reservation("a"));
  await table.putEndpoints([endpoint("process-a", 1000)], TTL_MS);
  const client = await open("");
  await client.until(isSynced);
  await table.putEndpoints([endpoint("process-a", 1000)], TTL_MS);
  clock.advance(TTL_MS);
  assert.deepEqual((await client.until(() => true)).map(brief), ["EndpointDelete 1000 of a #"]);
});

test("a quiet stream gets a comment every 15 seconds", async (t) => {
  const { clock, open } = await startStreams(t);
  const client = await open("");
  await client.until(isSynced);
  clock.advance(15_000);
  await client.holds(": keep-alive\n\n");
});

test("a stream ends when its token does", async (t) => {
  const { clock, open } = await startStreams(t);
  const client = await open("");
  await client.until(isSynced);
  clock.advance(TOKEN_LIFE_S * 1_000);
  await client.ended;
});

test("a stream without a scope is refused with the usual answer", async (t) => {
  const { open } = await startStreams(t);
  const client = await open("", { scopes: "other" });
  assert.equal(client.response.statusCode, 401);
});

test("only readers of everything may put themselves among those that are waited for", async (t) => {
  const { open } = await startStreams(t);
  const client = await open("?reader=router/0", { scopes: "routing.route.a.read" });
  assert.equal(client.response.statusCode, 400);
});

test("a reader of some routes gets their changes only, at positions that say nothing", async (t) => {
  const { table, open } = await startStreams(t);
  const { epoch } = await table.putReservation(reservation("a"));
  await table.putReservation(reservation("b"));
  const settings = { scopes: "routing.route.a.read" };
  const client = await open("?snapshot=true", settings);
  assert.deepEqual((await client.until(isSynced)).map(brief), ["RouteUpsert a", "Synced  #"]);
  await table.putEndpoints([endpoint("process-b", 2000), endpoint("process-a", 1000)], TTL_MS);
  await table.deleteReservation("b");
  await table.putReservation(reservation("a", { options: { changed: true } }));
  const events = await client.until(isRoute("a"));
  assert.deepEqual(events.map(brief), ["EndpointUpsert 1000 of a #", "RouteUpsert a #"]);
  assert.ok(!client.body().includes(epoch));
  assert.ok(!client.body().includes("process-b"));

  // Its own position is worth something to it, and to nobody who sees other routes.
  const lastEventId = events[0]?.id ?? "";
  const resumed = await open("", { ...settings, lastEventId });
  assert.deepEqual((await resumed.until(isSynced)).map(brief), ["RouteUpsert a #", "Synced  #"]);
  const other = await open("", { scopes: "routing.route.a.read routing.route.b.read", lastEventId });
  assert.deepEqual((await other.until(isSynced)).map(brief)[0], "Reset ");
});

test("a filter shows a route that moves into it with its endpoints, and takes one that moves out away", async (t) => {
  const { table, open } = await startStreams(t);
  await table.putReservation(reservation("a", { isolationSegment: "one" }));
  await table.putEndpoints([endpoint("process-a", 1000)], TTL_MS);
  const client = await open("?isolation_segment=two&snapshot=true");
  assert.deepEqual((await client.until(isSynced)).map(brief), ["Synced  #"]);
  await table.putReservation(reservation("a", { isolationSegment: "two" }));
  assert.deepEqual((await client.until(isRoute("a"))).map(brief), [
    "EndpointUpsert 1000 of a",
    "RouteUpsert a #",
  ]);
  await table.putReservation(reservation("a", { isolationSegment: "three" }));
  assert.deepEqual((await client.until(isRoute("a"))).map(brief), ["RouteDelete a #"]);
});

test("a reader that does not read costs no queue, and gets Reset and a snapshot when it reads again", async (t) => {
  const { table, open } = await startStreams(t, { replayedChanges: 100 });
  const client = await open("?snapshot=true");
  await client.until(isSynced);
  client.response.pause();
  // Far more than the sockets' own buffers hold on their way.
  const note = "x".repeat(900);
  for (let turn = 0; turn < 300; turn++) {
    const options = { note: `${turn}${note}` };
    await table.replaceReservations(
      Array.from({ length: 100 }, (_, index) => reservation(`r${index}`, { options })),
    );
  }
  client.response.resume();
  const events = await client.until(
    (event) => isSynced(event) && event.id === `${table.cursor.epoch}-${table.cursor.sequence}`,
  );
  assert.ok(events.some(({ event }) => event === "Reset"));
  assert.ok(events.length < 20_000, `${events.length} of 30,000 events were sent`);
  const last = events.slice(-101, -1).map(({ data }) => JSON.parse(data) as { options: { note: string } });
  assert.ok(last.every(({ options }) => options.note === `299${note}`));
});

test("a reader that takes nothing for a minute is cut off", async (t) => {
  const { table, clock, open } = await startStreams(t, { replayedChanges: 100 });
  const client = await open("?snapshot=true");
  await client.until(isSynced);
  client.response.pause();
  const note = "x".repeat(900);
  for (let turn = 0; turn < 200; turn++) {
    const options = { note: `${turn}${note}` };
    await table.replaceReservations(
      Array.from({ length: 100 }, (_, index) => reservation(`r${index}`, { options })),
    );
  }
  for (let passed = 0; passed <= 60_000; passed += 15_000) clock.advance(15_000);
  client.response.resume();
  await client.ended;
});
