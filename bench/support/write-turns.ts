/**
 * Loaded into a process besides its program (`--import`): appends how much CPU time each turn of its event loop took,
 * in ms, to the file `turns` of its folder. CPU time of its own thread, so that a busy machine does not count. Turns
 * that end within one millisecond count as one.
 */
import { appendFileSync } from "node:fs";

const WRITE_MS = 100;

const cpuMs = () => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
};
let lastMs = cpuMs();
let turns = "";
setInterval(() => {
  const nowMs = cpuMs();
  turns += `${(nowMs - lastMs).toFixed(3)}\n`;
  lastMs = nowMs;
}, 1).unref();
setInterval(() => {
  appendFileSync("turns", turns);
  turns = "";
}, WRITE_MS).unref();
