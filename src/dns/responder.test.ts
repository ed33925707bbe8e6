import assert from "node:assert/strict";
import { test } from "node:test";
import { createManualClock } from "../kernel/index.ts";
import {
  CLASS,
  decodeMessage,
  EDNS_OPTION,
  encodeResponse,
  type Message,
  RCODE,
  TYPE,
} from "../wire/dns/index.ts";
import { createResponder } from "./responder.ts";
import { createRandom } from "./rotation.ts";
import { dnsConfig, down, internalTable, queryFor, reserve, up } from "./testing.ts";
import { createZones } from "./zone.ts";

function setup(flags: Readonly<Record<string, string>> = {}) {
  const config = dnsConfig(flags);
  const table = internalTable();
  const clock = createManualClock();
  const state = { isWarm: true };
  const respond = createResponder({
    config,
    zones: createZones(config.zones, config.host),
    table,
    isWarm: () => state.isWarm,
    clock,
    random: createRandom(1),
  });
  const ask = (name: string, type: number, some: Parameters<typeof queryFor>[0] = {}): Message =>
    decodeMessage(
      encodeResponse(respond(queryFor({ name, type, ...some })), {
        maxBytes: 65_535,
        advertisedUdpBytes: 1232,
        truncation: "partial",
      }),
    );
  return { table, ask, clock, state };
}

const addresses = (message: Message) => message.answers.map(({ data }) => data.join(".")).sort();

/** `NOERROR 1 answers, authority: -` */
function shape(message: Message): string {
  const code = Object.entries(RCODE).find(([, number]) => number === message.rcode)?.[0];
  const authority = message.authority.map(
    ({ type, name }) => `${type === TYPE.SOA ? "SOA" : type} of ${name}`,
  );
  return [code, message.authoritative ? "AA" : "", `${message.answers.length} answers`, ...authority]
    .filter((part) => part !== "")
    .join(", ");
}

const POSITIVE = "NOERROR, AA, 1 answers";
const NODATA = "NOERROR, AA, 0 answers, SOA of apps.internal";
const NXDOMAIN = "NXDOMAIN, AA, 0 answers, SOA of apps.internal";
const REFUSED = "REFUSED, 0 answers";

const { table: shared, ask: askShared } = setup();
reserve(shared, "shop.apps.internal");
up(shared, "shop.apps.internal", 0);
reserve(shared, "six.apps.internal");
up(shared, "six.apps.internal", 0, { instanceAddress: "fd00::7" });
reserve(shared, "stopped.apps.internal");
reserve(shared, "a.deep.apps.internal");

for (const { what, name, type, want } of [
  { what: "an address of a running app", name: "shop.apps.internal", type: TYPE.A, want: POSITIVE },
  { what: "in upper case", name: "SHOP.Apps.Internal", type: TYPE.A, want: POSITIVE },
  { what: "IPv6 of an app that has none", name: "shop.apps.internal", type: TYPE.AAAA, want: NODATA },
  { what: "IPv6 of an app that has it", name: "six.apps.internal", type: TYPE.AAAA, want: POSITIVE },
  { what: "IPv4 of an app that has none", name: "six.apps.internal", type: TYPE.A, want: NODATA },
  { what: "HTTPS, as browsers do", name: "shop.apps.internal", type: TYPE.HTTPS, want: NODATA },
  { what: "SRV", name: "shop.apps.internal", type: TYPE.SRV, want: NODATA },
  { what: "TXT", name: "shop.apps.internal", type: TYPE.TXT, want: NODATA },
  { what: "a type nobody knows", name: "shop.apps.internal", type: 65_280, want: NODATA },
  { what: "anything about a name", name: "shop.apps.internal", type: TYPE.ANY, want: POSITIVE },
  { what: "an instance", name: "0.shop.apps.internal", type: TYPE.A, want: POSITIVE },
  { what: "an instance's IPv6", name: "0.shop.apps.internal", type: TYPE.AAAA, want: NODATA },
  { what: "an instance that is not there", name: "1.shop.apps.internal", type: TYPE.A, want: NXDOMAIN },
  { what: "an index with a leading zero", name: "00.shop.apps.internal", type: TYPE.A, want: NXDOMAIN },
  { what: "an instance of nothing", name: "0.unknown.apps.internal", type: TYPE.A, want: NXDOMAIN },
  { what: "an app that is stopped", name: "stopped.apps.internal", type: TYPE.A, want: NODATA },
  { what: "a name above a route", name: "deep.apps.internal", type: TYPE.A, want: NODATA },
  { what: "an unknown name", name: "unknown.apps.internal", type: TYPE.A, want: NXDOMAIN },
  { what: "an unknown name's IPv6", name: "unknown.apps.internal", type: TYPE.AAAA, want: NXDOMAIN },
  { what: "anything about an unknown name", name: "unknown.apps.internal", type: TYPE.ANY, want: NXDOMAIN },
  { what: "a name below a route", name: "x.shop.apps.internal", type: TYPE.A, want: NXDOMAIN },
  { what: "a label with a dot inside", name: "shop\\.apps.internal", type: TYPE.A, want: REFUSED },
  { what: "a label that only looks like two", name: "0\\.shop.apps.internal", type: TYPE.A, want: NXDOMAIN },
  { what: "the zone's SOA", name: "apps.internal", type: TYPE.SOA, want: POSITIVE },
  { what: "the zone's name server", name: "apps.internal", type: TYPE.NS, want: POSITIVE },
  { what: "an address of the zone", name: "apps.internal", type: TYPE.A, want: NODATA },
  { what: "anything about the zone", name: "apps.internal", type: TYPE.ANY, want: POSITIVE },
  { what: "the name server's address", name: "ns.dns.apps.internal", type: TYPE.A, want: POSITIVE },
  { what: "the name server's IPv6", name: "ns.dns.apps.internal", type: TYPE.AAAA, want: NODATA },
  { what: "the name above the name server", name: "dns.apps.internal", type: TYPE.A, want: NODATA },
  { what: "another domain", name: "example.com", type: TYPE.A, want: REFUSED },
  { what: "a domain that only ends alike", name: "myapps.internal", type: TYPE.A, want: REFUSED },
  { what: "the root", name: ".", type: TYPE.NS, want: REFUSED },
  { what: "a zone transfer", name: "apps.internal", type: TYPE.AXFR, want: REFUSED },
  { what: "an incremental transfer", name: "apps.internal", type: TYPE.IXFR, want: REFUSED },
]) {
  test(`asked for ${what}: ${want}`, () => {
    assert.equal(shape(askShared(name, type)), want);
  });
}

test("another class than the Internet's is refused", () => {
  const message = askShared("version.bind", TYPE.TXT, { class: CLASS.CH });
  assert.equal(shape(message), REFUSED);
});

test("ANY is answered with the HINFO of RFC 8482", () => {
  const [record] = askShared("shop.apps.internal", TYPE.ANY).answers;
  assert.equal(record?.type, TYPE.HINFO);
  assert.equal(Buffer.from(record.data).toString("latin1"), "\x07RFC8482\x00");
});

test("answers have TTL 0 and the address of the instance, not of its host", () => {
  const [record] = askShared("shop.apps.internal", TYPE.A).answers;
  assert.equal(record?.ttl, 0);
  assert.deepEqual([...record.data], [10, 255, 0, 0]);
});

test("an instance without an address of its own is reached at its host, one with a host name not at all", () => {
  const { table, ask } = setup();
  reserve(table, "shop.apps.internal");
  up(table, "shop.apps.internal", 0, { instanceAddress: "" });
  up(table, "shop.apps.internal", 1, { instanceAddress: "", host: "cell.example.com" });
  assert.deepEqual(addresses(ask("shop.apps.internal", TYPE.A)), ["127.0.0.1"]);
});

test("instances that share an address are answered once", () => {
  const { table, ask } = setup();
  reserve(table, "shop.apps.internal");
  up(table, "shop.apps.internal", 0, { instanceAddress: "127.0.0.1" });
  up(table, "shop.apps.internal", 1, { instanceAddress: "127.0.0.1" });
  assert.deepEqual(addresses(ask("shop.apps.internal", TYPE.A)), ["127.0.0.1"]);
});

test("scaling 1 → 3 → 1 gives exactly those addresses, at once", () => {
  const { table, ask } = setup();
  const name = "shop.apps.internal";
  reserve(table, name);
  up(table, name, 0);
  assert.deepEqual(addresses(ask(name, TYPE.A)), ["10.255.0.0"]);
  const [second, third] = [up(table, name, 1), up(table, name, 2)];
  assert.deepEqual(addresses(ask(name, TYPE.A)), ["10.255.0.0", "10.255.0.1", "10.255.0.2"]);
  assert.deepEqual(addresses(ask(`2.${name}`, TYPE.A)), ["10.255.0.2"]);
  down(table, second);
  down(table, third);
  assert.deepEqual(addresses(ask(name, TYPE.A)), ["10.255.0.0"]);
  assert.equal(shape(ask(`2.${name}`, TYPE.A)), NXDOMAIN);
});

test("two apps on one route: the addresses of both, and both instances 0", () => {
  const { table, ask } = setup();
  const to = (processGuid: string) => ({
    processGuid,
    appPort: null,
    weight: null,
    protocol: "http1" as const,
  });
  table.apply({
    kind: "route-upsert",
    reservation: {
      guid: "r",
      protocol: "internal",
      route: "shop.apps.internal",
      routerGroup: "",
      destinations: [to("blue"), to("green")],
      options: {},
      routeServiceUrl: null,
      isolationSegment: "",
      tags: {},
    },
  });
  up(table, "blue", 0, { instanceAddress: "10.0.0.1", port: 1 });
  up(table, "green", 0, { instanceAddress: "10.0.0.2", port: 2 });
  up(table, "green", 1, { instanceAddress: "10.0.0.3", port: 3 });
  assert.deepEqual(addresses(ask("shop.apps.internal", TYPE.A)), ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
  assert.deepEqual(addresses(ask("0.shop.apps.internal", TYPE.A)), ["10.0.0.1", "10.0.0.2"]);
});

test("a route whose host is a number wins over the instance of the same name", () => {
  const { table, ask } = setup();
  reserve(table, "foo.apps.internal");
  up(table, "foo.apps.internal", 0, { instanceAddress: "10.0.0.1" });
  reserve(table, "0.foo.apps.internal");
  up(table, "0.foo.apps.internal", 0, { instanceAddress: "10.0.0.2", port: 2 });
  assert.deepEqual(addresses(ask("0.foo.apps.internal", TYPE.A)), ["10.0.0.2"]);
});

test("addresses come first in turn, and a change elsewhere in the table does not disturb it", () => {
  const { table, ask } = setup();
  const name = "shop.apps.internal";
  reserve(table, name);
  for (let index = 0; index < 3; index++) up(table, name, index);
  const firsts: string[] = [];
  for (let n = 0; n < 9; n++) {
    firsts.push(ask(name, TYPE.A).answers[0]?.data.join(".") ?? "");
    ask(name, TYPE.AAAA);
    reserve(table, `other-${n}.apps.internal`);
  }
  assert.deepEqual(firsts.slice(3), firsts.slice(0, 6));
  assert.equal(new Set(firsts).size, 3);
});

test("a cap on answers sends another choice each time, and no truncation", () => {
  const { table, ask } = setup({ "dns.max_answers": "2" });
  const name = "shop.apps.internal";
  reserve(table, name);
  for (let index = 0; index < 10; index++) up(table, name, index);
  const seen = new Set<string>();
  for (let n = 0; n < 10; n++) {
    const message = ask(name, TYPE.A);
    assert.equal(message.answers.length, 2);
    assert.equal(message.truncated, false);
    for (const address of addresses(message)) seen.add(address);
  }
  assert.equal(seen.size, 10);
});

test("until the table has arrived nothing is said about names, but the zone is there", () => {
  const { table, ask, state } = setup();
  reserve(table, "shop.apps.internal");
  up(table, "shop.apps.internal", 0);
  state.isWarm = false;
  for (const name of ["shop.apps.internal", "unknown.apps.internal"]) {
    const message = ask(name, TYPE.A, { edns: { udpBytes: 1232 } });
    assert.equal(message.rcode, RCODE.SERVFAIL);
    const [code, , why] = [...(message.additional[0]?.data ?? [])].filter((_, i) => i % 2 === 1);
    assert.deepEqual([code, why], [EDNS_OPTION.EXTENDED_ERROR, 14]);
  }
  assert.equal(shape(ask("apps.internal", TYPE.SOA)), POSITIVE);
  state.isWarm = true;
  assert.equal(shape(ask("shop.apps.internal", TYPE.A)), POSITIVE);
});

test("the SOA says for how long a «no» may be believed, and its serial grows with time", () => {
  const { ask, clock } = setup({ "dns.negative_ttl": "5" });
  const read = () => {
    const soa = ask("unknown.apps.internal", TYPE.A).authority[0];
    const numbers = new DataView(soa?.data.slice(-20).buffer ?? new ArrayBuffer(20));
    return { ttl: soa?.ttl, serial: numbers.getUint32(0), minimum: numbers.getUint32(16) };
  };
  const first = read();
  clock.advance(10_000);
  assert.deepEqual([first.ttl, first.minimum], [5, 5]);
  assert.equal(read().serial, first.serial + 10);
});

test("several zones are served, each with its own SOA", () => {
  const { table, ask } = setup({ "dns.zones": "apps.internal,other.internal" });
  reserve(table, "shop.other.internal");
  up(table, "shop.other.internal", 0);
  assert.equal(shape(ask("shop.other.internal", TYPE.A)), POSITIVE);
  assert.equal(shape(ask("x.other.internal", TYPE.A)), "NXDOMAIN, AA, 0 answers, SOA of other.internal");
});
