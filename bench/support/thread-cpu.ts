/**
 * CPU time of this thread, in ms. Linux counts it at ticks of up to 4 ms while a thread runs on: short of that, all of
 * a busy stretch would be the last turn's. To ask for the process's own time first brings it up to date.
 */
export function threadCpuMs(): number {
  process.cpuUsage();
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}
