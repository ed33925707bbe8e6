/**
 * Loaded into a process besides its program (`--import`): appends how much CPU time each turn of its event loop took,
 * in ms, to the file `turns` of its folder. CPU time of its own thread, so that a busy machine does not count. Turns
 * too short to be waited for are left out.
 */
import { appendFileSync } from "node:fs";
import { threadCpuMs } from "./thread-cpu.ts";

const WRITE_MS = 100;
const LEAST_MS = 0.05;

let lastMs = threadCpuMs();
let turns = "";
// Without a reference it runs at the end of each turn, and does not keep the loop from waiting for the next one.
const endTurn = () => {
  const nowMs = threadCpuMs();
  if (nowMs - lastMs >= LEAST_MS) turns += `${(nowMs - lastMs).toFixed(3)}\n`;
  lastMs = nowMs;
  setImmediate(endTurn).unref();
};
setImmediate(endTurn).unref();
setInterval(() => {
  appendFileSync("turns", turns);
  turns = "";
}, WRITE_MS).unref();
