import assert from "node:assert/strict";
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { test } from "node:test";
import { createManualClock } from "../kernel/index.ts";
import { createEvents } from "./events.ts";

/** A table that a look at takes so long, in steps of a millisecond. */
function start(takesMs: number) {
  const clock = createManualClock();
  let spentMs = 0;
  let looks = 0;
  const events = createEvents({
    routes: {
      *look() {
        looks++;
        for (let i = 0; i < takesMs; i++) {
          spentMs++;
          yield;
        }
        return null;
      },
      all: () => [],
    },
    clock: { ...clock, monotonicMs: () => clock.monotonicMs() + spentMs },
    stats: () => null,
  });
  return {
    clock,
    events,
    looks: () => looks,
    spentMs: () => spentMs,
    connect() {
      const response = new ServerResponse(new IncomingMessage(new Socket()));
      events.connect(response, {});
      return response;
    },
  };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

async function looksInASecond(takesMs: number): Promise<number> {
  const { clock, events, looks, connect } = start(takesMs);
  const finish = async () => {
    for (let slice = 0; slice <= takesMs; slice += 5) await turn();
  };
  connect();
  await finish();
  const before = looks();
  for (let i = 0; i < 20; i++) {
    clock.advance(50);
    await finish();
  }
  events.close();
  return looks() - before;
}

test("looking at a small table goes on every 50 ms, at a large one for a twentieth of the time", async () => {
  assert.equal(await looksInASecond(0), 20);
  // The look at the connection counts as well: 40 ms, and 760 to rest.
  assert.equal(await looksInASecond(40), 1);
});

test("a long look has 5 ms of a turn, and who connects meanwhile gets the image at its end", async () => {
  const { events, looks, spentMs, connect } = start(20);
  const first = connect();
  assert.equal(spentMs(), 5);
  await turn();
  assert.equal(spentMs(), 10);
  const second = connect();
  assert.deepEqual([first.writableLength, second.writableLength], [0, 0]);
  for (let i = 0; i < 3; i++) await turn();
  assert.ok(first.writableLength > 0 && second.writableLength > 0);
  assert.deepEqual([looks(), spentMs()], [1, 20]);
  events.close();
});

test("a page that waits for its image is let go when the dashboard ends", () => {
  const { events, connect } = start(20);
  const response = connect();
  events.close();
  assert.ok(response.writableEnded);
});
