import assert from "node:assert/strict";
import { Socket } from "node:net";
import { test } from "node:test";
import { FOREIGN_MEMORY, OWN_MEMORY, type ReadMemory, SocketMemory } from "./receive-buffer.ts";

const LONG = 60 * 1024;

/** What a socket does with `onread`: asks for memory, fills it, tells, asks again. */
function reader(receive: (bytes: Buffer, size: number, memory: ReadMemory) => boolean) {
  const { buffer, callback } = new SocketMemory(receive).onread;
  let memory: Buffer = buffer();
  return (size: number, fill: string) => {
    memory.fill(fill, 0, size, "latin1");
    callback(size);
    // Null: into the same again.
    memory = (buffer() as Buffer | null) ?? memory;
    return memory;
  };
}

test("short reads of all connections share their memory, and what they keep is copied", () => {
  const kept: Buffer[] = [];
  const keepAll = (bytes: Buffer, size: number, memory: ReadMemory) => {
    kept.push(memory.keep(bytes, 0, size));
    return false;
  };
  const [one, other] = [reader(keepAll), reader(keepAll)];
  assert.equal(one(3, "a"), other(3, "b"), "the same memory");
  assert.deepEqual(
    kept.map((bytes) => bytes.toString()),
    ["aaa", "bbb"],
  );
});

test("in the middle of a large body reads go into own memory, which is kept as it is and not read into again", () => {
  const kept: Buffer[] = [];
  let isInside = true;
  const read = reader((bytes, size, memory) => {
    kept.push(memory.keep(bytes, 0, size));
    return isInside;
  });
  const own = read(LONG, "a");
  const next = read(LONG, "b");
  assert.notEqual(own, next);
  read(LONG, "c");
  assert.deepEqual(
    kept.map((bytes) => String.fromCharCode(bytes[0] ?? 0)),
    ["a", "b", "c"],
  );
  assert.equal(kept[1]?.buffer, own.buffer, "without a copy");

  isInside = false;
  const shared = read(LONG, "d");
  assert.notEqual(shared, own);
  assert.equal(read(1, "e"), shared, "the body is over: with all others again");
});

test("own memory is used again when nobody needs what was kept of it", () => {
  const read = reader((bytes, size, memory) => {
    memory.keep(bytes, 0, size);
    memory.reuse();
    return true;
  });
  const own = read(LONG, "a");
  assert.equal(read(LONG, "b"), own);
  assert.notEqual(read(100, "c"), own, "short reads do not need it");
});

test("own memory goes back when its connection closes, for the next one", () => {
  let memory: ReadMemory | undefined;
  const read = reader((_bytes, _size, ofRead) => {
    memory = ofRead;
    return true;
  });
  const own = read(LONG, "a");
  memory?.close();
  const next = reader(() => true);
  assert.equal(next(LONG, "b"), own);
});

test("own memory that goes back in the middle of its read is not asked for again", () => {
  const read = reader((bytes, _size, memory) => {
    if (bytes[0] === 0x62) memory.close();
    return true;
  });
  const own = read(LONG, "a");
  read(LONG, "b");
  const next = reader(() => true);
  assert.ok(next(LONG, "c") === own, "the next one has it");
});

test("bodies that stall do not take memory without end", () => {
  const owns = Array.from({ length: 400 }, () => reader(() => true)(LONG, "a"));
  assert.ok(new Set(owns).size <= 257, "own memory for 256 at most, the others share");
});

/** A socket in the middle of a large body: what it reads, whether it may go on, and what is asked of it. */
function largeBody({ isPaused = false } = {}) {
  let isInside = true;
  const asked: string[] = [];
  const handle = { reading: true, readStop: () => void asked.push("stop") };
  const socket = Object.assign(new Socket(), { _handle: handle, isPaused: () => isPaused });
  socket.resume = () => {
    asked.push("resume");
    return socket;
  };
  socket.pause = () => {
    asked.push("pause");
    return socket;
  };
  const memory = new SocketMemory(() => isInside);
  memory.of(socket);
  memory.onread.buffer();
  return {
    asked,
    memory,
    read: () => memory.onread.callback(LONG),
    end() {
      isInside = false;
      memory.onread.callback(1);
    },
    close() {
      memory.close();
      Reflect.set(socket, "_handle", null);
      socket.destroy();
    },
  };
}

test("after much of a large body a socket rests until its turn comes, unless somebody paused it meanwhile", async () => {
  for (const isPaused of [false, true]) {
    await nobodyRests();
    const body = largeBody({ isPaused });
    const goesOn = Array.from({ length: 7 }, body.read);
    assert.deepEqual(goesOn, [...Array(6).fill(true), false]);
    assert.deepEqual(body.asked, ["stop"]);
    await nextTurn();
    assert.deepEqual(body.asked, isPaused ? ["stop"] : ["stop", "resume"]);
    body.close();
  }
});

test("when much of all large bodies was read in a turn all of them rest, and go on one in a turn", async () => {
  await nobodyRests();
  const bodies = Array.from({ length: 7 }, () => largeBody());
  const late = largeBody();
  assert.deepEqual(
    bodies.map(({ read }) => read()),
    [...Array(6).fill(true), false],
  );
  const askedOf = () => bodies.map(({ asked }) => asked.at(-1));
  assert.deepEqual(askedOf(), Array(7).fill("stop"));
  assert.equal(late.read(), false, "what comes late in the turn has one read");
  for (let turn = 1; turn <= 7; turn++) {
    await nextTurn();
    assert.deepEqual(askedOf(), [...Array(turn).fill("resume"), ...Array(7 - turn).fill("stop")]);
  }
  await nextTurn();
  assert.equal(late.asked.at(-1), "resume");
  for (const body of [...bodies, late]) body.close();
});

test("a socket whose body ended while it rested is not read on for it", async () => {
  await nobodyRests();
  const body = largeBody();
  for (let i = 0; i < 7; i++) body.read();
  // Somebody resumed it before its turn.
  body.end();
  await nextTurn();
  assert.deepEqual(body.asked, ["stop"]);
  body.close();
});

test("bytes of a read with its own memory are kept as they are, of somebody else's are copied", () => {
  const bytes = Buffer.from("abc");
  const own = OWN_MEMORY.keep(bytes, 1, 2);
  const copy = FOREIGN_MEMORY.keep(bytes, 1, 2);
  bytes[1] = 0x78;
  assert.equal(own.toString(), "x");
  assert.equal(copy.toString(), "b");
});

/** More turns than there are bodies in any test. */
async function nobodyRests(): Promise<void> {
  for (let turns = 0; turns < 500; turns++) await nextTurn();
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
