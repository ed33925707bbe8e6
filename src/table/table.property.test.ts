/**
 * The table against the slow and obvious version of itself: arrays, searched from the start for every answer.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  createTable,
  type Endpoint,
  endpointAddress,
  type Registration,
  type Reservation,
  type Route,
  type RouteOptions,
  type Snapshot,
  type TableEvent,
  type TableImage,
} from "./index.ts";
import { destination, endpoint, registration, reservation } from "./samples.ts";

const EMPTY_POOL_TIMEOUT_MS = 40;

// === the oracle ===

interface OracleRoute {
  readonly key: string;
  readonly reservation: Reservation | null;
  readonly options: unknown;
  readonly routeServiceUrl: string | null;
  readonly endpoints: readonly Endpoint[];
}

interface Registered extends Registration {
  readonly key: string;
  seenAtMs: number;
  order: number;
}

class Oracle {
  reservations: Reservation[] = [];
  endpoints: Endpoint[] = [];
  registered: Registered[] = [];
  lingering: { key: string; sinceMs: number | null; options: unknown; routeServiceUrl: string | null }[] = [];
  #order = 0;

  apply(event: TableEvent): void {
    if (event.kind === "route-upsert") {
      this.reservations = this.reservations.filter(({ guid }) => guid !== event.reservation.guid);
      this.reservations.push(event.reservation);
      this.#unlinger(keyOf(event.reservation.route));
    } else if (event.kind === "route-delete") {
      this.reservations = this.reservations.filter(({ guid }) => guid !== event.guid);
    } else {
      const gone = event.kind === "endpoint-upsert" ? event.endpoint : event;
      this.endpoints = this.endpoints.filter(
        (one) => one.processGuid !== gone.processGuid || endpointAddress(one) !== endpointAddress(gone),
      );
      if (event.kind === "endpoint-upsert") this.endpoints.push(event.endpoint);
    }
  }

  load(image: TableImage): void {
    this.reservations = [];
    this.endpoints = [];
    for (const one of image.reservations) this.apply({ kind: "route-upsert", reservation: one });
    for (const one of image.endpoints) this.apply({ kind: "endpoint-upsert", endpoint: one });
  }

  register(given: Registration, nowMs: number): string {
    const key = keyOf(given.uri);
    this.#unlinger(key);
    const known = this.registered.find((one) => one.key === key && sameAddress(one.endpoint, given.endpoint));
    if (known === undefined) {
      this.registered.push({ ...given, key, seenAtMs: nowMs, order: ++this.#order });
      return "new";
    }
    const said = ({ endpoint, options, routeServiceUrl }: Registration) =>
      JSON.stringify([endpoint, options, routeServiceUrl]);
    const isUnchanged = said(known) === said(given);
    Object.assign(known, given, { seenAtMs: nowMs });
    if (isUnchanged) return "unchanged";
    known.order = ++this.#order;
    return "updated";
  }

  unregister(uri: string, gone: Endpoint): boolean {
    return this.#leave((one) => one.key === keyOf(uri) && sameAddress(one.endpoint, gone), null) > 0;
  }

  prune(nowMs: number): number {
    for (const one of this.lingering) one.sinceMs ??= nowMs;
    this.lingering = this.lingering.filter((one) => nowMs - (one.sinceMs ?? 0) < EMPTY_POOL_TIMEOUT_MS);
    return this.#leave(
      ({ endpoint: { tls }, staleAfterMs, seenAtMs }) =>
        !tls && staleAfterMs > 0 && nowMs - seenAtMs > staleAfterMs,
      nowMs,
    );
  }

  renewAll(nowMs: number): void {
    for (const one of this.registered) one.seenAtMs = Math.max(one.seenAtMs, nowMs);
  }

  routes(): OracleRoute[] {
    const keys = new Set([
      ...this.reservations.filter((one) => one.protocol === "http").map((one) => keyOf(one.route)),
      ...this.registered.map((one) => one.key),
      ...this.lingering.map((one) => one.key),
    ]);
    return [...keys].map((key) => this.#route(key, "http"));
  }

  lookup(host: string, target: string): OracleRoute | null {
    const path = target.split("?")[0]?.toLowerCase() ?? "";
    const labels = host.split(".");
    const hosts = [host, ...labels.slice(1).map((_, i) => `*.${labels.slice(i + 1).join(".")}`)];
    const all = this.routes();
    for (const name of hosts) {
      const found = all
        .filter((one) => one.key.split("/")[0] === name)
        .filter((one) => {
          const routePath = one.key.slice(name.length);
          return routePath === "" || path === routePath || path.startsWith(`${routePath}/`);
        })
        .sort((a, b) => b.key.length - a.key.length);
      const serving = found.find((one) => one.reservation !== null || one.endpoints.length > 0);
      const answer = serving ?? found[0];
      if (answer !== undefined) return answer;
    }
    return null;
  }

  lookupInternal(name: string): OracleRoute | null {
    const isHeld = this.reservations.some((one) => one.protocol === "internal" && keyOf(one.route) === name);
    return isHeld ? this.#route(name, "internal") : null;
  }

  hasInternalBelow(name: string): boolean {
    return this.reservations.some((one) => one.protocol === "internal" && one.route.endsWith(`.${name}`));
  }

  #route(key: string, protocol: string): OracleRoute {
    const [held = null] = this.reservations
      .filter((one) => one.protocol === protocol && keyOf(one.route) === key)
      .sort((a, b) => (a.guid < b.guid ? -1 : 1));
    const members = protocol === "http" ? this.registered.filter((one) => one.key === key) : [];
    const last = members.toSorted((a, b) => b.order - a.order)[0];
    const source = held ?? last ?? this.lingering.find((one) => one.key === key);
    const endpoints: Endpoint[] = [];
    for (const one of [...(held === null ? [] : this.#native(held)), ...members.map((one) => one.endpoint)]) {
      if (!endpoints.some((other) => sameAddress(other, one))) endpoints.push(one);
    }
    return {
      key,
      reservation: held,
      options: source?.options,
      routeServiceUrl: source?.routeServiceUrl ?? null,
      endpoints,
    };
  }

  #native(held: Reservation): Endpoint[] {
    return held.destinations.flatMap(({ processGuid, appPort, protocol }) => {
      const all = this.endpoints
        .filter((one) => one.processGuid === processGuid)
        .sort((a, b) => (a.host === b.host ? a.port - b.port : a.host < b.host ? -1 : 1));
      if (held.protocol === "internal") return all;
      const lowest = Math.min(...all.map((one) => one.appPort).filter((port) => port > 0));
      return all
        .filter((one) => one.appPort === 0 || one.appPort === (appPort ?? lowest))
        .map((one) => ({ ...one, protocol }));
    });
  }

  #leave(goes: (one: Registered) => boolean, nowMs: number | null): number {
    const before = this.routes();
    const gone = this.registered.filter(goes);
    this.registered = this.registered.filter((one) => !goes(one));
    for (const key of new Set(gone.map((one) => one.key))) {
      const route = before.find((one) => one.key === key);
      if (route?.reservation !== null || this.registered.some((one) => one.key === key)) continue;
      const { options, routeServiceUrl } = route;
      this.lingering.push({ key, sinceMs: nowMs, options, routeServiceUrl });
    }
    return gone.length;
  }

  #unlinger(key: string): void {
    this.lingering = this.lingering.filter((one) => one.key !== key);
  }
}

const keyOf = (uri: string) => (uri.split("?")[0] ?? "").replace(/\/$/, "").toLowerCase();
const sameAddress = (a: Endpoint, b: Endpoint) => endpointAddress(a) === endpointAddress(b);

// === what happens, over a world so small that things collide ===

const HOSTS = ["a.b.c", "x.b.c", "b.c", "*.b.c", "*.c"];
const PATHS = ["", "/v", "/V", "/v/w", "/v//w", "/w"];
const TARGETS = ["", "*", "/", "/v", "/V/", "/v?x=/w", "/v/w/x", "/v//w", "/vw", "/v/wx?/w", "/w/v"];
const LOOKUP_HOSTS = ["a.b.c", "x.b.c", "y.b.c", "z.y.b.c", "b.c", "q.c", "c", "", "*.b.c"];
const INTERNAL = ["a.b.internal", "b.internal", "c.internal"];

const arbitraryEndpoint = fc
  .record({
    processGuid: fc.constantFrom("p", "q"),
    port: fc.constantFrom(1, 2, 10),
    appPort: fc.constantFrom(8080, 9090, 0),
    appGuid: fc.constantFrom("a", "b"),
    tls: fc.boolean(),
    tags: fc.constantFrom<Record<string, string>>({}, { t: "1" }),
  })
  .map(endpoint);

const arbitraryOptions = fc.constantFrom<RouteOptions>(
  {},
  { loadbalancing: "round-robin" },
  { "trim-path": true },
);
const arbitraryUrl = fc.constantFrom(null, "https://service.example.com");

const arbitraryReservation = fc
  .record({
    guid: fc.constantFrom("1", "2", "3", "4", "5"),
    place: fc.oneof(
      fc.record({
        protocol: fc.constant("http" as const),
        route: fc.tuple(fc.constantFrom(...HOSTS), fc.constantFrom(...PATHS)).map((parts) => parts.join("")),
      }),
      fc.record({ protocol: fc.constant("internal" as const), route: fc.constantFrom(...INTERNAL) }),
      fc.record({ protocol: fc.constant("tcp" as const), route: fc.constantFrom("1100", "1101") }),
    ),
    destinations: fc.array(
      fc
        .record({
          processGuid: fc.constantFrom("p", "q"),
          appPort: fc.constantFrom(8080, 9090, null),
          protocol: fc.constantFrom("http1" as const, "http2" as const),
        })
        .map(destination),
      { maxLength: 3 },
    ),
    options: arbitraryOptions,
    routeServiceUrl: arbitraryUrl,
  })
  .map(({ place, ...fields }) => reservation(place.route, { ...fields, protocol: place.protocol }));

const arbitraryUri = fc
  .tuple(fc.constantFrom(...HOSTS, "A.b.C"), fc.constantFrom(...PATHS), fc.constantFrom("", "/", "?x=/v"))
  .map((parts) => parts.join(""));

const arbitraryEvent: fc.Arbitrary<TableEvent> = fc.oneof(
  arbitraryReservation.map((one) => ({ kind: "route-upsert" as const, reservation: one })),
  fc.constantFrom("1", "2", "3").map((guid) => ({ kind: "route-delete" as const, guid })),
  arbitraryEndpoint.map((one) => ({ kind: "endpoint-upsert" as const, endpoint: one })),
  arbitraryEndpoint.map((one) => ({ ...one, kind: "endpoint-delete" as const })),
);

const arbitraryImage: fc.Arbitrary<TableImage> = fc.record({
  cursor: fc.constant({ epoch: "e", sequence: 1 }),
  reservations: fc.uniqueArray(arbitraryReservation, { maxLength: 4, selector: (one) => one.guid }),
  endpoints: fc.uniqueArray(arbitraryEndpoint, {
    maxLength: 4,
    selector: (one) => `${one.processGuid} ${endpointAddress(one)}`,
  }),
});

const arbitraryRegistration = fc
  .record({
    uri: arbitraryUri,
    endpoint: arbitraryEndpoint,
    options: arbitraryOptions,
    routeServiceUrl: arbitraryUrl,
    staleAfterMs: fc.constantFrom(0, 10, 50),
  })
  .map((fields) => registration(fields.uri, fields));

const arbitraryStep = fc.oneof(
  { arbitrary: arbitraryEvent.map((event) => ({ do: "apply" as const, event })), weight: 6 },
  { arbitrary: arbitraryImage.map((image) => ({ do: "load" as const, image })), weight: 1 },
  {
    arbitrary: arbitraryRegistration.map((one) => ({ do: "register" as const, registration: one })),
    weight: 6,
  },
  {
    arbitrary: fc.record({
      do: fc.constant("unregister" as const),
      uri: arbitraryUri,
      endpoint: arbitraryEndpoint,
    }),
    weight: 1,
  },
  { arbitrary: fc.nat(9).map((nth) => ({ do: "unregister one of those" as const, nth })), weight: 4 },
  { arbitrary: fc.constant({ do: "prune" as const }), weight: 1 },
  { arbitrary: fc.constant({ do: "renew all" as const }), weight: 1 },
  { arbitrary: fc.integer({ min: 1, max: 30 }).map((ms) => ({ do: "wait" as const, ms })), weight: 2 },
  { arbitrary: fc.constant({ do: "snapshot" as const }), weight: 2 },
);

// === what readers can see ===

const plain = (route: OracleRoute | null) =>
  route === null
    ? null
    : {
        key: route.key,
        reservation: route.reservation,
        options: route.options,
        routeServiceUrl: route.routeServiceUrl,
        endpoints: route.endpoints,
      };

type Readable = Pick<Snapshot<unknown>, "lookup" | "lookupInternal" | "hasInternalBelow">;

function see(table: Readable | Oracle) {
  const http = LOOKUP_HOSTS.flatMap((host) =>
    TARGETS.map((target) => ({ host, target, route: plain(table.lookup(host, target)) })),
  );
  const names = [...INTERNAL, "internal", "x.internal"];
  const internal = names.map((name) => ({
    name,
    route: plain(table.lookupInternal(name)),
    hasBelow: table.hasInternalBelow(name),
  }));
  return { http, internal };
}

const list = (routes: Iterable<OracleRoute>) =>
  [...routes].map(plain).sort((a, b) => ((a?.key ?? "") < (b?.key ?? "") ? -1 : 1));

/** All that a route says but its attachment; neither is its list of endpoints a field of the object. */
const textOf = (route: Omit<Route<string>, "attachment">) =>
  JSON.stringify({ ...route, endpoints: route.endpoints });

function startTable() {
  return createTable<string>({
    attach: (route, previous) => {
      const now = textOf(route);
      assert.notEqual(now, previous, "attached without a difference");
      return now;
    },
    emptyPoolTimeoutMs: EMPTY_POOL_TIMEOUT_MS,
  });
}

// === properties ===

test("answers as the oracle does after any sequence of changes, and old snapshots never change", () => {
  fc.assert(
    fc.property(fc.array(arbitraryStep, { maxLength: 60 }), (steps) => {
      const table = startTable();
      const oracle = new Oracle();
      const snapshots: { snapshot: Snapshot<string>; seen: unknown; listed: unknown }[] = [];
      let nowMs = 1_000;
      for (const step of steps) {
        if (step.do === "apply") {
          table.apply(step.event);
          oracle.apply(step.event);
        } else if (step.do === "load") {
          table.load(step.image);
          oracle.load(step.image);
        } else if (step.do === "register") {
          assert.equal(table.register(step.registration, nowMs), oracle.register(step.registration, nowMs));
        } else if (step.do === "unregister") {
          assert.equal(table.unregister(step), oracle.unregister(step.uri, step.endpoint));
        } else if (step.do === "unregister one of those") {
          const one = oracle.registered[step.nth];
          if (one === undefined) continue;
          assert.equal(table.unregister(one), true);
          assert.equal(oracle.unregister(one.uri, one.endpoint), true);
        } else if (step.do === "prune") {
          // One route at a time is the same as all at once.
          const pruned = nowMs % 2 === 0 ? table.prune(nowMs) : [...table.pruneInSteps(nowMs, 1)].flat();
          assert.equal(pruned.length, oracle.prune(nowMs));
        } else if (step.do === "renew all") {
          table.renewAll(nowMs);
          oracle.renewAll(nowMs);
        } else if (step.do === "wait") {
          nowMs += step.ms;
        } else {
          snapshots.push({ snapshot: table.snapshot(), seen: see(oracle), listed: list(oracle.routes()) });
        }
      }
      snapshots.push({ snapshot: table, seen: see(oracle), listed: list(oracle.routes()) });
      for (const { snapshot, seen, listed } of snapshots) {
        assert.deepEqual(see(snapshot), seen);
        assert.deepEqual(list(snapshot.routes()), listed);
        assert.equal(snapshot.size, (listed as readonly unknown[]).length);
      }
    }),
  );
});

test("shows the current route as attachment: none is stale, however it came about", () => {
  fc.assert(
    fc.property(fc.array(arbitraryEvent, { maxLength: 40 }), (events) => {
      const table = startTable();
      for (const event of events) table.apply(event);
      for (const route of [...table.routes(), ...table.internalRoutes(), ...table.tcpRoutes()]) {
        assert.equal(route.attachment, textOf(route));
      }
    }),
  );
});

test("comes out the same from native upserts in any order, and from an image of them", () => {
  fc.assert(
    fc.property(
      arbitraryImage.chain((image) => {
        const upserts: TableEvent[] = [
          ...image.reservations.map((one) => ({ kind: "route-upsert" as const, reservation: one })),
          ...image.endpoints.map((one) => ({ kind: "endpoint-upsert" as const, endpoint: one })),
        ];
        const order = fc.shuffledSubarray(upserts, { minLength: upserts.length });
        return fc.record({ image: fc.constant(image), order });
      }),
      ({ image, order }) => {
        const [byEvents, byImage] = [startTable(), startTable()];
        for (const event of order) byEvents.apply(event);
        byImage.load(image);
        assert.deepEqual(see(byEvents), see(byImage));
      },
    ),
  );
});

test("keeps every route the same object, and the generation, over an image of what it has", () => {
  fc.assert(
    fc.property(fc.array(arbitraryEvent, { maxLength: 40 }), (events) => {
      const table = startTable();
      const oracle = new Oracle();
      for (const event of events) {
        table.apply(event);
        oracle.apply(event);
      }
      const everything = () => [...table.routes(), ...table.internalRoutes(), ...table.tcpRoutes()];
      const [routes, generation] = [everything(), table.generation];
      table.load(
        structuredClone({
          cursor: { epoch: "e", sequence: 1 },
          reservations: oracle.reservations.toReversed(),
          endpoints: oracle.endpoints.toReversed(),
        }),
      );
      const after = everything();
      assert.equal(after.length, routes.length);
      for (const [i, route] of routes.entries()) assert.equal(after[i], route);
      assert.equal(table.generation, generation);
    }),
  );
});

test("is empty again after everything has been taken back, and has detached whatever was attached", () => {
  fc.assert(
    fc.property(fc.array(arbitraryStep, { maxLength: 40 }), (steps) => {
      const attached = new Set<object>();
      const table = createTable<object>({
        attach: (route, previous) => {
          if (previous !== undefined) assert.ok(attached.delete(previous));
          const attachment = { of: route.key };
          attached.add(attachment);
          return attachment;
        },
        attachesLate: ({ endpoints }) => endpoints.length === 1,
        detach: (attachment) => assert.ok(attached.delete(attachment)),
        emptyPoolTimeoutMs: EMPTY_POOL_TIMEOUT_MS,
      });
      const registered: Registration[] = [];
      let found: Route<object>[] = [];
      for (const step of steps) {
        if (step.do === "apply") table.apply(step.event);
        if (step.do === "snapshot") {
          // Read after the table may have replaced them.
          for (const route of found) assert.equal(route.attachment, route.attachment);
          found = [...table.routes(), ...table.internalRoutes(), ...table.tcpRoutes()];
        }
        if (step.do !== "register") continue;
        table.register(step.registration, 0);
        registered.push(step.registration);
      }
      for (const one of registered) table.unregister(one);
      table.load({ cursor: { epoch: "e", sequence: 1 }, reservations: [], endpoints: [] });
      table.prune(0);
      table.prune(EMPTY_POOL_TIMEOUT_MS);
      assert.equal(table.size, 0);
      assert.equal(attached.size, 0);
      assert.deepEqual([...table.routes(), ...table.internalRoutes(), ...table.tcpRoutes()], []);
      assert.equal(table.hasInternalBelow("internal"), false);
    }),
  );
});

test("an image loaded in steps is seen at the last one and not before, registrations meanwhile with it", () => {
  fc.assert(
    fc.property(
      fc.array(arbitraryEvent, { maxLength: 20 }),
      arbitraryImage,
      fc.array(arbitraryRegistration, { maxLength: 10 }),
      (events, image, registrations) => {
        const table = startTable();
        const oracle = new Oracle();
        for (const event of events) {
          table.apply(event);
          oracle.apply(event);
        }
        const before = see(oracle);
        oracle.load(image);
        const left = [...registrations];
        const register = () => {
          const next = left.shift();
          if (next !== undefined) assert.equal(table.register(next, 0), oracle.register(next, 0));
        };
        for (const _step of table.loadInSteps(image, 1)) {
          assert.deepEqual(see(table), before);
          register();
        }
        while (left.length > 0) register();
        assert.deepEqual(see(table), see(oracle));
        assert.deepEqual(list(table.routes()), list(oracle.routes()));
      },
    ),
  );
});

test("a load that is begun ends the one before, however far that was", () => {
  fc.assert(
    fc.property(arbitraryImage, arbitraryImage, fc.nat(20), (first, second, stepsOfFirst) => {
      const table = startTable();
      const oracle = new Oracle();
      const begun = table.loadInSteps(first, 1);
      for (let step = 0; step < stepsOfFirst; step++) begun.next();
      for (const _step of table.loadInSteps(second, 1)) begun.next();
      begun.next();
      oracle.load(second);
      assert.deepEqual(see(table), see(oracle));
    }),
  );
});
