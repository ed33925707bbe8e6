import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  decodeRegister,
  decodeRouterStart,
  encodeRegister,
  encodeRouterStart,
  type RegisterMessage,
} from "./router.ts";

const bytes = (text: string) => Buffer.from(text);
const decode = (body: unknown) => decodeRegister(bytes(JSON.stringify(body)));
const minimal = { host: "10.0.1.5", port: 61001, uris: ["shop.example.com"] };

const DEFAULTS: RegisterMessage = {
  host: "10.0.1.5",
  port: 61001,
  tlsPort: 0,
  serverCertDomainSan: "",
  protocol: "http1",
  uris: ["shop.example.com"],
  app: "",
  privateInstanceId: "",
  privateInstanceIndex: "",
  tags: {},
  staleThresholdInSeconds: 0,
  routeServiceUrl: "",
  isolationSegment: "",
  availabilityZone: "",
  endpointUpdatedAtNs: "",
  options: undefined,
};

const dropped: { name: string; input: string; problem: string | RegExp }[] = [
  { name: "no bytes", input: "", problem: /^not JSON: / },
  { name: "cut JSON", input: '{"host":"10.0.1.5"', problem: /^not JSON: / },
  { name: "two objects", input: "{}{}", problem: /^not JSON: / },
  { name: "a byte order mark", input: "\ufeff{}", problem: /^not JSON: / },
  { name: "a list", input: "[]", problem: "not a JSON object" },
  { name: "null", input: "null", problem: "not a JSON object" },
  { name: "a text", input: '"router"', problem: "not a JSON object" },
  ...(
    [
      ["host", 5, "host: 5 is not text"],
      ["port", "61001", 'port: "61001" is not a whole number 0–65535'],
      ["port", 65_536, "port: 65536 is not a whole number 0–65535"],
      ["port", -1, "port: -1 is not a whole number 0–65535"],
      ["port", 80.5, "port: 80.5 is not a whole number 0–65535"],
      ["tls_port", true, "tls_port: true is not a whole number 0–65535"],
      ["server_cert_domain_san", [], "server_cert_domain_san: [] is not text"],
      ["protocol", 2, "protocol: 2 is not text"],
      ["uris", "shop.example.com", 'uris: "shop.example.com" is not a list of texts'],
      ["uris", ["a", 1], 'uris: ["a",1] is not a list of texts'],
      ["uris", [null], "uris: [null] is not a list of texts"],
      ["app", {}, "app: {} is not text"],
      ["private_instance_id", 1, "private_instance_id: 1 is not text"],
      ["private_instance_index", 0, "private_instance_index: 0 is not text"],
      ["tags", ["a"], 'tags: ["a"] is not a map of texts'],
      ["tags", { index: 0 }, 'tags: {"index":0} is not a map of texts'],
      ["tags", { a: null }, 'tags: {"a":null} is not a map of texts'],
      ["stale_threshold_in_seconds", "120", /^stale_threshold_in_seconds: "120" is not a whole number/],
      ["stale_threshold_in_seconds", 1.5, /^stale_threshold_in_seconds: 1.5 is not a whole number/],
      ["route_service_url", 1, "route_service_url: 1 is not text"],
      [
        "route_service_url",
        "http://rs.example.com",
        "Unable to validate message. route_service_url must be https",
      ],
      ["isolation_segment", false, "isolation_segment: false is not text"],
      ["availability_zone", 1, "availability_zone: 1 is not text"],
      ["endpoint_updated_at_ns", "1", 'endpoint_updated_at_ns: "1" is not a whole number of nanoseconds'],
      ["endpoint_updated_at_ns", 1.5, "endpoint_updated_at_ns: 1.5 is not a whole number of nanoseconds"],
      ["endpoint_updated_at_ns", 1e300, /^endpoint_updated_at_ns: 1e\+300 is not/],
      ["host", "", "host: is missing"],
      ["port", 0, "port: is missing, and so is tls_port"],
    ] as const
  ).map(([field, value, problem]) => ({
    name: `${field} = ${JSON.stringify(value)}`,
    input: JSON.stringify({ ...minimal, [field]: value }),
    problem,
  })),
];

for (const { name, input, problem } of dropped) {
  test(`a register message is dropped with its reason: ${name}`, () => {
    const decoded = decodeRegister(bytes(input));
    assert.ok(!decoded.ok);
    if (typeof problem === "string") assert.equal(decoded.problem, problem);
    else assert.match(decoded.problem, problem);
  });
}

test("a reason repeats only the beginning of a long value", () => {
  const decoded = decode({ ...minimal, app: ["x".repeat(10_000)] });
  assert.ok(!decoded.ok && decoded.problem.length < 100, JSON.stringify(decoded).slice(0, 200));
});

test("absent fields and null fields are the default", () => {
  assert.deepEqual(decode(minimal), { ok: true, message: DEFAULTS });
  const nulls = Object.fromEntries(
    [
      "tls_port",
      "server_cert_domain_san",
      "protocol",
      "app",
      "private_instance_id",
      "private_instance_index",
      "tags",
      "stale_threshold_in_seconds",
      "route_service_url",
      "isolation_segment",
      "availability_zone",
      "endpoint_updated_at_ns",
      "options",
    ].map((field) => [field, null]),
  );
  assert.deepEqual(decode({ ...minimal, ...nulls }), { ok: true, message: DEFAULTS });
});

for (const options of [5, "round-robin", [1], { loadbalancing: { a: [] } }, true]) {
  test(`options ${JSON.stringify(options)} are passed on and never drop the message`, () => {
    const decoded = decode({ ...minimal, options });
    assert.ok(decoded.ok);
    assert.deepEqual(decoded.message.options, options);
  });
}

test("unknown fields are ignored", () => {
  assert.deepEqual(decode({ ...minimal, dea: "x", allowed_sources: [1] }), { ok: true, message: DEFAULTS });
});

test("a protocol other than http2 is http1", () => {
  for (const [protocol, want] of [
    ["", "http1"],
    ["http1", "http1"],
    ["http3", "http1"],
    ["http2", "http2"],
  ]) {
    const decoded = decode({ ...minimal, protocol });
    assert.ok(decoded.ok);
    assert.equal(decoded.message.protocol, want);
  }
});

test("a TLS port alone is enough", () => {
  const decoded = decode({ host: "h", tls_port: 61443, uris: [] });
  assert.ok(decoded.ok);
  assert.equal(decoded.message.tlsPort, 61_443);
});

test("all 61 bits of a time in nanoseconds survive", () => {
  const decoded = decodeRegister(
    bytes('{"host":"h","port":1,"uris":[],"endpoint_updated_at_ns" : 1700000000123456789}'),
  );
  assert.ok(decoded.ok);
  assert.equal(decoded.message.endpointUpdatedAtNs, "1700000000123456789");
});

test("a field of the same name elsewhere does not become the time", () => {
  const decoded = decodeRegister(
    bytes(
      '{"host":"h","port":1,"uris":[],"options":{"endpoint_updated_at_ns":5},"endpoint_updated_at_ns":1700000000000000000}',
    ),
  );
  assert.ok(decoded.ok);
  assert.equal(decoded.message.endpointUpdatedAtNs, "1700000000000000000");
});

test("decoding never throws on arbitrary bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (input) => {
      assert.equal(typeof decodeRegister(input).ok, "boolean");
    }),
  );
});

test("decoding never throws on arbitrary JSON in any field", () => {
  const fields = Object.keys(DEFAULTS).map((name) => name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`));
  const anyBody = fc.dictionary(fc.constantFrom(...fields), fc.jsonValue());
  fc.assert(
    fc.property(anyBody, (body) => {
      const decoded = decode({ ...minimal, ...body });
      assert.ok(decoded.ok || decoded.problem !== "");
    }),
  );
});

const registerMessages: fc.Arbitrary<RegisterMessage> = fc.record(
  {
    host: fc.string({ minLength: 1, unit: "binary" }),
    port: fc.integer({ min: 1, max: 65_535 }),
    tlsPort: fc.integer({ min: 0, max: 65_535 }),
    serverCertDomainSan: fc.string(),
    protocol: fc.constantFrom("http1", "http2"),
    uris: fc.array(fc.string()),
    app: fc.string(),
    privateInstanceId: fc.string(),
    privateInstanceIndex: fc.string(),
    tags: fc.dictionary(fc.string(), fc.string(), { noNullPrototype: true }),
    staleThresholdInSeconds: fc.nat(),
    routeServiceUrl: fc.constantFrom("", "https://rs.example.com/x?y"),
    isolationSegment: fc.string(),
    availabilityZone: fc.string(),
    endpointUpdatedAtNs: fc.bigInt({ min: 0n, max: 2n ** 62n }).map((ns) => (ns === 0n ? "" : ns.toString())),
    options: fc.option(fc.dictionary(fc.string(), fc.string(), { noNullPrototype: true }), {
      nil: undefined,
    }),
  },
  { noNullPrototype: true },
);

test("what is encoded is decoded to the same", () => {
  fc.assert(
    fc.property(registerMessages, (message) => {
      assert.deepEqual(decodeRegister(bytes(encodeRegister(message))), { ok: true, message });
    }),
  );
});

test("the JSON of a registrar holds what is set and nothing else", () => {
  assert.equal(
    encodeRegister({
      host: "10.0.0.5",
      port: 8080,
      uris: ["a.example.com"],
      protocol: "http1",
      tags: {},
      options: { loadbalancing: "least-connection" },
    }),
    '{"host":"10.0.0.5","port":8080,"uris":["a.example.com"],"options":{"loadbalancing":"least-connection"}}',
  );
});

test("the start message has gorouter's field names and survives the way", () => {
  const message = {
    id: "0-1b2c",
    hosts: ["10.0.0.1"],
    minimumRegisterIntervalInSeconds: 5,
    pruneThresholdInSeconds: 120,
  };
  const json = encodeRouterStart(message);
  assert.equal(
    json,
    '{"id":"0-1b2c","hosts":["10.0.0.1"],"minimumRegisterIntervalInSeconds":5,"pruneThresholdInSeconds":120}',
  );
  assert.deepEqual(decodeRouterStart(bytes(json)), { ok: true, message });
});

test("a start message with an interval that is no whole number is refused", () => {
  assert.deepEqual(decodeRouterStart(bytes('{"id":"0-1","minimumRegisterIntervalInSeconds":"5"}')), {
    ok: false,
    problem: 'minimumRegisterIntervalInSeconds: "5" is not a whole number 0–9007199254740991',
  });
});
