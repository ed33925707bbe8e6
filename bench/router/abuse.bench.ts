/**
 * What do other clients see while somebody misuses the router?
 *
 *   node bench/router/abuse.bench.ts [--only NAMES] [--rounds N] [--seconds N] [--isolated]   (--help: the names)
 *
 * Clients with good manners ask at a moderate, fixed rate, on the same connections from beginning to end; every round has
 * a part without the abuse and one beside it, the order reversed each time, and what counts is the ratio of these two.
 * How far that wavers by itself is what it shows beside the abuse «nothing».
 *
 * The router has core 0; the clients, the origins and whoever misuses share core 1, where the abuse delays the others
 * too. So as many clients ask the origin past the router at the same time: what they see is not the router's doing. With
 * `--isolated` clients and their origin come before whoever misuses, who has an origin of its own: then the clock tells
 * what the router does.
 *
 * On a busy machine percentiles of waiting say little. So the turns of the router's event loop are written down too, in
 * CPU time: somebody's bytes that come at any moment wait for the rest of the turn, and the 99th percentile of that is
 * what the router itself adds.
 */
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findProgram } from "../../test/support/needs.ts";
import { ABUSED_HOST, ABUSES, type Abuse } from "../support/abuses.ts";
import { CASES, type Case } from "../support/cases.ts";
import { writeCertificate } from "../support/certificate.ts";
import { type Child, createChildren, freePort } from "../support/children.ts";
import { applyLoad, h2loadArguments, type Load, percentiles } from "../support/load.ts";
import { cpuUsOf, residentBytesOf } from "../support/process-tree.ts";
import { prepareOrigin } from "../support/proxies.ts";
import { median } from "../support/report.ts";
import { viaductFlags } from "../support/viaduct-flags.ts";
import { readFlags } from "../support/flags.ts";

const ROUTER_CORE = 0;
const LOAD_CORE = 1;
const RATE = 2_000;
const CONNECTIONS = 32;
const REAL_TIME_PRIORITY = 20;
const WARM_UP_SECONDS = 2;
/** Longer than all rounds together: the clients are ended after the last one. */
const CLIENT_SECONDS = 3_600;
/** Until all clients have connected, and asked for the first time. */
const CONNECTING_MS = 500;
/** For what an abuse leaves behind to be gone: the router lingers on a connection for 2 s. */
const SETTLE_MS = 2_500;
const ONE_PER_CENT = 0.01;
/** How exactly the wait for a turn is found. */
const STEP_MS = 0.05;

const USAGE = `What do other clients see while somebody misuses the router?

  --only NAMES   of these, separated by commas; all when it is left out
  --rounds N     each has a part without the abuse and one beside it; 8
  --seconds N    of each part; 2
  --isolated     well-mannered clients and their origin run at real-time priority, whoever misuses at an ordinary one, and
                 the router's event loop has its core for itself, so that percentiles are its doing; needs root, or the
                 capability CAP_SYS_NICE, and chrt and taskset

${ABUSES.map(({ name, does }) => `  ${name.padEnd(18)}${does}`).join("\n")}`;

interface Part {
  /** By the wall clock, as the clients write it down. */
  readonly fromMs: number;
  readonly toMs: number;
  /** Of the router, in per cent of a core. */
  readonly cpuPercent: number;
  readonly residentBytes: number;
  /** 99th percentile of the wait for a turn. */
  readonly turnMs: number;
}

/** A part of each round, in their order. */
interface Parts {
  readonly parts: readonly Part[];
  /** What clients of the router waited in all of them, and in each. */
  readonly p99Ms: number;
  readonly eachP99Ms: readonly number[];
  /** What those past it waited. */
  readonly directP99Ms: number;
}

interface Rounds {
  readonly without: Parts;
  readonly beside: Parts;
  readonly failures: number;
}

interface Clients {
  readonly child: Child;
  /** A line for each request. */
  readonly log: string;
}

type Wrap = (command: readonly string[]) => readonly string[];

const { values } = readFlags(USAGE, {
  only: ABUSES.map(({ name }) => name).join(","),
  rounds: 8,
  seconds: 2,
  isolated: false,
});
const { rounds, seconds } = values;
const chosen = values.only.split(",");
const unknown = chosen.find((name) => !ABUSES.some((abuse) => abuse.name === name));
if (unknown !== undefined) throw new Error(`there is no abuse «${unknown}»; --help names them all`);
const missing = ["nginx", "h2load", "openssl", ...(values.isolated ? ["chrt", "taskset"] : [])].filter(
  (name) => findProgram(name) === null,
);
if (missing.length > 0) throw new Error(`needs ${missing.join(", ")}`);

console.log(`${RATE} requests a second on ${CONNECTIONS} connections; ${rounds} rounds of ${seconds} s\n`);
console.log(
  "| abuse | p99 ms without | beside | ratio | lowest and highest | past the router | wait for a turn, p99 ms | router's CPU % | held MB | failed |",
);
console.log("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
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
        ...viaductFlags,
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

    const loadOf = (loadPort: number, isTls: boolean): Load => ({
      case: small,
      port: loadPort,
      isTls,
      seconds: CLIENT_SECONDS,
      connections: CONNECTIONS,
      rate: RATE,
      folder: children.folder,
    });
    const startClients = async (name: string, loadPort: number, isTls: boolean): Promise<Clients> => {
      const log = join(children.folder, `${name}.log`);
      const command = [findProgram("h2load") ?? "", ...h2loadArguments(loadOf(loadPort, isTls), log)];
      return { child: await children.start(name, comesFirst(command), LOAD_CORE, loadPort), log };
    };
    const lookOn = async (): Promise<Part> => {
      const turns = join(children.folder, "turns");
      const turnsFrom = statSync(turns).size;
      const before = cpuUsOf(router.pid);
      const fromMs = Date.now();
      await sleep(seconds * 1_000);
      const toMs = Date.now();
      const tookMs = toMs - fromMs;
      return {
        fromMs,
        toMs,
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

    await applyLoad(
      { ...loadOf(port, abuse.isTls), seconds: WARM_UP_SECONDS, rate: null },
      findProgram,
      (command) => children.run(comesFirst(command), LOAD_CORE),
    );
    const clients = await startClients("clients", port, abuse.isTls);
    const directClients = await startClients("direct-clients", originPort, false);
    await sleep(CONNECTING_MS);

    const without: Part[] = [];
    const beside: Part[] = [];
    const lookWithout = async () => void without.push(await lookOn());
    const lookBeside = async () => {
      const abuser = await abuseIt();
      beside.push(await lookOn());
      await abuser.stop();
      await sleep(SETTLE_MS);
    };
    for (let round = 0; round < rounds; round++) {
      const looks = [lookWithout, lookBeside];
      for (const look of round % 2 === 0 ? looks : looks.toReversed()) await look();
    }
    await Promise.all([clients.child.stop(), directClients.child.stop()]);

    const log = readFileSync(clients.log, "latin1");
    const directLog = readFileSync(directClients.log, "latin1");
    const partsOf = (parts: readonly Part[]): Parts => ({
      parts,
      p99Ms: percentiles(log, parts).p99Ms,
      eachP99Ms: parts.map((part) => percentiles(log, [part]).p99Ms),
      directP99Ms: percentiles(directLog, parts).p99Ms,
    });
    return { without: partsOf(without), beside: partsOf(beside), failures: failuresIn(log) };
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

/** Those that got no answer, or one other than 2xx. @param log  of `h2load` */
function failuresIn(log: string): number {
  return log.split("\n").filter((line) => line !== "" && !/^\d+\t2\d\d\t/.test(line)).length;
}

function report({ name, does }: Abuse, { without, beside, failures }: Rounds): string {
  const ratios = beside.eachP99Ms.map((p99Ms, i) => p99Ms / (without.eachP99Ms[i] ?? 0));
  const cpu = ({ parts }: Parts) => median(parts.map(({ cpuPercent }) => cpuPercent)).toFixed(0);
  const turn = ({ parts }: Parts) => median(parts.map(({ turnMs }) => turnMs)).toFixed(1);
  const resident = ({ parts }: Parts) => Math.max(...parts.map(({ residentBytes }) => residentBytes));
  return `| ${[
    `${name}: ${does}`,
    without.p99Ms.toFixed(2),
    beside.p99Ms.toFixed(2),
    (beside.p99Ms / without.p99Ms).toFixed(2),
    `${Math.min(...ratios).toFixed(1)}–${Math.max(...ratios).toFixed(1)}`,
    `${without.directP99Ms.toFixed(2)} → ${beside.directP99Ms.toFixed(2)}`,
    `${turn(without)} → ${turn(beside)}`,
    `${cpu(without)} → ${cpu(beside)}`,
    ((resident(beside) - resident(without)) / 1e6).toFixed(0),
    failures,
  ].join(" | ")} |`;
}
