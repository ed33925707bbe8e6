import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { createManualClock, silentLogger } from "../kernel/index.ts";
import { logRecord } from "./access-log-samples.ts";
import type { ExplainedLogRecord } from "./access-record.ts";
import { createLoggregatorStream } from "./loggregator-stream.ts";

const CONFIG = { accessLogFormat: "classic", accessLogOptions: {} } as const;

/** Fields of a protobuf message, in order: a bigint, or the bytes of what has a length. */
function fieldsOf(message: Buffer): readonly [field: number, value: bigint | Buffer][] {
  const fields: [number, bigint | Buffer][] = [];
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++] as number;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const key = Number(varint());
    if ((key & 7) === 0) fields.push([key >> 3, varint()]);
    else {
      assert.equal(key & 7, 2);
      const length = Number(varint());
      fields.push([key >> 3, message.subarray(at, at + length)]);
      at += length;
    }
  }
  assert.equal(at, message.length);
  return fields;
}

const shown = (value: bigint | Buffer | undefined) =>
  Buffer.isBuffer(value) ? value.toString("latin1") : value;
const textsOf = (message: Buffer) => fieldsOf(message).map(([field, value]) => [field, shown(value)]);

async function startAgent(t: TestContext, sendsHttpEvents = false) {
  const socket = createSocket("udp4");
  const received: Buffer[] = [];
  let wake = () => {};
  socket.on("message", (bytes) => {
    received.push(bytes);
    wake();
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  t.after(() => socket.close());
  let dropped = 0;
  const stream = createLoggregatorStream(CONFIG, {
    settings: { host: "127.0.0.1", port: socket.address().port, index: 3, sendsHttpEvents },
    clock: createManualClock(),
    log: silentLogger,
    onDrop: (lines) => {
      dropped += lines;
    },
  });
  t.after(() => stream.close());
  return {
    add: (line: string, changes: Partial<ExplainedLogRecord> = {}) => stream.add(line, logRecord(changes)),
    dropped: () => dropped,
    async next(): Promise<Buffer> {
      for (;;) {
        const envelope = received.shift();
        if (envelope !== undefined) return envelope;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

test("a line about an app is an envelope with a log message of source RTR, and the endpoint's tags", async (t) => {
  const agent = await startAgent(t);
  agent.add("a line \xc3\xa9", { endpointTags: { process_type: "web", source_id: "c1b0" } });
  const envelope = await agent.next();
  const nowNs = BigInt(Date.parse("2026-01-01T00:00:00Z")) * 1_000_000n;
  const [origin, type, timestamp, message, ...tags] = fieldsOf(envelope);
  assert.deepEqual(
    [origin, type, timestamp].map((field) => [field?.[0], shown(field?.[1])]),
    [
      [1, "gorouter"],
      [2, 5n],
      [6, nowNs],
    ],
  );
  assert.equal(message?.[0], 8);
  assert.deepEqual(textsOf(message?.[1] as Buffer), [
    [1, "a line \xc3\xa9"],
    [2, 1n],
    [3, nowNs],
    [4, "c1b0"],
    [5, "RTR"],
    [6, "3"],
  ]);
  assert.deepEqual(
    tags.map(([field, tag]) => [field, textsOf(tag as Buffer)]),
    [
      [
        17,
        [
          [1, "process_type"],
          [2, "web"],
        ],
      ],
      [
        17,
        [
          [1, "source_id"],
          [2, "c1b0"],
        ],
      ],
    ],
  );
});

test("requests for the platform's own routes are in nobody's log", async (t) => {
  const agent = await startAgent(t);
  agent.add("of the platform", { appGuid: "" });
  agent.add("of an app");
  assert.match((await agent.next()).toString("latin1"), /of an app/);
});

test("a line that no datagram holds is cut, and an envelope that is too long for its tags is dropped", async (t) => {
  const agent = await startAgent(t);
  agent.add("x".repeat(70_000), { endpointTags: { much: "y".repeat(66_000) } });
  assert.equal(agent.dropped(), 1);
  agent.add("x".repeat(70_000), { target: `/${"a".repeat(70_000)}` });
  const envelope = (await agent.next()).toString("latin1");
  assert.match(envelope, /\.\.\.REQUEST-URI-TOO-LONG-TO-LOG--TRUNCATED HTTP\/1\.1/);
});

/** `f47ac10b-58cc-4372-a567-0e02b2c3d479`, the example of uuid.proto. */
const UUID = "f47ac10b-58cc-4372-a567-0e02b2c3d479";
const UUID_FIELDS = [
  [1, 0x7243cc580bc17af4n],
  [2, 0x79d4c3b2020e67a5n],
];

test("of each request there is an event with its app, its status and its times", async (t) => {
  const agent = await startAgent(t, true);
  const startedAtMs = Date.parse("2025-12-31T23:59:58Z");
  agent.add("a line", {
    startedAtMs,
    responseTimeMs: 1_500,
    requestId: UUID,
    method: "PATCH",
    target: "/cart?secret=1",
    userAgent: "\xc3\xa9",
    forwardedFor: "10.0.0.9, 10.0.0.10",
    appGuid: UUID,
    instanceIndex: "3",
  });
  const [, type, , event, tag] = fieldsOf(await agent.next());
  assert.deepEqual(type, [2, 4n]);
  assert.equal(event?.[0], 7);
  const fields = fieldsOf(event?.[1] as Buffer);
  const uuids = fields.filter(([field]) => field === 3 || field === 12);
  assert.deepEqual(
    uuids.map(([field, uuid]) => [field, fieldsOf(uuid as Buffer)]),
    [
      [3, UUID_FIELDS],
      [12, UUID_FIELDS],
    ],
  );
  const startedAtNs = BigInt(startedAtMs) * 1_000_000n;
  assert.deepEqual(
    fields.filter((field) => !uuids.includes(field)).map(([field, value]) => [field, shown(value)]),
    [
      [1, startedAtNs],
      [2, startedAtNs + 1_500_000_000n],
      [4, 2n],
      [5, 26n],
      [6, "https://shop.example.com/cart"],
      [7, "10.0.0.9:51842"],
      [8, "\xc3\xa9"],
      [9, 200n],
      [10, 51n],
      [13, 3n],
      [14, "9a2f"],
      [15, "10.0.0.9"],
      [15, "10.0.0.10"],
    ],
  );
  assert.equal(tag?.[0], 17);
  assert.match((await agent.next()).toString(), /a line/);
});

test("what a request has nothing of is not in its event, and a method without a number is said to be GET", async (t) => {
  const agent = await startAgent(t, true);
  agent.add("a line", {
    appGuid: "",
    instanceIndex: "",
    instanceId: "",
    forwardedFor: "",
    method: "PURGE",
    status: 404,
  });
  const [, , , event] = fieldsOf(await agent.next());
  const fields = fieldsOf(event?.[1] as Buffer);
  assert.deepEqual(
    fields.map(([field]) => field),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  );
  assert.deepEqual([fields[4]?.[1], fields[8]?.[1]], [1n, 404n]);
});
