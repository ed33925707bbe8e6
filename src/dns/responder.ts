/**
 * What to answer: a query and the route table make a response. No sockets.
 *
 *   class, type ─► zone ─► apex, name server ─► warm? ─► route ─► <index>.route ─► something below? ─► NXDOMAIN
 *     REFUSED     REFUSED   static records     SERVFAIL    └── addresses, or NODATA ──┘
 */
import type { Clock } from "../kernel/index.ts";
import type { Route, Snapshot } from "../table/index.ts";
import {
  addressData,
  CLASS,
  EDNS_OPTION,
  emptyResponse,
  EXTENDED_ERROR,
  extendedErrorData,
  hinfoData,
  type Query,
  RCODE,
  type ResourceRecord,
  type Response,
  TYPE,
} from "../wire/dns/index.ts";
import type { DnsConfig } from "./config.ts";
import { createRotation, type Random, type Rotation } from "./rotation.ts";
import { isWithin, soaRecord, type Zone } from "./zone.ts";

/** `<index>.<route>`: one instance. */
const INDEX_LABEL = /^(0|[1-9]\d{0,9})\.(.+)$/;
/** The polite answer to ANY (RFC 8482). */
const ANY_DATA = hinfoData("RFC8482", "");

/** What of the route table is needed. */
export type InternalRoutes = Pick<Snapshot, "lookupInternal" | "hasInternalBelow">;

export interface ResponderOptions {
  readonly config: DnsConfig;
  readonly zones: readonly Zone[];
  readonly table: InternalRoutes;
  /** Until then nothing is said about names: «does not exist» would be believed. */
  readonly isWarm: () => boolean;
  readonly clock: Clock;
  readonly random: Random;
}

export type Responder = (query: Query) => Response;

/** Addresses of one name by record type. */
interface Addresses {
  readonly a: Rotation<ResourceRecord>;
  readonly aaaa: Rotation<ResourceRecord>;
}

export function createResponder(options: ResponderOptions): Responder {
  const { config, zones, table, isWarm, clock, random } = options;

  // Routes are replaced as a whole when anything about them changes, so what is worked out for one stays true.
  const known = new WeakMap<Route, { all: Addresses; byIndex: Map<string, Addresses> }>();

  const addressesOf = (route: Route, index: string | null): Addresses | undefined => {
    let found = known.get(route);
    if (found === undefined) {
      found = workOut(route, config.ttlSeconds, random);
      known.set(route, found);
    }
    return index === null ? found.all : found.byIndex.get(index);
  };

  /** Addresses of a name; null when nothing is there. */
  const find = (name: string): Addresses | null => {
    const route = table.lookupInternal(name);
    if (route !== null) return addressesOf(route, null) ?? null;
    const [, index, parent] = INDEX_LABEL.exec(name) ?? [];
    if (index === undefined || parent === undefined) return null;
    const parentRoute = table.lookupInternal(parent);
    return parentRoute === null ? null : (addressesOf(parentRoute, index) ?? null);
  };

  return (query) => {
    const { question } = query;
    const { name, type } = question;
    if (question.class !== CLASS.IN) return emptyResponse(query, RCODE.REFUSED);
    if (type === TYPE.AXFR || type === TYPE.IXFR) return emptyResponse(query, RCODE.REFUSED);
    const zone = zones.find((candidate) => isWithin(name, candidate.name));
    if (zone === undefined) {
      return refusal(query, RCODE.REFUSED, EXTENDED_ERROR.NOT_AUTHORITATIVE, "not an internal domain");
    }

    const soa = () => soaRecord(zone, Math.floor(clock.nowMs() / 1000), config.negativeTtlSeconds);
    const positive = (answers: readonly ResourceRecord[]): Response => ({
      ...emptyResponse(query, RCODE.NOERROR),
      authoritative: true,
      answers,
    });
    const negative = (rcode: typeof RCODE.NOERROR | typeof RCODE.NXDOMAIN): Response => ({
      ...emptyResponse(query, rcode),
      authoritative: true,
      authority: [soa()],
    });
    const record = (data: Uint8Array, of = type): ResourceRecord => ({
      owner: null,
      type: of,
      ttl: config.ttlSeconds,
      data,
    });

    /** The name is there: whatever it has of this type. */
    const present = (answers: readonly ResourceRecord[]): Response => {
      if (type === TYPE.ANY) return positive([record(ANY_DATA, TYPE.HINFO)]);
      return answers.length > 0 ? positive(answers) : negative(RCODE.NOERROR);
    };

    if (name === zone.name) {
      if (type === TYPE.SOA) return present([soa()]);
      return present(type === TYPE.NS ? [record(zone.nameServerWire)] : []);
    }
    if (!isWarm())
      return refusal(query, RCODE.SERVFAIL, EXTENDED_ERROR.NOT_READY, "the route table is not loaded");

    const addresses = find(name);
    if (addresses !== null) {
      const rotation = type === TYPE.A ? addresses.a : type === TYPE.AAAA ? addresses.aaaa : null;
      return present(rotation?.next(config.maxAnswers) ?? []);
    }
    // An app's own `ns.dns` was found above, so this hides no route.
    if (name === zone.nameServer) {
      return present(zone.address?.type === type ? [record(zone.address.data)] : []);
    }
    const isAboveSomething = isWithin(zone.nameServer, name) || table.hasInternalBelow(name);
    return negative(isAboveSomething ? RCODE.NOERROR : RCODE.NXDOMAIN);
  };
}

/** The addresses of a route's instances, each once, and those of each instance index. */
function workOut(
  route: Route,
  ttl: number,
  random: Random,
): { all: Addresses; byIndex: Map<string, Addresses> } {
  const all = new Map<string, ResourceRecord>();
  const indexes = new Map<string, Map<string, ResourceRecord>>();
  for (const endpoint of route.endpoints) {
    const address = endpoint.instanceAddress || endpoint.host;
    const wire = addressData(address);
    // A classic registration may name a host; there is no address to answer with.
    if (wire === null) continue;
    const record: ResourceRecord = { owner: null, ttl, ...wire };
    all.set(address, record);
    const ofIndex = indexes.get(endpoint.instanceIndex) ?? new Map<string, ResourceRecord>();
    indexes.set(endpoint.instanceIndex, ofIndex.set(address, record));
  }
  const rotations = (records: Map<string, ResourceRecord>): Addresses => {
    const of = (type: number) => [...records.values()].filter((record) => record.type === type);
    return { a: createRotation(of(TYPE.A), random), aaaa: createRotation(of(TYPE.AAAA), random) };
  };
  const byIndex = new Map<string, Addresses>();
  for (const [index, records] of indexes) byIndex.set(index, rotations(records));
  return { all: rotations(all), byIndex };
}

function refusal(query: Query, rcode: number, why: number, text: string): Response {
  const data = extendedErrorData(why, text);
  return emptyResponse(query, rcode, [{ code: EDNS_OPTION.EXTENDED_ERROR, data }]);
}
