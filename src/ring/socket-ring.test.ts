import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { readAll } from "../../test/support/read-all.ts";
import { NOTHING_YET } from "./index.ts";
import { addedSocket, connectedPair, Memo, ringFor } from "./testing.ts";

const ECONNRESET = 104;

test("a receive brings what the other end says, and asking twice does not bring it twice", async (t) => {
  const added = await addedSocket(t);
  if (added === null) return;
  const { peer, memo, socket } = added;
  socket.receive();
  socket.receive();
  peer.write("one");
  assert.deepEqual(await memo.until(1), ["received one"]);
  peer.write("two");
  socket.receive();
  assert.deepEqual(await memo.until(2), ["received one", "received two"]);
});

test("a reset that comes together with bytes is heard behind them", async (t) => {
  const added = await addedSocket(t);
  if (added === null) return;
  const { peer, memo, socket } = added;
  socket.receive();
  // The kernel hears of the receive first, of these two before it looks at either.
  await new Promise((resolve) => setImmediate(resolve));
  peer.write("one");
  peer.resetAndDestroy();
  assert.deepEqual(await memo.until(1), ["received one"]);
  socket.receive();
  assert.deepEqual(await memo.until(2), ["received one", `read failed ${ECONNRESET}`]);
});

test("what is sent in one turn goes out as one, in its order, a character per byte", async (t) => {
  const added = await addedSocket(t);
  if (added === null) return;
  const { peer, memo, socket } = added;
  assert.ok(socket.send("one \xfc "));
  assert.ok(socket.send(Buffer.from("two")));
  assert.equal(socket.sendBytes, 9);
  socket.tellWhenSent();
  socket.tellWhenSent();
  assert.equal(await readAll(peer, 9), "one \xfc two");
  assert.deepEqual(await memo.until(1), ["sent"]);
  assert.equal(socket.sendBytes, 0);
});

test("a send is over when its turn is, without anybody asking, and only what is asked for is told", async (t) => {
  const added = await addedSocket(t);
  if (added === null) return;
  const { peer, memo, socket } = added;
  for (const word of ["one ", "two ", "three"]) {
    assert.ok(socket.send(word));
    // The ring has its round before the event loop goes on.
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(socket.sendBytes, 0);
  }
  assert.equal(await readAll(peer, 13), "one two three");
  assert.deepEqual(memo.lines, []);
});

test("what the other end does not take at once is given back", async (t) => {
  const ring = ringFor(t);
  if (ring === null) return;
  const { fd, peer } = await connectedPair(t);
  peer.pause();
  const memo = new Memo();
  const socket = ring.add(fd, memo);
  t.after(() => socket.close());
  let sent = 0;
  while (memo.lines.at(-1) !== "sent in part") {
    const letter = String.fromCharCode(97 + (memo.lines.length % 26));
    assert.ok(socket.send(letter.repeat(60_000)));
    socket.tellWhenSent();
    sent += 60_000;
    await memo.until(memo.lines.length + 1);
  }
  const taken = sent - memo.rest.length;
  const text = (await readAll(peer, taken)) + memo.rest.toString();
  assert.equal(text.length, sent);
  const runs = text.match(/(.)\1*/g) ?? [];
  assert.ok(
    runs.every((run) => run.length === 60_000),
    "each piece whole, and in its place",
  );
});

test("what is sent at once goes behind what is on its way, and in front of what is sent next", async (t) => {
  const added = await addedSocket(t);
  if (added === null) return;
  const { peer, memo, socket } = added;
  for (const [first, last] of [
    ["one ", "three "],
    ["four ", "six "],
  ] as const) {
    const middle = Buffer.from(first === "one " ? "two " : "five ");
    assert.ok(socket.send(first));
    assert.equal(socket.sendNow(middle), middle.length);
    assert.ok(socket.send(last));
    assert.equal(socket.sendBytes, last.length, "only that is on its way");
  }
  const text = "one two three four five six ";
  assert.equal(await readAll(peer, text.length), text);
  assert.deepEqual(memo.lines, []);
});

test("nothing overtakes what the other end did not take, and there is room when it has read", async (t) => {
  const added = await addedSocket(t);
  if (added === null) return;
  const { peer, memo, socket } = added;
  peer.pause();
  const filling = Buffer.alloc(1024 * 1024, "f");
  let taken = 0;
  for (let last = -1; last !== 0; taken += last) last = socket.sendNow(filling);
  assert.ok(socket.send("behind"));
  assert.equal(socket.sendNow(Buffer.from("too early")), 0);
  assert.equal(socket.send("too early"), false, "while it is not known how much was taken");
  await memo.until(1);
  assert.equal(memo.rest.toString(), "behind");
  socket.awaitWritable();
  socket.awaitWritable();
  const arrived = readAll(peer, taken);
  assert.deepEqual(await memo.until(2), ["sent in part", "writable"]);
  assert.equal(await arrived, "f".repeat(taken));
});

test("who waits for bytes is told that there are some, and takes them to where it likes", async (t) => {
  const added = await addedSocket(t);
  if (added === null) return;
  const { peer, memo, socket } = added;
  const memory = Buffer.alloc(5);
  assert.equal(socket.receiveNow(memory), NOTHING_YET);
  socket.awaitReadable();
  peer.end("one two");
  assert.deepEqual(await memo.until(1), ["readable"]);
  assert.equal(socket.receiveNow(memory), 5);
  assert.equal(memory.toString(), "one t");
  assert.equal(socket.receiveNow(memory), 2);
  await once(peer, "finish");
  socket.awaitReadable();
  assert.deepEqual(await memo.until(2), ["readable", "readable"]);
  assert.equal(socket.receiveNow(memory), 0, "the end");
});

test("who closes while it waits for room or bytes hears nothing more, and nor does who comes next", async (t) => {
  const ring = ringFor(t);
  if (ring === null) return;
  const memos = [];
  for (let i = 0; i < 4; i++) {
    const { ours, fd, peer } = await connectedPair(t);
    peer.pause();
    const memo = new Memo();
    memos.push(memo);
    const socket = ring.add(fd, memo);
    while (socket.sendNow(Buffer.alloc(1024 * 1024)) > 0);
    socket.awaitWritable();
    if (i % 2 === 0) socket.awaitReadable();
    await nextTurn();
    socket.close();
    ours.destroy();
    const next = await connectedPair(t);
    const own = new Memo();
    const other = ring.add(next.fd, own);
    t.after(() => other.close());
    other.receive();
    next.peer.write(`for ${i}`);
    assert.deepEqual(await own.until(1), [`received for ${i}`]);
  }
  assert.deepEqual(
    memos.flatMap(({ lines }) => lines),
    [],
  );
});

test("bytes pass from one connection to another in their order, and what there is no room for is fetched", async (t) => {
  const [from, to] = [await addedSocket(t), await addedSocket(t)];
  if (from === null || to === null) return;
  assert.equal(from.socket.receiveToPass(10), NOTHING_YET);
  from.socket.awaitReadable();
  from.peer.write("passes");
  await from.memo.until(1);
  assert.ok(to.socket.send("before "));
  assert.equal(from.socket.receiveToPass(4), 4);
  assert.equal(to.socket.passOn(4), 4);
  assert.equal(from.socket.receiveToPass(4), 2);
  assert.equal(to.socket.passOn(2), 2);
  assert.ok(to.socket.send(" behind"));
  assert.equal(await readAll(to.peer, 20), "before passes behind");

  to.peer.pause();
  while (to.socket.sendNow(Buffer.alloc(1024 * 1024)) > 0);
  from.socket.awaitReadable();
  from.peer.end("waits");
  await from.memo.until(2);
  assert.equal(from.socket.receiveToPass(100), 5);
  assert.equal(to.socket.passOn(5), 0);
  const memory = Buffer.alloc(5);
  to.socket.fetchRest(5, memory);
  assert.equal(memory.toString(), "waits");
  from.socket.awaitReadable();
  await from.memo.until(3);
  assert.equal(from.socket.receiveToPass(100), 0, "the end");
});

test("what passes to a connection that broke fails, and the next one has the way for itself", async (t) => {
  const [from, gone, to] = [await addedSocket(t), await addedSocket(t), await addedSocket(t)];
  if (from === null || gone === null || to === null) return;
  gone.socket.receive();
  gone.peer.resetAndDestroy();
  await gone.memo.until(1);
  from.socket.awaitReadable();
  from.peer.write("lost");
  await from.memo.until(1);
  assert.equal(from.socket.receiveToPass(4), 4);
  assert.ok(gone.socket.passOn(4) < 0);
  from.socket.fetchRest(4, Buffer.alloc(4));
  from.socket.awaitReadable();
  from.peer.write("found");
  await from.memo.until(2);
  assert.equal(from.socket.receiveToPass(5), 5);
  assert.equal(to.socket.passOn(5), 5);
  assert.equal(await readAll(to.peer, 5), "found");
});

test("two descriptors of a connection are one connection, which ends with the last of them", async (t) => {
  const ring = ringFor(t);
  if (ring === null) return;
  const { ours, fd, peer } = await connectedPair(t);
  const memo = new Memo();
  const socket = ring.add(ring.duplicate(fd), memo);
  ours.destroy();
  await once(ours, "close");
  socket.send("still here");
  assert.equal(await readAll(peer, 10), "still here");
  socket.destroy();
  assert.equal(await readAll(peer), "");
  assert.equal(ring.duplicate(-1), -1);
});

test("the other end's end and its reset are told apart", async (t) => {
  const ring = ringFor(t);
  if (ring === null) return;
  const [ending, resetting] = [await connectedPair(t), await connectedPair(t)];
  const [end, reset] = [new Memo(), new Memo()];
  const sockets = [ring.add(ending.fd, end), ring.add(resetting.fd, reset)];
  t.after(() => {
    for (const socket of sockets) socket.close();
  });
  for (const socket of sockets) socket.receive();
  ending.peer.end();
  resetting.peer.resetAndDestroy();
  assert.deepEqual(await end.until(1), ["ended"]);
  assert.deepEqual(await reset.until(1), [`read failed ${ECONNRESET}`]);
});

test("closing sends what was asked to be sent, and the other end sees the connection end though a receive waited", async (t) => {
  const ring = ringFor(t);
  if (ring === null) return;
  const { ours, fd, peer } = await connectedPair(t);
  const memo = new Memo();
  const socket = ring.add(fd, memo);
  socket.receive();
  socket.send("last words");
  socket.close();
  ours.destroy();
  assert.equal(await readAll(peer), "last words");
  assert.deepEqual(memo.lines, [], "who closed hears nothing more");
});

test("a descriptor that becomes another connection's brings nothing to the one that had it before", async (t) => {
  const ring = ringFor(t);
  if (ring === null) return;
  const first = await connectedPair(t);
  const memo = new Memo();
  const socket = ring.add(first.fd, memo);
  socket.receive();
  socket.close();
  first.ours.destroy();
  await once(first.ours, "close");

  // Connections until one has the number; the others are as good a test.
  for (let i = 0; i < 8; i++) {
    const next = await connectedPair(t);
    next.peer.write(`for ${i}`);
    const own = new Memo();
    const other = ring.add(next.fd, own);
    t.after(() => other.close());
    other.receive();
    assert.deepEqual(await own.until(1), [`received for ${i}`]);
  }
  assert.deepEqual(memo.lines, []);
});

test("who closes with bytes on their way hears nothing more, and takes nothing from who comes next", async (t) => {
  const ring = ringFor(t);
  if (ring === null) return;
  const memos = [];
  for (let i = 0; i < 4; i++) {
    const { ours, fd, peer } = await connectedPair(t);
    const memo = new Memo();
    memos.push(memo);
    const socket = ring.add(fd, memo);
    if (i % 2 === 0) socket.receive();
    socket.send(`last words ${i}`);
    socket.tellWhenSent();
    socket.close();
    ours.destroy();
    const next = await connectedPair(t);
    const own = new Memo();
    const other = ring.add(next.fd, own);
    t.after(() => other.close());
    other.receive();
    next.peer.write(`for ${i}`);
    assert.deepEqual(await own.until(1), [`received for ${i}`]);
    assert.equal(await readAll(peer), `last words ${i}`);
  }
  assert.deepEqual(
    memos.flatMap(({ lines }) => lines),
    [],
  );
});

test("of connections that all have something at the same moment none is forgotten", {
  timeout: 20_000,
}, async (t) => {
  const ring = ringFor(t);
  if (ring === null) return;
  const pairs = await Promise.all(Array.from({ length: 90 }, () => connectedPair(t)));
  const memos = pairs.map(({ fd }) => {
    const memo = new Memo();
    const socket = ring.add(fd, memo);
    t.after(() => socket.close());
    socket.receive();
    return memo;
  });
  // All receives are with the kernel before the first byte comes, and nothing else happens after the last one.
  for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => setImmediate(resolve));
  for (const { peer } of pairs) peer.write("now");
  for (const memo of memos) assert.deepEqual(await memo.until(1), ["received now"]);
});

test("more connections than there are buffers all get what is theirs", async (t) => {
  const ring = ringFor(t);
  if (ring === null) return;
  const pairs = await Promise.all(Array.from({ length: 300 }, () => connectedPair(t)));
  const memos = pairs.map(({ fd, peer }, i) => {
    const memo = new Memo();
    peer.write(`for ${i}`);
    const socket = ring.add(fd, memo);
    t.after(() => socket.close());
    socket.receive();
    return memo;
  });
  const heard = await Promise.all(memos.map((memo) => memo.until(1)));
  assert.deepEqual(
    heard.flat(),
    memos.map((_, i) => `received for ${i}`),
  );
});

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
