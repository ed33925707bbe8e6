/**
 * What tests of the route table share: values, a table over an empty database, and a reader that remembers.
 */
import type { TestContext } from "node:test";
import type { RouteTableReader, RouteTableSubscription, SequencedEvent } from "../../src/contracts/index.ts";
import { type Clock, createManualClock, type ManualClock, silentLogger } from "../../src/kernel/index.ts";
import { createRouteTable, type RouteTable, type RouteTableOptions } from "../../src/routing-api/index.ts";
import { openStore, type Store } from "../../src/store/index.ts";
import {
  type Cursor,
  type Endpoint,
  endpointAddress,
  type Reservation,
  type TableImage,
} from "../../src/table/index.ts";

export function reservation(guid: string, changes: Partial<Reservation> = {}): Reservation {
  return {
    guid,
    protocol: "http",
    route: `${guid}.example.com`,
    routerGroup: "",
    destinations: [{ processGuid: `process-${guid}`, appPort: null, weight: null, protocol: "http1" }],
    options: {},
    routeServiceUrl: null,
    isolationSegment: "",
    tags: {},
    ...changes,
  };
}

export function endpoint(processGuid: string, port: number, changes: Partial<Endpoint> = {}): Endpoint {
  return {
    processGuid,
    instanceId: `instance-${port}`,
    instanceIndex: "0",
    appGuid: "app",
    host: "10.0.0.5",
    port,
    tls: false,
    serverCertDomainSan: "",
    appPort: 8080,
    instanceAddress: "10.255.0.5",
    protocol: "http1",
    availabilityZone: "z1",
    isolationSegment: "",
    tags: { component: "test" },
    updatedAtNs: "1",
    ...changes,
  };
}

export async function memoryStore(t: TestContext, clock: Clock): Promise<Store> {
  const store = await openStore({ kind: "sqlite", path: ":memory:" }, { log: silentLogger, clock });
  t.after(() => store.close());
  return store;
}

/** A running table over an empty database. */
export async function startRouteTable(
  t: TestContext,
  options: Partial<RouteTableOptions> = {},
): Promise<{ table: RouteTable; clock: ManualClock; store: Store }> {
  const clock = createManualClock();
  const store = options.store ?? (await memoryStore(t, clock));
  const table = createRouteTable({ clock, log: silentLogger, ...options, store });
  await table.start();
  t.after(() => table.stop());
  return { table, clock, store };
}

export interface Follower {
  /** Everything it was told, in order: `image@0`, `route-upsert a@1`, `live`, `lost`. */
  readonly told: string[];
  readonly cursor: Cursor | null;
  readonly subscription: RouteTableSubscription;
  /** A new subscription of the same reader that goes on where this one is, with what this one has. */
  resume(): Follower;
  /** What it has in force, in the form of {@link contents}. */
  contents(): object;
  /** Resolves when it has everything up to here. */
  reached(cursor: Cursor): Promise<void>;
  /** Resolves at the next time that it is told something for which this is true. */
  until(isIt: (told: string) => boolean): Promise<void>;
}

interface FollowOptions {
  readonly reader?: string;
  readonly after?: Cursor | undefined;
  readonly acknowledges?: boolean;
  /** What the reader has from before. */
  readonly known?: { reservations: Map<string, Reservation>; endpoints: Map<string, Endpoint> };
}

/** Subscribes, applies and remembers. */
export function follow(t: TestContext, feed: RouteTableReader, options: FollowOptions = {}): Follower {
  const { reader = "router/0", after, acknowledges = true } = options;
  const told: string[] = [];
  const reservations = new Map(options.known?.reservations);
  const endpoints = new Map(options.known?.endpoints);
  const waiting = new Set<(line: string) => void>();
  let cursor: Cursor | null = after ?? null;
  const tell = (line: string) => {
    told.push(line);
    for (const check of waiting) check(line);
  };
  const keyOf = (item: { processGuid: string; host: string; port: number }) =>
    `${item.processGuid} ${endpointAddress(item)}`;
  const apply = ({ event }: SequencedEvent): string => {
    switch (event.kind) {
      case "route-upsert":
        reservations.set(event.reservation.guid, event.reservation);
        return event.reservation.guid;
      case "route-delete":
        reservations.delete(event.guid);
        return event.guid;
      case "endpoint-upsert":
        endpoints.set(keyOf(event.endpoint), event.endpoint);
        return keyOf(event.endpoint);
      case "endpoint-delete":
        endpoints.delete(keyOf(event));
        return keyOf(event);
      default:
        return event satisfies never;
    }
  };
  const subscription = feed.subscribe(
    reader,
    {
      onImage(image) {
        reservations.clear();
        endpoints.clear();
        for (const item of image.reservations) reservations.set(item.guid, item);
        for (const item of image.endpoints) endpoints.set(keyOf(item), item);
        cursor = image.cursor;
        if (acknowledges) subscription.acknowledge(image.cursor);
        tell(`image@${image.cursor.sequence}`);
      },
      onEvent(event) {
        const what = apply(event);
        cursor = event.cursor;
        if (acknowledges) subscription.acknowledge(event.cursor);
        tell(`${event.event.kind} ${what}@${event.cursor.sequence}`);
      },
      onStatus: tell,
    },
    after,
  );
  t.after(() => subscription.close());
  const until = (isIt: (line: string) => boolean) =>
    new Promise<void>((resolve) => {
      const check = (line: string) => {
        if (!isIt(line)) return;
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
    });
  return {
    told,
    subscription,
    get cursor() {
      return cursor;
    },
    resume: () =>
      follow(t, feed, { ...options, after: cursor ?? undefined, known: { reservations, endpoints } }),
    contents: () => contents([...reservations.values()], [...endpoints.values()]),
    until,
    async reached(target) {
      const isThere = () => cursor?.epoch === target.epoch && cursor.sequence >= target.sequence;
      if (!isThere()) await until(isThere);
    },
  };
}

/** Comparable: sorted, and without what may differ between two equal tables. */
export function contents(reservations: readonly Reservation[], endpoints: readonly Endpoint[]): object {
  const sorted = <T>(items: readonly T[]) => items.map((item) => JSON.stringify(item, sortedKeys)).sort();
  return { reservations: sorted(reservations), endpoints: sorted(endpoints) };
}

export const contentsOf = (image: TableImage) => contents(image.reservations, image.endpoints);

function sortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
