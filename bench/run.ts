/**
 * How much CPU does our router spend on a request, next to nginx, HAProxy and Caddy doing the same job?
 * See `README.md` beside this file for what is measured and how to read it.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { findProgram } from "../test/support/needs.ts";
import { writeCertificate } from "./support/certificate.ts";
import { type Child, type Children, createChildren, freePort } from "./support/children.ts";
import { CASES, type Case } from "./support/cases.ts";
import { applyLoad, missingFor } from "./support/load.ts";
import { cpuUsOf, residentBytesOf } from "./support/process-tree.ts";
import { prepareOrigin, proxies, type Proxy } from "./support/proxies.ts";
import { perRequest, renderTable, type Round, type Series, summarize } from "./support/report.ts";

/** The origin without a proxy: shows that the load generator is not what limits the others. */
const DIRECT = "direct";
const CASE_NAMES = CASES.map(({ name }) => name);
const NAMES = [...proxies.map(({ name }) => name), DIRECT];

const PROXY_CORE = 0;
const LOAD_CORE = 1;
/** How long each is loaded to find its peak. */
const PEAK_SECONDS = 3;

const HELP = `Compares the router with nginx, HAProxy and Caddy.

Usage: npm run bench -- [flags]

  --rounds N         measured rounds per case, order reversed each time (default 4)
  --seconds N        length of a round (default 4)
  --warm-up N        seconds of load before the first round (default 3)
  --connections N    keep-alive client connections (default 64)
  --only NAMES       of ${NAMES.join(",")} (default: all)
  --cases NAMES      of ${CASE_NAMES.join(",")} (default: small-get)
  --at-share X       a fixed rate for all: X (0.1 to 0.9) times the peak of the slowest of them, found first;
                     what counts then is p50 and p99
  --json             print JSON instead of the table
  -h, --help         show this text

Examples:
  npm run bench
  npm run bench -- --only viaduct,nginx --rounds 2 --seconds 2
  npm run bench -- --cases small-get,10k,1m --json > result.json
  npm run bench -- --only viaduct,nginx,haproxy --at-share 0.7

Every result is also written to bench/results/.
`;

interface Plan {
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly connections: number;
  readonly only: readonly string[];
  readonly cases: readonly Case[];
  /** Of the slowest peak; null: no limit. */
  readonly atShare: number | null;
  readonly isJson: boolean;
}

interface Contestant {
  readonly name: string;
  readonly port: number;
  readonly child: Child | null;
}

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  let plan: Plan | null;
  try {
    plan = readPlan(argv);
  } catch (error) {
    console.error(`bench: ${(error as Error).message}; see --help`);
    return 2;
  }
  if (plan === null) {
    process.stdout.write(HELP);
    return 0;
  }
  const nginx = findProgram("nginx");
  const missing = missingFor(plan.cases, plan.atShare !== null, findProgram);
  if (missing !== null || nginx === null) {
    console.error(
      `bench: needs ${[missing, nginx === null ? "nginx (the origin)" : null].filter(Boolean).join(", ")}`,
    );
    return 1;
  }
  const chosen = proxies.filter(({ name }) => plan.only.includes(name));
  const present = chosen.filter((proxy) => proxy.program() !== null);
  const absent = chosen.filter((proxy) => !present.includes(proxy));
  if (absent.length > 0) console.error(`left out, not installed: ${absent.map((p) => p.name).join(", ")}`);
  const arePinned = cpus().length > 1 && findProgram("taskset") !== null;
  if (!arePinned) console.error("not pinned to cores (one core, or no taskset): expect noise");

  // Before we add ours: what else the machine was doing.
  const [loadBefore = 0] = loadavg();
  const children = createChildren();
  try {
    const series: Series[] = [];
    for (const one of plan.cases)
      series.push(...(await runCase(plan, one, { children, present, nginx, arePinned })));
    const result = {
      ...describeMachine(),
      loadBefore,
      plan: { ...plan, cases: plan.cases.map(({ name }) => name) },
      versions: Object.fromEntries(present.map((p) => [p.name, p.version(p.program() ?? "")])),
      summary: summarize(series),
      series,
    };
    const file = save(result);
    if (plan.isJson) console.log(JSON.stringify(result, null, 2));
    else {
      console.log(`${result.machine}, load ${loadBefore.toFixed(1)}; ${result.commit}; ${result.at}`);
      console.log(
        Object.entries(result.versions)
          .map(([name, version]) => `${name} ${version}`)
          .join(" · "),
      );
      const rate = plan.atShare === null ? "" : `, at ${plan.atShare} of the slowest peak`;
      console.log(
        `${plan.connections} connections, ${plan.rounds} rounds of ${plan.seconds} s, medians${rate}\n`,
      );
      console.log(renderTable(result.summary));
    }
    console.error(`\nraw numbers: ${file}`);
    return result.summary.some((s) => s.failures > 0) ? 1 : 0;
  } catch (error) {
    // A program that does not start, or a run of wrk that fails: its own words are in the message.
    console.error(`bench: ${(error as Error).message}`);
    return 1;
  } finally {
    await children.stopAll();
  }
}

interface Ground {
  readonly children: Children;
  readonly present: readonly Proxy[];
  readonly nginx: string;
  readonly arePinned: boolean;
}

/** Fresh processes for each case; all stay up during its rounds, the idle ones cost nothing. */
async function runCase(plan: Plan, one: Case, ground: Ground): Promise<readonly Series[]> {
  const { children, present, nginx, arePinned } = ground;
  const caseName = one.name;
  const tls = one.isTls ? writeCertificate(children.folder) : null;
  const core = (which: number) => (arePinned ? which : null);
  const originPort = await freePort();
  await children.start(
    "origin",
    prepareOrigin(one, nginx, children.folder, originPort),
    core(LOAD_CORE),
    originPort,
  );

  const contestants: Contestant[] = [];
  for (const proxy of present) {
    const port = await freePort();
    const command = proxy.prepare(proxy.program() ?? "", {
      folder: children.folder,
      port,
      originPort,
      tls,
      upgrades: one.generator === "websocket",
    });
    contestants.push({
      name: proxy.name,
      port,
      child: await children.start(proxy.name, command, core(PROXY_CORE), port),
    });
  }
  if (plan.only.includes(DIRECT)) contestants.push({ name: DIRECT, port: originPort, child: null });

  const load = async (contestant: Contestant, seconds: number, rate: number | null): Promise<Round> => {
    const { child, port } = contestant;
    const { connections } = plan;
    const isTls = one.isTls && child !== null;
    const beforeUs = child === null ? 0 : cpuUsOf(child.pid);
    const result = await applyLoad(
      { case: one, port, isTls, seconds, connections, rate, folder: children.folder },
      findProgram,
      (command) => children.run(command, core(LOAD_CORE)),
    );
    const afterUs = child === null ? 0 : cpuUsOf(child.pid);
    return {
      ...result,
      cpuUsPerRequest: child === null ? null : perRequest(beforeUs, afterUs, result.requests),
    };
  };

  const rounds = new Map<string, Round[]>(contestants.map(({ name }) => [name, []]));
  for (const contestant of contestants) {
    console.error(`${caseName}: warming up ${contestant.name}`);
    if (plan.warmUpSeconds > 0) await load(contestant, plan.warmUpSeconds, null);
  }
  const rate = plan.atShare === null ? null : plan.atShare * (await slowestPeak(contestants, load));
  if (rate !== null) console.error(`${caseName}: ${rate.toFixed(0)} requests per second for each`);
  for (let number = 0; number < plan.rounds; number++) {
    const order = number % 2 === 0 ? contestants : contestants.toReversed();
    for (const contestant of order) {
      const round = await load(contestant, plan.seconds, rate);
      rounds.get(contestant.name)?.push(round);
      const cpu = round.cpuUsPerRequest === null ? "" : `, ${round.cpuUsPerRequest.toFixed(1)} CPU µs/req`;
      console.error(
        `${caseName}: round ${number + 1} of ${plan.rounds}, ${contestant.name}: ${round.requestsPerSecond.toFixed(0)} req/s${cpu}`,
      );
    }
  }
  const series = contestants.map(({ name, child }) => ({
    case: caseName,
    proxy: name,
    rounds: rounds.get(name) ?? [],
    residentBytes: child === null ? null : residentBytesOf(child.pid),
  }));
  await children.stopAll();
  return series;
}

async function slowestPeak(
  contestants: readonly Contestant[],
  load: (contestant: Contestant, seconds: number, rate: null) => Promise<Round>,
): Promise<number> {
  const peaks: number[] = [];
  for (const contestant of contestants)
    peaks.push((await load(contestant, PEAK_SECONDS, null)).requestsPerSecond);
  return Math.min(...peaks);
}

/** Null when help is wanted. @throws with a sentence about the flag that is wrong */
function readPlan(argv: readonly string[]): Plan | null {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      rounds: { type: "string", default: "4" },
      seconds: { type: "string", default: "4" },
      "warm-up": { type: "string", default: "3" },
      connections: { type: "string", default: "64" },
      only: { type: "string", default: NAMES.join(",") },
      cases: { type: "string", default: "small-get" },
      "at-share": { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return null;
  const cases = choose("cases", values.cases, CASE_NAMES).flatMap((name) =>
    CASES.filter((c) => c.name === name),
  );
  const closing = cases.find(({ closes }) => closes);
  if (closing !== undefined && values["at-share"] !== undefined)
    throw new Error(
      `--at-share does not go with ${closing.name}: what keeps to a rate keeps its connections`,
    );
  return {
    rounds: count("rounds", values.rounds, 1),
    seconds: count("seconds", values.seconds, 1),
    warmUpSeconds: count("warm-up", values["warm-up"], 0),
    connections: count("connections", values.connections, 1),
    only: choose("only", values.only, NAMES),
    cases,
    atShare: values["at-share"] === undefined ? null : share("at-share", values["at-share"]),
    isJson: values.json,
  };
}

function count(flag: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least) return value;
  throw new Error(`--${flag} «${text}» is no whole number of at least ${least}`);
}

function share(flag: string, text: string): number {
  const value = Number(text);
  if (value >= 0.1 && value <= 0.9) return value;
  throw new Error(`--${flag} «${text}» is no number from 0.1 to 0.9`);
}

function choose<N extends string>(flag: string, text: string, known: readonly N[]): readonly N[] {
  return text.split(",").map((given) => {
    const found = known.find((name) => name === given);
    if (found === undefined) throw new Error(`--${flag} knows ${known.join(", ")}, not «${given}»`);
    return found;
  });
}

function describeMachine() {
  const git = (...args: string[]) =>
    spawnSync("git", args, { cwd: import.meta.dirname, encoding: "utf8" }).stdout?.trim() ?? "";
  const isDirty = git("status", "--porcelain", "--untracked-files=no") !== "";
  return {
    at: new Date().toISOString(),
    commit: `${git("rev-parse", "--short", "HEAD") || "unknown commit"}${isDirty ? " with changes" : ""}`,
    machine: `${cpus()[0]?.model ?? "unknown CPU"}, ${cpus().length} cores, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Linux`,
  };
}

function save(result: { readonly at: string; readonly commit: string }): string {
  const folder = join(import.meta.dirname, "results");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${result.at.replaceAll(/[:.]/g, "-")}-${result.commit.split(" ")[0]}.json`);
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  return file;
}
