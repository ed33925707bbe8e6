/**
 * What every bus promises, whatever carries it: one suite for the memory bus and for NATS.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { type Bus, type BusMessage, connectNats, createMemoryBus } from "../../src/bus/index.ts";
import { type Clock, createLogger, type Logger, systemClock } from "../../src/kernel/index.ts";
import { selfSigned } from "../support/certificate.ts";
import { startNats } from "../support/nats.ts";

/** One bus with as many clients as the test asks for, and a way to cut it. */
interface Harness {
  /** The memory bus is its own and only client; several subscribers take the place of several connections. */
  client(log?: Logger): Promise<Bus>;
  disconnect(): Promise<void>;
  reconnect(): Promise<void>;
}

const implementations: { name: string; start(t: TestContext, log: Logger): Promise<Harness | null> }[] = [
  {
    name: "memory",
    async start(t, log) {
      const bus = createMemoryBus({ log });
      t.after(() => bus.close());
      return {
        client: async () => bus,
        disconnect: async () => bus.disconnect(),
        reconnect: async () => bus.reconnect(),
      };
    },
  },
  {
    name: "NATS",
    async start(t, log) {
      const server = await startNats(t);
      if (server === null) return null;
      return {
        async client() {
          const bus = await connectNats({
            servers: [`127.0.0.1:${server.port}`],
            user: "",
            pass: "",
            name: "contract",
            pingIntervalMs: 20_000,
            log,
            clock: systemClock,
            reconnectPauseMs: 10,
          });
          t.after(() => bus.close());
          return bus;
        },
        disconnect: () => server.stop(),
        reconnect: () => server.restart(),
      };
    },
  },
];

/** Notes what arrives, and waits for it instead of sleeping. */
function inbox(bus: Bus, subject: string) {
  const seen: { subject: string; text: string; replyTo: string }[] = [];
  let wake = () => {};
  const subscription = bus.subscribe(subject, (message: BusMessage) => {
    seen.push({
      subject: message.subject,
      text: Buffer.from(message.data).toString(),
      replyTo: message.replyTo,
    });
    wake();
  });
  return {
    seen,
    subscription,
    async atLeast(count: number) {
      while (seen.length < count) await new Promise<void>((resolve) => (wake = resolve));
      return seen;
    },
  };
}

/** Resolves on the next change to `wanted`. */
function statusOf(bus: Bus, wanted: string): Promise<void> {
  return new Promise((resolve) => {
    const stop = bus.onStatus((status) => {
      if (status !== wanted) return;
      stop();
      resolve();
    });
  });
}

function noteLog() {
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({
    level: "debug",
    sink: { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  });
  return { lines, log };
}

for (const { name, start } of implementations) {
  const contract = (
    promise: string,
    run: (bus: Harness, lines: Record<string, unknown>[]) => Promise<void>,
  ) =>
    test(`${name}: ${promise}`, { timeout: 30_000 }, async (t) => {
      const { lines, log } = noteLog();
      const harness = await start(t, log);
      if (harness !== null) await run(harness, lines);
    });

  contract("an exact subject gets its own messages and no others", async (harness) => {
    const bus = await harness.client();
    const one = inbox(bus, "router.register");
    const all = inbox(bus, ">");
    bus.publish("router.registered", "no");
    bus.publish("router", "no");
    bus.publish("router.register.more", "no");
    bus.publish("router.register", "yes");
    await all.atLeast(4);
    assert.deepEqual(
      one.seen.map((message) => message.text),
      ["yes"],
    );
  });

  contract("* stands for exactly one token, wherever it is", async (harness) => {
    const bus = await harness.client();
    const last = inbox(bus, "router.*");
    const middle = inbox(bus, "a.*.c");
    const all = inbox(bus, ">");
    for (const subject of ["router.x", "router", "router.x.y", "a.b.c", "a.c", "a.b.b.c"]) {
      bus.publish(subject, "");
    }
    await all.atLeast(6);
    assert.deepEqual(
      last.seen.map((message) => message.subject),
      ["router.x"],
    );
    assert.deepEqual(
      middle.seen.map((message) => message.subject),
      ["a.b.c"],
    );
  });

  contract("> stands for one or more tokens at the end", async (harness) => {
    const bus = await harness.client();
    const below = inbox(bus, "a.>");
    const all = inbox(bus, ">");
    for (const subject of ["a", "a.b", "a.b.c", "b.a.c"]) bus.publish(subject, "");
    await all.atLeast(4);
    assert.deepEqual(
      below.seen.map((message) => message.subject),
      ["a.b", "a.b.c"],
    );
  });

  contract("messages arrive in the order of publishing", async (harness) => {
    const bus = await harness.client();
    const box = inbox(bus, "n");
    for (let n = 0; n < 1_000; n++) bus.publish("n", String(n));
    const seen = await box.atLeast(1_000);
    assert.deepEqual(
      seen.map((message) => Number(message.text)),
      Array.from({ length: 1_000 }, (_, n) => n),
    );
  });

  contract("a handler is never called before publish has returned", async (harness) => {
    const bus = await harness.client();
    const box = inbox(bus, "later");
    bus.publish("later", "x");
    assert.equal(box.seen.length, 0);
    await box.atLeast(1);
  });

  contract("who subscribes after a message was published does not get it", async (harness) => {
    const bus = await harness.client();
    const early = inbox(bus, "s");
    bus.publish("s", "1");
    const late = inbox(bus, "s");
    bus.publish("s", "2");
    await early.atLeast(2);
    assert.deepEqual(
      late.seen.map((message) => message.text),
      ["2"],
    );
  });

  contract("every subscriber gets a copy, also on other clients", async (harness) => {
    const [a, b] = [await harness.client(), await harness.client()];
    const boxes = [inbox(a, "s"), inbox(a, "s"), inbox(b, "s")];
    await a.flush();
    await b.flush();
    a.publish("s", "one");
    b.publish("s", "two");
    for (const box of boxes) {
      const seen = await box.atLeast(2);
      assert.deepEqual(seen.map((message) => message.text).sort(), ["one", "two"]);
    }
  });

  contract("payloads are bytes, any and none of them", async (harness) => {
    const bus = await harness.client();
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    const got: Buffer[] = [];
    const done = new Promise<void>((resolve) => {
      bus.subscribe("bytes", (message) => {
        got.push(Buffer.from(message.data));
        if (got.length === 2) resolve();
      });
    });
    bus.publish("bytes", bytes);
    bus.publish("bytes", new Uint8Array());
    await done;
    assert.deepEqual(got, [Buffer.from(bytes), Buffer.alloc(0)]);
  });

  contract("a payload above the limit is refused where it is published", async (harness) => {
    const bus = await harness.client();
    assert.throws(() => bus.publish("big", new Uint8Array(1024 * 1024 + 1)), {
      code: "bus_payload_too_large",
    });
    assert.throws(() => bus.publish("two words", ""), /not a bus subject/);
  });

  contract("a request resolves with the first answer", async (harness) => {
    const [asking, answering] = [await harness.client(), await harness.client()];
    answering.subscribe("greet", (message) => {
      answering.publish(message.replyTo, `hello ${Buffer.from(message.data).toString()}`);
      answering.publish(message.replyTo, "too late");
    });
    await answering.flush();
    const answers = await Promise.all(["a", "b"].map((who) => asking.request("greet", who, 5_000)));
    assert.deepEqual(
      answers.map((answer) => Buffer.from(answer).toString()),
      ["hello a", "hello b"],
    );
  });

  contract("a request that nobody answers fails after its time, not before", async (harness) => {
    const bus = await harness.client();
    const startedAt = performance.now();
    // A timer of ours keeps no process alive; in a test nothing else may be running.
    const alive = setTimeout(() => {}, 5_000);
    await assert.rejects(bus.request("nobody", "", 50), {
      code: "bus_no_answer",
      message: "nobody answered on the bus subject nobody within 50 ms",
    });
    clearTimeout(alive);
    assert.ok(performance.now() - startedAt >= 49);
  });

  contract("a handler that throws is logged and called again", async (harness, lines) => {
    const bus = await harness.client();
    let calls = 0;
    bus.subscribe("bad", () => {
      calls++;
      throw new Error("boom");
    });
    const after = inbox(bus, "bad");
    bus.publish("bad", "");
    bus.publish("bad", "");
    await after.atLeast(2);
    assert.equal(calls, 2);
    const failures = lines.filter((line) => line["message"] === "bus-handler-failed");
    assert.equal(failures.length, 2);
    assert.equal(failures[0]?.["subject"], "bad");
  });

  contract("an unsubscribed handler is not called again, also from within a handler", async (harness) => {
    const bus = await harness.client();
    const once = inbox(bus, "u");
    const other = inbox(bus, "u");
    const seen = once.seen;
    const self = bus.subscribe("u", () => self.unsubscribe());
    bus.publish("u", "1");
    await once.atLeast(1);
    once.subscription.unsubscribe();
    bus.publish("u", "2");
    await other.atLeast(2);
    assert.equal(seen.length, 1);
  });

  contract("a flush returns when earlier subscriptions are in force", async (harness) => {
    const [a, b] = [await harness.client(), await harness.client()];
    const box = inbox(a, "f");
    await a.flush();
    b.publish("f", "x");
    await b.flush();
    await box.atLeast(1);
  });

  contract("what comes while somebody pauses it arrives in order once nobody does", async (harness) => {
    const [bus, other] = [await harness.client(), await harness.client()];
    const all = Array.from({ length: 100 }, (_, n) => String(n));
    const box = inbox(bus, "p");
    await bus.flush();
    const [resume, resumeToo] = [bus.pause(), bus.pause()];
    for (const text of all) other.publish("p", text);
    resume();
    resume();
    for (let turn = 0; turn < 3; turn++) await new Promise((done) => setImmediate(done));
    assert.equal(box.seen.length, 0, "who resumes twice does not resume for the other one");
    resumeToo();
    const seen = await box.atLeast(all.length);
    assert.deepEqual(
      seen.map((message) => message.text),
      all,
    );
  });

  contract("a handler that pauses it has the next messages wait", async (harness) => {
    const bus = await harness.client();
    const seen: string[] = [];
    let resume = () => {};
    bus.subscribe("p", ({ data }) => {
      seen.push(Buffer.from(data).toString());
      resume = bus.pause();
    });
    const box = inbox(bus, "p");
    await bus.flush();
    bus.publish("p", "1");
    await box.atLeast(1);
    bus.publish("p", "2");
    for (let turn = 0; turn < 3; turn++) await new Promise((done) => setImmediate(done));
    assert.deepEqual(seen, ["1"]);
    resume();
    await box.atLeast(2);
    assert.deepEqual(seen, ["1", "2"]);
    resume();
  });

  contract("it says when it was cut and when it is back, and then works as before", async (harness) => {
    const bus = await harness.client();
    const history: string[] = [];
    bus.onStatus((status) => history.push(status));
    const box = inbox(bus, "after");
    await bus.flush();
    assert.equal(bus.status, "connected");

    const gone = statusOf(bus, "disconnected");
    await harness.disconnect();
    await gone;
    assert.equal(bus.status, "disconnected");
    bus.publish("elsewhere", "lost, but no error");
    await assert.rejects(bus.flush(), { code: "bus_disconnected" });

    const back = statusOf(bus, "connected");
    await harness.reconnect();
    await back;
    assert.equal(bus.status, "connected");
    assert.deepEqual(history, ["disconnected", "connected"]);
    bus.publish("after", "here again");
    const seen = await box.atLeast(1);
    assert.equal(seen[0]?.text, "here again");
  });

  contract("a status handler that was stopped hears nothing", async (harness) => {
    const bus = await harness.client();
    const heard: string[] = [];
    const stop = bus.onStatus((status) => heard.push(status));
    stop();
    const gone = statusOf(bus, "disconnected");
    await harness.disconnect();
    await gone;
    assert.deepEqual(heard, []);
  });

  contract("after close nothing arrives, nothing is sent and nothing throws", async (harness) => {
    const bus = await harness.client();
    const box = inbox(bus, "c");
    await bus.close();
    await bus.close();
    bus.publish("c", "x");
    bus.subscribe("c", () => assert.fail("subscribed after close")).unsubscribe();
    await assert.rejects(bus.flush(), { code: "bus_disconnected" });
    assert.equal(box.seen.length, 0);
  });
}

/** 8 MB: above some 16 a server has the sender wait as well. */
const [WAITING_MESSAGES, WAITING_BYTES] = [256, 32_768];

/** A client that hears of `WAITING_MESSAGES`, and what sends them and resolves when the server has handed them out. */
async function startBacklog(t: TestContext, given: { readonly clock: Clock }) {
  const server = await startNats(t);
  if (server === null) return null;
  const connect = async (clock: Clock) => {
    const bus = await connectNats({
      servers: [`127.0.0.1:${server.port}`],
      user: "",
      pass: "",
      name: "contract",
      pingIntervalMs: 20_000,
      log: noteLog().log,
      clock,
    });
    t.after(() => bus.close());
    return bus;
  };
  const [bus, reading, sender] = [
    await connect(given.clock),
    await connect(systemClock),
    await connect(systemClock),
  ];
  const kept = inbox(reading, "big");
  await reading.flush();
  const send = async () => {
    for (let n = 0; n < WAITING_MESSAGES; n++) sender.publish("big", new Uint8Array(WAITING_BYTES));
    await kept.atLeast(WAITING_MESSAGES);
  };
  return { bus, send };
}

test("NATS: while it is paused messages wait at the server, but for what has been read", async (t) => {
  const backlog = await startBacklog(t, { clock: systemClock });
  if (backlog === null) return;
  const { bus, send } = backlog;
  let seenBytes = 0;
  const resumes: (() => void)[] = [];
  bus.subscribe("big", ({ data }) => {
    if (seenBytes === 0) resumes.push(bus.pause());
    seenBytes += data.length;
  });
  const last = inbox(bus, "big");
  await bus.flush();
  await send();
  assert.ok(seenBytes > 0 && seenBytes < 20 * WAITING_BYTES, `${seenBytes} bytes came`);
  resumes[0]?.();
  await last.atLeast(WAITING_MESSAGES);
  assert.equal(seenBytes, WAITING_MESSAGES * WAITING_BYTES);
});

test("NATS: however old what waits is, a pause keeps most of it from coming in the same turn", async (t) => {
  let nowMs = 0;
  // Whenever it is asked how old it is, everything has become older by hours.
  const clock = { ...systemClock, monotonicMs: () => (nowMs += 10_000_000) };
  const backlog = await startBacklog(t, { clock });
  if (backlog === null) return;
  const { bus, send } = backlog;
  let ofTurnBytes = 0;
  let mostBytes = 0;
  bus.subscribe("big", ({ data }) => {
    if (ofTurnBytes === 0) {
      const resume = bus.pause();
      setImmediate(() => {
        ofTurnBytes = 0;
        resume();
      });
    }
    ofTurnBytes += data.length;
    mostBytes = Math.max(mostBytes, ofTurnBytes);
  });
  const all = inbox(bus, "big");
  await bus.flush();
  await send();
  await all.atLeast(WAITING_MESSAGES);
  assert.ok(mostBytes < 20 * WAITING_BYTES, `${mostBytes} bytes in one turn`);
});

test("NATS: without a server it fails after three tries, naming the address and the setting", async () => {
  const tries: unknown[] = [];
  const { log, lines } = noteLog();
  await assert.rejects(
    connectNats({
      // Port 1 is reserved and nothing listens there.
      servers: ["127.0.0.1:1"],
      user: "",
      pass: "",
      name: "contract",
      pingIntervalMs: 20_000,
      log,
      clock: { ...systemClock, setTimeout: (run, ms) => (tries.push(ms), systemClock.setTimeout(run, 1)) },
    }),
    {
      code: "bus_unreachable",
      message:
        "no connection to NATS at 127.0.0.1:1 after 3 tries: connection refused; start it or change nats.hosts",
    },
  );
  assert.deepEqual(tries, [100, 100]);
  assert.equal(lines.filter((line) => line["message"] === "nats-connection-retry").length, 2);
});

test("NATS: one server of several that answers suffices", async (t) => {
  const server = await startNats(t);
  if (server === null) return;
  const bus = await connectNats({
    servers: ["127.0.0.1:1", `127.0.0.1:${server.port}`],
    user: "",
    pass: "",
    name: "contract",
    pingIntervalMs: 20_000,
    log: noteLog().log,
    clock: systemClock,
  });
  t.after(() => bus.close());
  await bus.flush();
});

test("NATS: a password that the server refuses fails the start; the right one connects", async (t) => {
  const server = await startNats(t, ["--user", "nats", "--pass", "secret"]);
  if (server === null) return;
  const options = {
    servers: [`127.0.0.1:${server.port}`],
    user: "nats",
    name: "contract",
    pingIntervalMs: 20_000,
    log: noteLog().log,
    clock: systemClock,
  };
  await assert.rejects(connectNats({ ...options, pass: "wrong" }), {
    code: "bus_unreachable",
    message: /Authorization Violation; set nats.user and nats.pass to what that server has$/,
  });
  const bus = await connectNats({ ...options, pass: "secret" });
  t.after(() => bus.close());
  await bus.flush();
});

test("NATS: over TLS the server must show a certificate that the client trusts", async (t) => {
  const pair = selfSigned(t);
  if (pair === null) return;
  const server = await startNats(t, ["--tls", "--tlscert", pair.certificatePath, "--tlskey", pair.keyPath]);
  if (server === null) return;
  const options = {
    servers: [`127.0.0.1:${server.port}`],
    user: "",
    pass: "",
    name: "contract",
    pingIntervalMs: 20_000,
    log: noteLog().log,
    clock: systemClock,
  };
  await assert.rejects(connectNats({ ...options, tls: {} }), {
    code: "bus_unreachable",
    message: /self-signed certificate; set nats.tls_enabled and nats.ca_certs to what that server has$/,
  });
  const bus = await connectNats({ ...options, tls: { ca: pair.certificate } });
  t.after(() => bus.close());
  await bus.flush();
});

test("NATS: a lost server is logged once, then reminded of at every ping interval, then as back", async (t) => {
  const server = await startNats(t);
  if (server === null) return;
  const { log, lines } = noteLog();
  let remind = () => {};
  const bus = await connectNats({
    servers: [`127.0.0.1:${server.port}`],
    user: "",
    pass: "",
    name: "contract",
    pingIntervalMs: 20_000,
    log,
    clock: {
      ...systemClock,
      setInterval(run) {
        remind = run;
        return { clear: () => (remind = () => {}) };
      },
    },
    reconnectPauseMs: 10,
  });
  t.after(() => bus.close());
  const gone = statusOf(bus, "disconnected");
  await server.stop();
  await gone;
  remind();
  remind();
  const back = statusOf(bus, "connected");
  await server.restart();
  await back;
  remind();
  assert.deepEqual(
    lines.map((line) => line["message"]).filter((message) => String(message).startsWith("nats-connection")),
    [
      "nats-connection-disconnected",
      "nats-connection-still-disconnected",
      "nats-connection-still-disconnected",
      "nats-connection-reconnected",
    ],
  );
});
