import assert from "node:assert/strict";
import { test } from "node:test";
import { createFlusher } from "./flusher.ts";

/** A disk that writes when it is told to. */
function slowDisk() {
  const syncs: PromiseWithResolvers<void>[] = [];
  const flusher = createFlusher(() => {
    const sync = Promise.withResolvers<void>();
    syncs.push(sync);
    return sync.promise;
  });
  const acknowledged: string[] = [];
  const write = (name: string) => flusher.flush().then(() => void acknowledged.push(name));
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { flusher, syncs, acknowledged, write, settle };
}

test("a write is acknowledged after a sync that began after it, and those who wait share one", async () => {
  const { syncs, acknowledged, write, settle } = slowDisk();
  const writes = [write("a"), write("b"), write("c")];
  await settle();
  assert.deepEqual([syncs.length, acknowledged], [1, []]);
  syncs[0]?.resolve();
  await settle();
  assert.deepEqual([syncs.length, acknowledged], [2, ["a"]]);
  writes.push(write("d"));
  syncs[1]?.resolve();
  await settle();
  assert.deepEqual([syncs.length, acknowledged], [3, ["a", "b", "c"]]);
  syncs[2]?.resolve();
  await Promise.all(writes);
  assert.deepEqual([syncs.length, acknowledged], [3, ["a", "b", "c", "d"]]);
});

test("a disk that refused once is not believed again", async () => {
  const { syncs, write, settle } = slowDisk();
  const failure = new Error("EIO");
  const writes = [write("a"), write("b")];
  syncs[0]?.reject(failure);
  for (const one of [...writes, write("c")]) await assert.rejects(one, failure);
  await settle();
  assert.equal(syncs.length, 1);
});

test("closing waits for the sync that runs", async () => {
  const { flusher, syncs, write, settle } = slowDisk();
  const written = write("a");
  let isClosed = false;
  const closed = flusher.close().then(() => {
    isClosed = true;
  });
  await settle();
  assert.equal(isClosed, false);
  syncs[0]?.resolve();
  await Promise.all([written, closed]);
});
