import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { parseFlags } from "./flags.ts";
import { cpuUsOf, parseStat, treeOf } from "./process-tree.ts";
import { median, perRequest, renderTable, summarize } from "./report.ts";
import { parseH2load, percentiles } from "./load.ts";
import { parseWrk } from "./wrk.ts";

const REPORT = `Running 2s test @ http://127.0.0.1:8080/small-get
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.09ms  311.00us   6.19ms   92.41%
    Req/Sec    58.77k     3.06k   63.86k    75.00%
  Latency Distribution
     50%  980.00us
     75%    1.10ms
     90%    1.25ms
     99%    1.82s 
  117023 requests in 2.00s, 25.34MB read
Requests/sec:  58471.32
Transfer/sec:     12.66MB
`;

test("the report of wrk is read with its units", () => {
  assert.deepEqual(parseWrk(REPORT), {
    requests: 117_023,
    requestsPerSecond: 58_471.32,
    p50Ms: 0.98,
    p99Ms: 1_820,
    failures: 0,
  });
});

test("failed connections and answers other than 2xx and 3xx are counted", () => {
  const text = REPORT.replace(
    "Requests/sec",
    "  Socket errors: connect 1, read 2, write 0, timeout 4\n  Non-2xx or 3xx responses: 10\nRequests/sec",
  );
  assert.equal(parseWrk(text).failures, 17);
});

test("a run of wrk without a report is an error that shows what it said", () => {
  assert.throws(
    () => parseWrk("unable to connect to 127.0.0.1:1 Connection refused"),
    /no report:\nunable to connect/,
  );
});

const H2LOAD = `finished in 2.00s, 41234.50 req/s, 8.12MB/s
requests: 82469 total, 82533 started, 82469 done, 82460 succeeded, 9 failed, 3 errored, 1 timeout
status codes: 82460 2xx, 0 3xx, 0 4xx, 6 5xx
`;

test("the report of h2load is read; what errored or was late is part of what failed", () => {
  assert.deepEqual(parseH2load(H2LOAD), { requests: 82_460, requestsPerSecond: 41_234.5, failures: 9 });
  assert.throws(() => parseH2load("the connection was refused"), /no report:\nthe connection/);
});

test("percentiles come from every request of the log", () => {
  const log = Array.from({ length: 100 }, (_, i) => `1700000000000000\t200\t${(100 - i) * 1_000}\n`).join("");
  assert.deepEqual(percentiles(log), { p50Ms: 51, p99Ms: 100 });
});

test("percentiles of parts of a run are of what was sent in them", () => {
  const log = "1000000\t200\t1000\n2000000\t200\t2000\n2999999\t200\t3000\n3000000\t200\t4000\n";
  const second = { fromMs: 2_000, toMs: 3_000 };
  assert.deepEqual(percentiles(log, [second]), { p50Ms: 3, p99Ms: 3 });
  assert.deepEqual(percentiles(log, [{ fromMs: 1_000, toMs: 1_001 }, second]), { p50Ms: 2, p99Ms: 3 });
});

const statLine = (pid: number, name: string, parent: number, utime: number, stime: number) =>
  `${pid} (${name}) S ${parent} ${pid} ${pid} 0 -1 4194560 100 0 0 0 ${utime} ${stime} 7 9 20 0 1 0 100 0 0`;

test("a process is read from its stat line, whatever its name", () => {
  assert.deepEqual(parseStat(statLine(42, "a) b (c", 7, 120, 30)), { pid: 42, parent: 7, cpuUs: 1_500_000 });
});

test("the tree holds a process and its descendants, nobody else", () => {
  const all = [
    statLine(1, "init", 0, 1, 0),
    statLine(10, "m", 1, 1, 0),
    statLine(12, "gc", 11, 1, 0),
    statLine(11, "w", 10, 1, 0),
    statLine(20, "x", 1, 1, 0),
  ].map(parseStat);
  assert.deepEqual(
    treeOf(10, all).map(({ pid }) => pid),
    [10, 11, 12],
  );
  assert.deepEqual(treeOf(99, all), []);
});

test("CPU time of a real process grows with what it does", async (t) => {
  if (process.platform !== "linux") return t.skip("skipped, needs /proc");
  const busy = spawn(process.execPath, [
    "-e",
    "const end = process.cpuUsage().user + 200_000; while (process.cpuUsage().user < end); console.log('done'); setInterval(() => {}, 1000)",
  ]);
  t.after(() => busy.kill("SIGKILL"));
  await once(busy.stdout, "data");
  const us = cpuUsOf(busy.pid ?? 0);
  assert.ok(us >= 190_000 && us < 5_000_000, `${us} µs`);
});

test("the median of an even number of rounds is the middle of the two", () => {
  assert.equal(median([5, 1, 3]), 3);
  assert.equal(median([4, 1, 3, 2]), 2.5);
});

test("CPU per request is what passed, divided by what was answered", () => {
  assert.equal(perRequest(1_000_000, 3_000_000, 100_000), 20);
  assert.ok(Number.isNaN(perRequest(0, 1, 0)));
});

test("ratios compare within one case, and are left out where there is nothing to compare with", () => {
  const series = (caseName: string, proxy: string, ...cpu: (number | null)[]) => ({
    case: caseName,
    proxy,
    residentBytes: 2 ** 20,
    rounds: cpu.map((cpuUsPerRequest) => ({
      requests: 1,
      requestsPerSecond: 10,
      p50Ms: 1,
      p99Ms: 2,
      cpuUsPerRequest,
      failures: 1,
    })),
  });
  const summaries = summarize([
    series("a", "viaduct", 30, 50, 40),
    series("a", "nginx", 20),
    series("b", "nginx", 1),
    series("a", "direct", null),
  ]);
  const [ours, , , direct] = summaries;
  assert.equal(ours?.cpuUsPerRequest, 40);
  assert.deepEqual(ours?.cpuSpreadUs, [30, 50]);
  assert.equal(ours?.cpuTimesNginx, 2);
  assert.equal(ours?.cpuTimesCaddy, null);
  assert.equal(ours?.failures, 3);
  assert.equal(direct?.cpuTimesNginx, null);
  const table = renderTable(summaries);
  assert.match(
    table,
    /^\| a {3} \| viaduct \| +10 \| +1\.00 \| +2\.00 \| +40\.0 \| 30\.0–50\.0 \| +2\.00 \| +– \|/m,
  );
  assert.equal(new Set(table.split("\n").map((line) => line.length)).size, 1, "every line is as wide");
});

const run = (...args: string[]) =>
  spawnSync(process.execPath, [join(import.meta.dirname, "..", "run.ts"), ...args], { encoding: "utf8" });

test("--help explains the flags; a wrong one is named with what there is", () => {
  assert.match(run("--help").stdout, /--rounds N/);
  const wrong = run("--only", "apache");
  assert.equal(wrong.status, 2);
  assert.match(
    wrong.stderr,
    /bench: --only knows viaduct, nginx, nginx-full, haproxy, caddy, direct, not «apache»; see --help/,
  );
  assert.match(run("--at-share", "2").stderr, /--at-share «2» is no number from 0\.1 to 0\.9/);
  assert.match(run("--rounds", "0").stderr, /--rounds «0» is no whole number of at least 1/);
});

test("flags are counts, switches and texts by their defaults", () => {
  const defaults = { routes: 100_000, busy: false, only: "" };
  assert.deepEqual(parseFlags([], defaults), { values: defaults, positionals: [] });
  assert.deepEqual(parseFlags(["--routes", "5", "--busy", "--only=a", "b"], defaults, 1), {
    values: { routes: 5, busy: true, only: "a" },
    positionals: ["b"],
  });
  assert.equal(parseFlags(["-h", "--routes", "x"], defaults), null);
  assert.throws(() => parseFlags(["--routes", "1e5"], defaults), /--routes «1e5» is no whole number/);
  assert.throws(() => parseFlags(["--route", "5"], defaults), /--route/);
  assert.throws(() => parseFlags(["b"], defaults), /«b» is one word too many/);
});
