import assert from "node:assert/strict";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { selfSigned } from "../../test/support/certificate.ts";
import { type OpenSsl, type ServerContext, ServerSession } from "./index.ts";
import {
  clientOf,
  contextOf,
  Conversation,
  converse,
  NO_CHOICES,
  openSslFor,
  outputOf,
  say,
} from "./testing.ts";

const MIB = 1024 * 1024;

interface Ground {
  readonly openssl: OpenSsl;
  readonly context: ServerContext;
}

/** Null after the test was skipped. */
function ground(t: TestContext): Ground | null {
  const openssl = openSslFor(t);
  const pair = openssl === null ? null : selfSigned(t);
  if (openssl === null || pair === null) return null;
  return { openssl, context: contextOf(openssl, pair) };
}

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  test(`a client of ${version} and a session say each other bytes of any length`, async (t) => {
    const on = ground(t);
    if (on === null) return;
    const talk = new Conversation(on.openssl, on.context, { minVersion: version, maxVersion: version });
    t.after(() => talk.close());
    await once(talk.client, "secureConnect");
    for (const size of [1, 4_096, 16_384, 16_385, 200_000]) {
      const bytes = Buffer.from(Array.from({ length: size }, (_, i) => i & 0xff));
      const before = talk.heardBytes.length;
      talk.client.write(bytes);
      await talk.until(() => talk.heardBytes.length === before + size);
      assert.ok(talk.heardBytes.subarray(before).equals(bytes));
      for (const data of [bytes, bytes.toString("latin1")]) {
        talk.received = Buffer.alloc(0);
        talk.wire.push(say(talk.session, data));
        await talk.until(() => talk.received.length === size);
        assert.ok(talk.received.equals(bytes));
      }
    }
  });
}

test("records that come a byte at a time are the same records", async (t) => {
  const on = ground(t);
  if (on === null) return;
  const cut = (records: Buffer) => Array.from(records, (_, i) => records.subarray(i, i + 1));
  const talk = new Conversation(on.openssl, on.context, { cut });
  t.after(() => talk.close());
  talk.client.write("hello");
  await talk.until(() => talk.heardBytes.toString() === "hello");
});

test("an end is heard when it is said, and what we say after it still comes", async (t) => {
  const on = ground(t);
  if (on === null) return;
  const talk = new Conversation(on.openssl, on.context);
  t.after(() => talk.close());
  await once(talk.client, "secureConnect");
  talk.client.end("last words");
  await talk.until(() => talk.heard.includes(null));
  assert.equal(talk.heardBytes.toString(), "last words");
  assert.ok(say(talk.session, "answer").length > 6);
  talk.session.endWriting();
  assert.ok(outputOf(talk.session).length > 0, "we say our end, too");
  assert.equal(talk.session.write("more", 0), 0, "and nothing behind it");
});

test("what is no TLS fails with a reason, and sessions after it see nothing of it", async (t) => {
  const on = ground(t);
  if (on === null) return;
  const broken = new ServerSession(on.openssl, on.context, NO_CHOICES);
  t.after(() => broken.close());
  converse(broken, Buffer.from("GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n"));
  assert.match(broken.reason, /http request/);
  const talk = new Conversation(on.openssl, on.context);
  t.after(() => talk.close());
  talk.client.write("hello");
  await talk.until(() => talk.heardBytes.toString() === "hello");
});

test("records that nobody took are never another client's", async (t) => {
  const on = ground(t);
  if (on === null) return;
  const greeted = async () => {
    const talk = new Conversation(on.openssl, on.context);
    t.after(() => talk.close());
    talk.client.write("hello");
    await talk.until(() => talk.heardBytes.toString() === "hello");
    return talk;
  };
  const [first, forgetful] = [await greeted(), await greeted()];
  forgetful.session.write("for the other one", 0);
  assert.equal(outputOf(first.session).length, 0);
  first.wire.push(say(first.session, "for the first"));
  await first.until(() => first.received.length > 0);
  assert.equal(first.received.toString(), "for the first");
});

test("a record that was changed on its way is refused with an alert", async (t) => {
  const on = ground(t);
  if (on === null) return;
  let spoils = false;
  const cut = (records: Buffer) => {
    const last = records.length - 1;
    if (spoils) records[last] = (records[last] as number) ^ 1;
    return [records];
  };
  const talk = new Conversation(on.openssl, on.context, { cut });
  t.after(() => talk.close());
  await once(talk.client, "secureConnect");
  spoils = true;
  talk.client.write("hello");
  const [error] = (await once(talk.client, "error")) as [Error];
  assert.match(error.message, /bad record mac/);
  assert.match(talk.session.reason, /bad record mac|decryption failed/);
  assert.deepEqual(talk.heard, []);
});

test("errors that somebody else has left are not taken for ours", async (t) => {
  const on = ground(t);
  if (on === null) return;
  const { calls } = on.openssl;
  const talk = new Conversation(on.openssl, on.context, {
    cut: (records) => {
      // What is no certificate leaves an error behind.
      const from = Buffer.alloc(8);
      from.writeBigUInt64LE(on.openssl.ffi.getRawPointer(records));
      assert.equal(calls.d2i_X509(null, from, BigInt(records.length)), 0n);
      const half = records.length >> 1;
      return [records.subarray(0, half), records.subarray(half)];
    },
  });
  t.after(() => talk.close());
  talk.client.write("hello");
  await talk.until(() => talk.heardBytes.toString() === "hello");
});

test("a context says what OpenSSL will not have", (t) => {
  const on = ground(t);
  const [one, other] = [selfSigned(t), selfSigned(t)];
  if (on === null || one === null || other === null) return;
  const mixed = { certificate: one.certificate, key: other.key };
  assert.throws(() => contextOf(on.openssl, mixed), /^Error: private key: .*key values mismatch/);
  assert.throws(() => contextOf(on.openssl, one, { suites13: "TLS_NONE" }), /^Error: cipher suites: /);
});

test("sessions that break off in any state, and contexts, leave no memory behind", async (t) => {
  const on = ground(t);
  const pair = selfSigned(t);
  if (on === null || pair === null) return;
  const { openssl, context } = on;
  const hello = await helloOfClient();
  const garbage = Buffer.alloc(600, 0x16);
  const states: readonly ((session: ServerSession) => void)[] = [
    () => {},
    (session) => converse(session, hello.subarray(0, 100)),
    (session) => converse(session, hello),
    (session) => converse(session, Buffer.concat([hello, garbage])),
    (session) => converse(session, garbage),
    (session) => session.endWriting(),
  ];
  const breakOff = (rounds: number) => {
    for (let i = 0; i < rounds; i++) {
      for (const reach of states) {
        const session = new ServerSession(openssl, context, NO_CHOICES);
        reach(session);
        session.close();
        session.close();
      }
    }
  };
  const talkAndBreakOff = async (rounds: number) => {
    for (let i = 0; i < rounds; i++) {
      const talk = new Conversation(openssl, context);
      talk.client.write("hello");
      await talk.until(() => talk.heard.length > 0);
      say(talk.session, Buffer.alloc(20_000));
      talk.close();
    }
  };
  const makeContexts = async (rounds: number) => {
    for (let i = 0; i < rounds; i++) contextOf(openssl, pair).setTicketKeys(Buffer.alloc(48, i));
    await collected();
  };
  // Memory that grew to what all this needs at once stays; only what comes after that counts.
  await makeContexts(400);
  await talkAndBreakOff(200);
  breakOff(200);
  await collected();
  const before = process.memoryUsage.rss();
  await makeContexts(800);
  await talkAndBreakOff(200);
  breakOff(500);
  await collected();
  // A session that is forgotten holds 40 kB, a context 33: 129 and 26 MB here. Of nobody's but Node's clients, 2 to 5.
  const grown = process.memoryUsage.rss() - before;
  assert.ok(grown < 16 * MIB, `grew by ${(grown / MIB).toFixed(1)} MiB`);
});

async function helloOfClient(): Promise<Buffer> {
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  const { client, wire } = clientOf(resolve);
  const hello = await promise;
  client.destroy();
  wire.destroy();
  return hello;
}

/** Twice, with a turn between: what is collected first is what lets go of the rest. */
async function collected(): Promise<void> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let i = 0; i < 3; i++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
}
