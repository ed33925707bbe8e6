import assert from "node:assert/strict";
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { test } from "node:test";
import { createManualClock } from "../kernel/index.ts";
import { createEvents } from "./events.ts";

/** Looks within a second, when each takes so long. */
function looksInASecond(takesMs: number): number {
  const clock = createManualClock();
  let spentMs = 0;
  let looks = 0;
  const events = createEvents({
    routes: {
      look() {
        looks++;
        spentMs += takesMs;
        return null;
      },
      all: () => [],
    },
    clock: { ...clock, monotonicMs: () => clock.monotonicMs() + spentMs },
    stats: () => null,
  });
  const response = new ServerResponse(new IncomingMessage(new Socket()));
  events.connect(response, {});
  looks = 0;
  clock.advance(1_000);
  events.close();
  return looks;
}

test("looking at a small table goes on every 50 ms, at a large one for a twentieth of the time", () => {
  assert.equal(looksInASecond(0), 20);
  // The look at the connection counts as well: 40 ms, and 760 to rest.
  assert.equal(looksInASecond(40), 1);
});
