import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { readAll } from "../../test/support/read-all.ts";
import { openSocketRing } from "../ring/index.ts";
import type { Carrier } from "./carrier.ts";
import { carryAccepted } from "./ring-carrier.ts";

const MIB = 1024 * 1024;

interface Carried {
  readonly carrier: Carrier;
  readonly peer: Socket;
  /** What was heard: sizes of what was received, «drained», «ended», «closed». */
  readonly heard: string[];
  text: string;
  /** What the receiver returns: it is in the middle of a body. */
  isInside: boolean;
  until(isSo: () => boolean): Promise<void>;
}

async function carried(t: TestContext): Promise<Carried | null> {
  const opened = openSocketRing();
  if (opened.ring === null) {
    t.skip(opened.reason);
    return null;
  }
  const server = createServer({ allowHalfOpen: true, noDelay: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const peer = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  peer.on("error", () => {});
  const [accepted] = (await once(server, "connection")) as [Socket];
  let wake = () => {};
  const heard: string[] = [];
  const hear = (line: string) => {
    heard.push(line);
    wake();
  };
  const it = {
    peer,
    heard,
    text: "",
    isInside: false,
    async until(isSo: () => boolean) {
      while (!isSo()) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
  const carrier = carryAccepted(opened.ring, accepted, {
    received: (bytes, size) => {
      it.text += bytes.toString("latin1", 0, size);
      hear(`${size}`);
      return it.isInside;
    },
    drained: () => hear("drained"),
    ended: () => hear("ended"),
    closed: () => hear("closed"),
  });
  t.after(() => {
    peer.destroy();
    carrier.destroy();
    server.close();
  });
  return Object.assign(it, { carrier });
}

test("short, long and corked writes arrive in their order, whichever way each goes", async (t) => {
  const it = await carried(t);
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

test("a peer that does not read is waited for, and what waits goes out when it reads", async (t) => {
  const it = await carried(t);
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
  const [arrived] = await Promise.all([readAll(peer, written), it.until(() => it.heard.includes("drained"))]);
  assert.equal(arrived.length, written);
  assert.equal(carrier.writableLength, 0);
});

test("ending sends what is written first, and leaves the other direction open", async (t) => {
  const it = await carried(t);
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

test("destroying soon sends what is written; a reset is seen as one", async (t) => {
  const [soon, reset] = [await carried(t), await carried(t)];
  if (soon === null || reset === null) return;
  soon.carrier.write("last", "latin1");
  soon.carrier.destroySoon();
  assert.equal(await readAll(soon.peer), "last");
  await soon.until(() => soon.heard.includes("closed"));

  reset.carrier.resetAndDestroy();
  const [error] = (await once(reset.peer, "error")) as [NodeJS.ErrnoException];
  assert.equal(error.code, "ECONNRESET");
});

test("while it is paused nothing is told, and everything after it, the end too", async (t) => {
  const it = await carried(t);
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

test("pieces that come during a pause are told after it as they came, and what comes meanwhile behind them", async (t) => {
  const it = await carried(t);
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

test("a large body is read in long pieces, and what comes behind it in short ones again", async (t) => {
  const it = await carried(t);
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

test("a connection that the peer resets is told to be closed, once", async (t) => {
  const it = await carried(t);
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
