/**
 * What do other clients see while somebody misuses the router?
 *
 *   node bench/router/abuse.bench.ts [--only NAMES] [--rounds N] [--seconds N] [--isolated]   (--help: the names)
 *
 * Clients with good manners ask at a moderate, fixed rate; every round has a part without the abuse and one beside it,
 * the order reversed each time. The router has core 0; the clients, the origins and whoever misuses share core 1, where
 * the abuse delays the others too. So the same clients also ask their origin past the router while it goes on: what they
 * see there is not the router's doing. With `--isolated` they and their origin come before whoever misuses, who has an
 * origin of its own: then the clock tells what the router does.
 *
 * On a busy machine percentiles of waiting say little. So the turns of the router's event loop are written down too, in
 * CPU time: somebody's bytes that come at any moment wait for the rest of the turn, and the 99th percentile of that is
 * what the router itself adds.
 */
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { findProgram } from "../../test/support/needs.ts";
import { ABUSED_HOST, ABUSES, type Abuse } from "../support/abuses.ts";
import { CASES, type Case } from "../support/cases.ts";
import { writeCertificate } from "../support/certificate.ts";
import { type Child, createChildren, freePort } from "../support/children.ts";
import { applyLoad, type LoadResult } from "../support/load.ts";
import { cpuUsOf, residentBytesOf } from "../support/process-tree.ts";
import { prepareOrigin } from "../support/proxies.ts";

const ROUTER_CORE = 0;
const LOAD_CORE = 1;
const RATE = 2_000;
const CONNECTIONS = 32;
const REAL_TIME_PRIORITY = 20;
const WARM_UP_SECONDS = 2;
/** For what an abuse leaves behind to be gone: the router lingers on a connection for 2 s. */
const SETTLE_MS = 2_500;
const ONE_PER_CENT = 0.01;
/** How exactly the wait for a turn is found. */
const STEP_MS = 0.05;

const USAGE = `What do other clients see while somebody misuses the router?

  --only NAMES   of these, separated by commas; all when it is left out
  --rounds N     each has a part without the abuse and one beside it; 5
  --seconds N    of each part; 3
  --isolated     well-mannered clients and their origin run at real-time priority, whoever misuses at an ordinary one, and
                 the router's event loop has its core for itself, so that percentiles are its doing; needs root, or the
                 capability CAP_SYS_NICE, and chrt and taskset

${ABUSES.map(({ name, does }) => `  ${name.padEnd(18)}${does}`).join("\n")}`;

interface Part extends LoadResult {
  /** Of the router, in per cent of a core. */
  readonly cpuPercent: number;
  readonly residentBytes: number;
  /** 99th percentile of the wait for a turn. */
  readonly turnMs: number;
}

type Wrap = (command: readonly string[]) => readonly string[];

interface Rounds {
  readonly without: Part[];
  readonly beside: Part[];
  /** Past the router, while the abuse goes on. */
  readonly direct: LoadResult[];
}

const { values } = parseArgs({
  options: {
    only: { type: "string", default: ABUSES.map(({ name }) => name).join(",") },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "3" },
    isolated: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit();
}
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const chosen = values.only.split(",");
const unknown = chosen.find((name) => !ABUSES.some((abuse) => abuse.name === name));
if (unknown !== undefined) throw new Error(`there is no abuse «${unknown}»; --help names them all`);
const missing = ["nginx", "h2load", "openssl", ...(values.isolated ? ["chrt", "taskset"] : [])].filter(
  (name) => findProgram(name) === null,
);
if (missing.length > 0) throw new Error(`needs ${missing.join(", ")}`);

console.log(
  `${RATE} requests a second on ${CONNECTIONS} connections; medians of ${rounds} rounds of ${seconds} s\n`,
);
console.log(
  "| abuse | p99 ms without | beside | ratio | at the origin | wait for a turn, p99 ms | router's CPU % | held MB | failed |",
);
console.log("|---|--:|--:|--:|--:|--:|--:|--:|--:|");
for (const abuse of ABUSES.filter(({ name }) => chosen.includes(name)))
  console.log(report(abuse, await measure(abuse)));

async function measure(abuse: Abuse): Promise<Rounds> {
  const children = createChildren();
  try {
    const small = CASES.find(({ name }) => name === "small-get") as Case;
    const tls = abuse.isTls ? writeCertificate(children.folder) : null;
    const startOrigin = async (name: string, uploadBytes: number, wrap: Wrap): Promise<number> => {
      const folder = join(children.folder, name);
      mkdirSync(folder);
      const originPort = await freePort();
      const command = prepareOrigin(
        { ...small, uploadBytes },
        findProgram("nginx") ?? "",
        folder,
        originPort,
      );
      await children.start(name, wrap(command), LOAD_CORE, originPort);
      return originPort;
    };
    const originPort = await startOrigin("origin", 0, comesFirst);
    const abusedOriginPort = await startOrigin("abused-origin", abuse.uploads ? 1 : 0, comesLast);
    const port = await freePort();
    const router = await children.start(
      "router",
      [
        process.execPath,
        "--import",
        join(import.meta.dirname, "../support/write-turns.ts"),
        join(import.meta.dirname, "../support/router-process.ts"),
        String(port),
        String(originPort),
        join(children.folder, "access.log"),
        ...(tls === null ? ["", ""] : [tls.certificate, tls.key]),
        ABUSED_HOST,
        String(abusedOriginPort),
      ],
      ROUTER_CORE,
      port,
    );

    // What collects and compiles beside the event loop, which would otherwise wait for it.
    const helpers = readdirSync(`/proc/${router.pid}/task`).filter((thread) => thread !== String(router.pid));
    if (values.isolated) {
      for (const thread of helpers)
        await children.run(["taskset", "--cpu-list", "--pid", String(LOAD_CORE), thread], null);
    }

    const ask = (loadPort: number, isTls: boolean, loadSeconds: number, rate: number | null) =>
      applyLoad(
        {
          case: small,
          port: loadPort,
          isTls,
          seconds: loadSeconds,
          connections: CONNECTIONS,
          rate,
          folder: children.folder,
        },
        findProgram,
        (command) => children.run(comesFirst(command), LOAD_CORE),
      );
    const askRouter = async (): Promise<Part> => {
      const turns = join(children.folder, "turns");
      const turnsFrom = statSync(turns).size;
      const before = cpuUsOf(router.pid);
      const startedAtMs = performance.now();
      const result = await ask(port, abuse.isTls, seconds, RATE);
      const tookMs = performance.now() - startedAtMs;
      return {
        ...result,
        cpuPercent: (cpuUsOf(router.pid) - before) / tookMs / 10,
        residentBytes: residentBytesOf(router.pid),
        turnMs: waitForTurn(readFileSync(turns, "latin1").slice(turnsFrom).split("\n").map(Number), tookMs),
      };
    };
    const abuseIt = async (): Promise<Child> => {
      const readyPort = await freePort();
      const program = join(import.meta.dirname, "../support/abuses.ts");
      const command = [process.execPath, program, abuse.name, String(port), String(readyPort)];
      return children.start(abuse.name, comesLast(command), LOAD_CORE, readyPort);
    };

    await ask(port, abuse.isTls, WARM_UP_SECONDS, null);
    const without: Part[] = [];
    const beside: Part[] = [];
    const direct: LoadResult[] = [];
    const askWithout = async () => void without.push(await askRouter());
    const askBeside = async () => {
      const abuser = await abuseIt();
      beside.push(await askRouter());
      direct.push(await ask(originPort, false, seconds, RATE));
      await abuser.stop();
      await sleep(SETTLE_MS);
    };
    for (let round = 0; round < rounds; round++) {
      const parts = [askWithout, askBeside];
      for (const part of round % 2 === 0 ? parts : parts.toReversed()) await part();
    }
    return { without, beside, direct };
  } finally {
    await children.stopAll();
  }
}

/** Runs whenever it can, while whatever {@link comesLast} waits. */
function comesFirst(command: readonly string[]): readonly string[] {
  return values.isolated ? ["chrt", "--rr", String(REAL_TIME_PRIORITY), ...command] : command;
}

/** At an ordinary priority, whatever ours is. */
function comesLast(command: readonly string[]): readonly string[] {
  return values.isolated ? ["chrt", "--other", "0", ...command] : command;
}

/** @returns what one of a hundred arrivals waits at least, when they come at any moment of `tookMs` */
function waitForTurn(turnsMs: readonly number[], tookMs: number): number {
  const shareAbove = (waitMs: number) =>
    turnsMs.reduce((sum, turnMs) => sum + Math.max(0, turnMs - waitMs), 0) / tookMs;
  let waitMs = 0;
  while (shareAbove(waitMs) > ONE_PER_CENT) waitMs += STEP_MS;
  return waitMs;
}

function report({ name, does }: Abuse, { without, beside, direct }: Rounds): string {
  const p99 = (parts: readonly LoadResult[]) => median(parts.map(({ p99Ms }) => p99Ms));
  const cpu = (parts: readonly Part[]) => median(parts.map(({ cpuPercent }) => cpuPercent)).toFixed(0);
  const turn = (parts: readonly Part[]) => median(parts.map(({ turnMs }) => turnMs)).toFixed(1);
  const resident = (parts: readonly Part[]) => Math.max(...parts.map(({ residentBytes }) => residentBytes));
  const failed = [...without, ...beside].reduce((sum, { failures }) => sum + failures, 0);
  return `| ${[
    `${name}: ${does}`,
    p99(without).toFixed(2),
    p99(beside).toFixed(2),
    (p99(beside) / p99(without)).toFixed(2),
    p99(direct).toFixed(2),
    `${turn(without)} → ${turn(beside)}`,
    `${cpu(without)} → ${cpu(beside)}`,
    ((resident(beside) - resident(without)) / 1e6).toFixed(0),
    failed,
  ].join(" | ")} |`;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}
