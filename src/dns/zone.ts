/** The zones this server is the authority for, and the records every zone has by itself: SOA, NS, its name server. */
import { configInvalid } from "../kernel/errors/config.ts";
import { addressData, encodeName, type ResourceRecord, soaData, TYPE } from "../wire/dns/index.ts";

// Nobody transfers these zones, so the times of the SOA are only read by people.
const REFRESH_SECONDS = 3_600;
const RETRY_SECONDS = 600;
const EXPIRE_SECONDS = 86_400;
const UNSPECIFIED = ["0.0.0.0", "::"];

/** Bytes of any kind could stand in a DNS name; a domain of routes has these. */
const DOMAIN = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/;

export interface Zone {
  /** Lower-case, without the last dot. */
  readonly name: string;
  readonly wire: Uint8Array;
  /** `ns.dns.<zone>` */
  readonly nameServer: string;
  readonly nameServerWire: Uint8Array;
  /** `hostmaster.<zone>` */
  readonly mailbox: Uint8Array;
  /** Of the name server: this one. Null when it listens on all of the machine's, of which none is the right one. */
  readonly address: { readonly type: number; readonly data: Uint8Array } | null;
}

/**
 * @param host  Address this server is reached at; becomes that of the zones' name server.
 * @throws configInvalid for a name that is none, and for zones of which one lies in another.
 */
export function createZones(names: readonly string[], host: string): readonly Zone[] {
  const problems: string[] = [];
  const zones: Zone[] = [];
  const address = UNSPECIFIED.includes(host) ? null : addressData(host);
  for (const given of names) {
    const name = given.toLowerCase().replace(/\.$/, "");
    const wire = encodeName(name);
    const nameServerWire = encodeName(`ns.dns.${name}`);
    const mailbox = encodeName(`hostmaster.${name}`);
    if (!DOMAIN.test(name) || wire === null || nameServerWire === null || mailbox === null) {
      problems.push(`dns.zones: ${JSON.stringify(given)} is no domain; write one like "apps.internal"`);
      continue;
    }
    const other = zones.find((zone) => isWithin(name, zone.name) || isWithin(zone.name, name));
    if (other !== undefined) {
      problems.push(`dns.zones: ${name} and ${other.name} overlap; keep the upper one`);
    }
    const nameServer = `ns.dns.${name}`;
    zones.push({ name, wire, nameServer, nameServerWire, mailbox, address });
  }
  if (names.length === 0)
    problems.push('dns.zones: is empty; name at least one domain, like "apps.internal"');
  if (problems.length > 0) throw configInvalid({ problems });
  return zones;
}

/** The zone is the name or above it. Names are text as the codec makes it: a dot inside a label follows a backslash. */
export function isWithin(name: string, zone: string): boolean {
  if (name === zone) return true;
  if (!name.endsWith(`.${zone}`)) return false;
  const backslashes = /\\*$/.exec(name.slice(0, -zone.length - 1))?.[0].length ?? 0;
  return backslashes % 2 === 0;
}

/** @param serial  Grows with time; readers compare it modulo 2³². */
export function soaRecord(zone: Zone, serial: number, negativeTtlSeconds: number): ResourceRecord {
  const data = soaData({
    primary: zone.nameServerWire,
    mailbox: zone.mailbox,
    serial: serial % 2 ** 32,
    refresh: REFRESH_SECONDS,
    retry: RETRY_SECONDS,
    expire: EXPIRE_SECONDS,
    minimum: negativeTtlSeconds,
  });
  // A resolver keeps a negative answer for the smaller of this TTL and `minimum` (RFC 2308 §5).
  return { owner: zone.wire, type: TYPE.SOA, ttl: negativeTtlSeconds, data };
}
