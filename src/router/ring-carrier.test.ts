import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, BoundSocket, connect, createServer, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { readAll } from "../../test/support/read-all.ts";
import { openSocketRing, RECEIVE_BYTES, type SocketRing } from "../ring/index.ts";
import type { Carrier, CarrierListener } from "./carrier.ts";
import { carryAccepted, RingCarrier } from "./ring-carrier.ts";

const MIB = 1024 * 1024;

interface Carried {
  readonly carrier: Carrier;
  readonly peer: Socket;
  /** What was heard: sizes of what was received, «drained», «ended», «closed». */
  readonly heard: string[];
  text: string;
  /** What the receiver returns: it is in the middle of a body. */
  isInside: boolean;
  /** What it does in the middle of a receive. */
  amid: () => void;
  until(isSo: () => boolean): Promise<void>;
}

/** Who has accepted: a server of Node's, whose socket there is, or the ring, and there is a descriptor. */
const KINDS = ["socket", "descriptor"] as const;
type Kind = (typeof KINDS)[number];

/** Listens, and begins to carry the first connection. */
async function accept(
  t: TestContext,
  kind: Kind,
  ring: SocketRing,
  listener: CarrierListener,
): Promise<{ readonly port: number; readonly carrier: Promise<Carrier> }> {
  const { promise: carrier, resolve } = Promise.withResolvers<Carrier>();
  if (kind === "socket") {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (accepted) =>
      resolve(carryAccepted(ring, accepted, listener)),
    );
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => server.close());
    return { port: (server.address() as AddressInfo).port, carrier };
  }
  const bound = new BoundSocket({ host: "127.0.0.1", port: 0 });
  const acceptor = ring.listen(bound.fd(), 16, {
    accepted: (fd) => resolve(new RingCarrier(ring, fd, listener)),
    failed: (errno) => assert.fail(`accept fails with errno ${errno}`),
  });
  t.after(() => {
    acceptor.close();
    bound.close();
  });
  return { port: bound.address().port, carrier };
}

async function carried(t: TestContext, kind: Kind): Promise<Carried | null> {
  const opened = openSocketRing();
  if (opened.ring === null) {
    t.skip(opened.reason);
    return null;
  }
  let wake = () => {};
  const heard: string[] = [];
  const hear = (line: string) => {
    heard.push(line);
    wake();
  };
  const it = {
    heard,
    text: "",
    isInside: false,
    amid: () => {},
    async until(isSo: () => boolean) {
      while (!isSo()) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
  const accepting = await accept(t, kind, opened.ring, {
    received: (bytes, size) => {
      it.text += bytes.toString("latin1", 0, size);
      it.amid();
      hear(`${size}`);
      return it.isInside;
    },
    drained: () => hear("drained"),
    ended: () => hear("ended"),
    closed: () => hear("closed"),
  });
  const peer = connect({ port: accepting.port, host: "127.0.0.1", allowHalfOpen: true });
  peer.on("error", () => {});
  const carrier = await accepting.carrier;
  t.after(() => {
    peer.destroy();
    carrier.destroy();
  });
  return Object.assign(it, { carrier, peer });
}

for (const kind of KINDS) {
  const accepted = kind === "socket" ? "accepted by Node" : "accepted by the ring";
  test(`${accepted}: short, long and corked writes arrive in their order, whichever way each goes`, async (t) => {
    const it = await carried(t, kind);
    if (it === null) return;
    const { carrier, peer } = it;
    const pieces = ["short ", "l".repeat(3 * MIB), " short again ", "m".repeat(40_000), " end"];
    carrier.write(pieces[0] ?? "", "latin1");
    carrier.write(Buffer.from(pieces[1] ?? ""));
    carrier.write(pieces[2] ?? "", "latin1");
    carrier.cork();
    carrier.write(Buffer.from(pieces[3] ?? ""));
    carrier.write(pieces[4] ?? "", "latin1");
    carrier.uncork();
    const whole = pieces.join("");
    const arrived = await readAll(peer, whole.length);
    assert.ok(arrived === whole, `${arrived.length} bytes of ${whole.length}, or in another order`);
  });

  test(`${accepted}: a copy goes out behind what was written before it, whatever becomes of the memory`, async (t) => {
    const it = await carried(t, kind);
    if (it === null) return;
    const { carrier, peer } = it;
    assert.ok(carrier.writeCopy);
    const memory = Buffer.from("--body--");
    carrier.write("head ", "latin1");
    carrier.writeCopy(memory, 2, 6);
    memory.fill("x");
    carrier.write(" end", "latin1");
    assert.equal(await readAll(peer, 13), "head body end");
  });

  test(`${accepted}: a peer that does not read is waited for, and what waits goes out when it reads`, async (t) => {
    const it = await carried(t, kind);
    if (it === null) return;
    const { carrier, peer } = it;
    peer.pause();
    let written = 0;
    while (!carrier.writableNeedDrain) {
      carrier.write("x".repeat(10_000), "latin1");
      written += 10_000;
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(carrier.writableLength > 0);
    const [arrived] = await Promise.all([
      readAll(peer, written),
      it.until(() => it.heard.includes("drained")),
    ]);
    assert.equal(arrived.length, written);
    assert.equal(carrier.writableLength, 0);
  });

  test(`${accepted}: ending sends what is written first, and leaves the other direction open`, async (t) => {
    const it = await carried(t, kind);
    if (it === null) return;
    const { carrier, peer } = it;
    carrier.write("answer", "latin1");
    carrier.end();
    assert.equal(await readAll(peer), "answer");
    peer.write("still talking");
    await it.until(() => it.text === "still talking");
    peer.end();
    await it.until(() => it.heard.includes("closed"));
    assert.deepEqual(it.heard, ["13", "ended", "closed"]);
  });

  test(`${accepted}: destroying soon sends what is written; a reset is seen as one`, async (t) => {
    const [soon, reset] = [await carried(t, kind), await carried(t, kind)];
    if (soon === null || reset === null) return;
    soon.carrier.write("last", "latin1");
    soon.carrier.destroySoon();
    assert.equal(await readAll(soon.peer), "last");
    await soon.until(() => soon.heard.includes("closed"));

    reset.carrier.resetAndDestroy();
    const [error] = (await once(reset.peer, "error")) as [NodeJS.ErrnoException];
    assert.equal(error.code, "ECONNRESET");
  });

  test(`${accepted}: while it is paused nothing is told, and everything after it, the end too`, async (t) => {
    const it = await carried(t, kind);
    if (it === null) return;
    const { carrier, peer } = it;
    peer.write("one");
    await it.until(() => it.text === "one");
    carrier.pause();
    peer.end("two");
    await once(peer, "finish");
    for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(it.heard, ["3"]);
    carrier.resume();
    await it.until(() => it.heard.includes("ended"));
    assert.deepEqual([it.text, it.heard], ["onetwo", ["3", "3", "ended"]]);
  });

  test(`${accepted}: pieces that come during a pause are told after it as they came, and what comes meanwhile behind them`, async (t) => {
    const it = await carried(t, kind);
    if (it === null) return;
    const { carrier, peer } = it;
    peer.write("zero");
    await it.until(() => it.text === "zero");
    carrier.pause();
    for (const word of [" one", " two", " three"]) {
      await new Promise<void>((resolve) => peer.write(word, () => resolve()));
      for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual(it.heard, ["4"]);
    carrier.resume();
    carrier.pause();
    carrier.resume();
    peer.end(" four");
    await it.until(() => it.heard.includes("ended"));
    assert.equal(it.text, "zero one two three four");
  });

  test(`${accepted}: a large body is read in long pieces, and what comes behind it in short ones again`, async (t) => {
    const it = await carried(t, kind);
    if (it === null) return;
    const { peer } = it;
    it.isInside = true;
    peer.write("b".repeat(4 * MIB));
    await it.until(() => {
      it.isInside = it.text.length < 4 * MIB;
      return !it.isInside;
    });
    const sizes = it.heard.map(Number);
    assert.ok(Math.max(...sizes) > 16 * 1024, `longest ${Math.max(...sizes)}`);
    // The last long read was still inside, as far as it could know: one more ends that.
    peer.write("x");
    await it.until(() => it.text.endsWith("x"));
    peer.write("request");
    await it.until(() => it.text.endsWith("xrequest"));
    assert.equal(it.text.length, 4 * MIB + 8);
  });

  test(`${accepted}: whoever goes on and pauses again amid a receive gets everything in its order`, async (t) => {
    const it = await carried(t, kind);
    if (it === null) return;
    const { carrier, peer } = it;
    const whole = Array.from({ length: 20_000 }, (_, i) => String(i).padStart(8, "0")).join("");
    it.isInside = true;
    it.amid = () => {
      carrier.pause();
      carrier.resume();
      carrier.pause();
    };
    // A full receive, so that a long read is next: nobody else may read what comes meanwhile.
    peer.write(whole.slice(0, RECEIVE_BYTES));
    await it.until(() => it.text.length === RECEIVE_BYTES);
    peer.write(whole.slice(RECEIVE_BYTES));
    for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(it.text.length, RECEIVE_BYTES);
    it.amid = () => {};
    carrier.resume();
    await it.until(() => it.text.length === whole.length);
    assert.ok(it.text === whole, "in another order");
  });

  test(`${accepted}: a connection that the peer resets is told to be closed, once`, async (t) => {
    const it = await carried(t, kind);
    if (it === null) return;
    it.peer.write("hello");
    await it.until(() => it.text === "hello");
    it.peer.resetAndDestroy();
    await it.until(() => it.heard.includes("closed"));
    it.carrier.write("too late", "latin1");
    it.carrier.destroy();
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(it.heard, ["5", "closed"]);
  });

  test(`${accepted}: a peer that has ended and reads late gets everything, and each end is told once`, async (t) => {
    const it = await carried(t, kind);
    if (it === null) return;
    const { carrier, peer } = it;
    peer.pause();
    peer.end("request");
    await it.until(() => it.heard.includes("ended"));
    let written = 0;
    while (!carrier.writableNeedDrain) {
      carrier.write("x".repeat(30_000), "latin1");
      written += 30_000;
      await new Promise((resolve) => setImmediate(resolve));
    }
    carrier.end();
    assert.equal((await readAll(peer)).length, written);
    await it.until(() => it.heard.includes("closed"));
    assert.deepEqual(
      it.heard.filter((line) => line !== "drained"),
      ["7", "ended", "closed"],
    );
  });

  test(`${accepted}: what is written, ended or destroyed when all is over does nothing, to another connection either`, async (t) => {
    const it = await carried(t, kind);
    if (it === null) return;
    it.carrier.destroy();
    await it.until(() => it.heard.includes("closed"));
    // It likely has the descriptor's number.
    const next = await carried(t, kind);
    if (next === null) return;
    it.carrier.write("l".repeat(100_000), "latin1");
    it.carrier.write("short", "latin1");
    it.carrier.resume();
    it.carrier.end();
    it.carrier.destroySoon();
    it.carrier.resetAndDestroy();
    next.carrier.write("alone", "latin1");
    next.carrier.end();
    assert.equal(await readAll(next.peer), "alone");
    assert.deepEqual(it.heard, ["closed"]);
    assert.equal(it.carrier.localAddress, undefined);
  });
}
