import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_PREPARED, PreparedStatements } from "./prepared.ts";

const SELECT = "select * from apps where guid = $1";

test("a statement is prepared when a connection gets it for the second time, and used by its name from then on", () => {
  const prepared = new PreparedStatements();
  const connection = {};
  assert.equal(prepared.nameFor(connection, SELECT), null);
  const name = prepared.nameFor(connection, SELECT);
  assert.equal(typeof name, "string");
  assert.equal(prepared.nameFor(connection, SELECT), name);
  const other = "select * from apps where name = $1";
  prepared.nameFor(connection, other);
  assert.notEqual(prepared.nameFor(connection, other), name);
});

test("what one connection has prepared is nothing to another", () => {
  const prepared = new PreparedStatements();
  const [one, two] = [{}, {}];
  for (let i = 0; i < 2; i++) prepared.nameFor(one, SELECT);
  assert.equal(prepared.nameFor(two, SELECT), null);
});

for (const text of [
  "select * from routes where host = $1 LIMIT $2",
  "select count(*) as total from routes where host = $1",
]) {
  test(`planned for its values each time: ${text}`, () => {
    const prepared = new PreparedStatements();
    const connection = {};
    for (let i = 0; i < 3; i++) assert.equal(prepared.nameFor(connection, text), null);
  });
}

test("a connection that keeps many statements is worn out, takes no more of them and still knows those", () => {
  const prepared = new PreparedStatements();
  const connection = {};
  const texts = Array.from({ length: MAX_PREPARED }, (_, i) => `${SELECT} and ${i} = $2`);
  const names = new Set<string | null>();
  for (const text of texts) {
    assert.equal(prepared.isWornOut(connection), false);
    prepared.nameFor(connection, text);
    names.add(prepared.nameFor(connection, text));
  }
  assert.equal(names.size, MAX_PREPARED);
  assert.equal(prepared.isWornOut(connection), true);
  for (let i = 0; i < 3; i++) assert.equal(prepared.nameFor(connection, SELECT), null);
  assert(names.has(prepared.nameFor(connection, texts[0] ?? "")));
});

test("statements that come once each wear nothing out, however many there are", () => {
  const prepared = new PreparedStatements();
  const connection = {};
  for (let i = 0; i < 5_000; i++) prepared.nameFor(connection, `${SELECT} and ${i} = $2`);
  assert.equal(prepared.isWornOut(connection), false);
});

test("once the tables have changed, every connection from before is worn out, and those after it are not", () => {
  const prepared = new PreparedStatements();
  const before = {};
  for (let i = 0; i < 2; i++) prepared.nameFor(before, SELECT);
  prepared.wearOutAll();
  const after = {};
  assert.deepEqual([prepared.isWornOut(before), prepared.isWornOut(after)], [true, false]);
  assert.equal(prepared.nameFor(before, SELECT), null);
  prepared.nameFor(after, SELECT);
  assert.notEqual(prepared.nameFor(after, SELECT), null);
});
