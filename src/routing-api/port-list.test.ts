import assert from "node:assert/strict";
import { test } from "node:test";
import { portListProblem } from "./port-list.ts";

const OUTSIDE = "port must be between 1024 and 65535";

for (const { ports, problem } of [
  { ports: "1024-1123 ,2000", problem: "range (1024-1123 ) requires an ending port" },
  { ports: "", problem: OUTSIDE },
  { ports: "abc", problem: OUTSIDE },
  { ports: "1023", problem: OUTSIDE },
  { ports: "65536", problem: OUTSIDE },
  { ports: "80-2000", problem: OUTSIDE },
  { ports: "2000-70000", problem: OUTSIDE },
  { ports: "-2000", problem: "range (-2000) requires a starting port" },
  { ports: "2000-", problem: "range (2000-) requires an ending port" },
  { ports: "2000-1999", problem: "range (2000-1999) must be in ascending numeric order" },
  { ports: "1-2-3", problem: "range (1-2-3) has too many '-' separators" },
  { ports: "1024-1123,1100-1200", problem: "Overlapping values: [1024-1123] and [1100-1200]" },
  { ports: "2000,1024-3000", problem: "Overlapping values: 2000 and [1024-3000]" },
  { ports: "2000,2000", problem: "Overlapping values: 2000 and 2000" },
  { ports: "1024-1123,1124,2000-2000", problem: null },
]) {
  test(`reservable ports «${ports}»: ${problem ?? "taken"}`, () => {
    assert.equal(portListProblem(ports), problem);
  });
}
