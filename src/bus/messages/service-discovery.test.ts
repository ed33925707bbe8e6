import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  decodeServiceDiscoveryRegister,
  decodeServiceDiscoveryStart,
  decodeServiceDiscoveryUnregister,
  encodeServiceDiscovery,
  encodeServiceDiscoveryStart,
} from "./service-discovery.ts";

const bytes = (text: string) => Buffer.from(text);

test("a registration carries the overlay address, both names and port 0, as the emitter writes it", () => {
  const json = encodeServiceDiscovery({
    host: "10.255.1.7",
    uris: ["shop.apps.internal", "0.shop.apps.internal"],
    app: "2f1c",
    privateInstanceIndex: "0",
    endpointUpdatedAtNs: "1700000000123456789",
  });
  assert.equal(
    json,
    '{"port":0,"host":"10.255.1.7","uris":["shop.apps.internal","0.shop.apps.internal"],"app":"2f1c",' +
      '"private_instance_index":"0","tags":{"component":"route-emitter"},"endpoint_updated_at_ns":1700000000123456789}',
  );
  const message = { host: "10.255.1.7", uris: ["shop.apps.internal", "0.shop.apps.internal"] };
  assert.deepEqual(decodeServiceDiscoveryRegister(bytes(json)), { ok: true, message });
  assert.deepEqual(decodeServiceDiscoveryUnregister(bytes(json)), { ok: true, message });
});

const refused: { name: string; input: string; register: string | null; unregister: string | null }[] = [
  { name: "not JSON", input: "host", register: "not JSON", unregister: "not JSON" },
  { name: "no host", input: '{"uris":["a"]}', register: "host: is missing", unregister: null },
  {
    name: "no uris",
    input: '{"host":"1.2.3.4"}',
    register: "uris: is missing or empty",
    unregister: "uris: is missing or empty",
  },
  {
    name: "no names in uris",
    input: '{"host":"1.2.3.4","uris":[]}',
    register: "uris: is missing or empty",
    unregister: "uris: is missing or empty",
  },
  {
    name: "uris of another type",
    input: '{"host":"1.2.3.4","uris":{}}',
    register: "uris: {} is not a list of texts",
    unregister: "uris: {} is not a list of texts",
  },
  {
    name: "a port of another type",
    input: '{"host":"1.2.3.4","uris":["a"],"port":"x"}',
    register: null,
    unregister: null,
  },
];

for (const { name, input, register, unregister } of refused) {
  test(`a service-discovery message with ${name} is judged as the controller judges it`, () => {
    for (const [verb, decode, want] of [
      ["register", decodeServiceDiscoveryRegister, register],
      ["unregister", decodeServiceDiscoveryUnregister, unregister],
    ] as const) {
      const decoded = decode(bytes(input));
      if (want === null) assert.ok(decoded.ok, verb);
      else {
        assert.ok(!decoded.ok, verb);
        assert.ok(
          decoded.problem.startsWith(`AddressMessageHandler received a malformed ${verb} message: ${want}`),
          decoded.problem,
        );
      }
    }
  });
}

test("decoding never throws on arbitrary bytes and JSON", () => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), fc.json().map(bytes)), (input) => {
      for (const decode of [
        decodeServiceDiscoveryRegister,
        decodeServiceDiscoveryUnregister,
        decodeServiceDiscoveryStart,
      ]) {
        assert.equal(typeof decode(input).ok, "boolean");
      }
    }),
  );
});

test("the start message has one host and survives the way", () => {
  const message = {
    id: "0-1b2c",
    host: "10.0.0.1",
    minimumRegisterIntervalInSeconds: 60,
    pruneThresholdInSeconds: 120,
  };
  const json = encodeServiceDiscoveryStart(message);
  assert.equal(
    json,
    '{"id":"0-1b2c","host":"10.0.0.1","minimumRegisterIntervalInSeconds":60,"pruneThresholdInSeconds":120}',
  );
  assert.deepEqual(decodeServiceDiscoveryStart(bytes(json)), { ok: true, message });
});
