/**
 * One instance: from a claimed slot to nothing left of it.
 *
 *   prepare → spawn → check quickly … healthy → check now and then … ── exit or sick ──► crashed
 *      └───────────────┴──────────┴── stop() ──► SIGTERM … SIGKILL ──► removed
 *
 * What it becomes is told once, by `crashed` or `removed`; `gone` follows when no process and no output is left.
 */
import { constants } from "node:fs";
import { cp, mkdir, rm, stat } from "node:fs/promises";
import { constants as osConstants } from "node:os";
import { join } from "node:path";
import type { DesiredLrp, HealthCheck, LogLine } from "../contracts/index.ts";
import type { Clock, Timer } from "../kernel/index.ts";
import { createLineSplitter } from "./app-logs.ts";
import type { DiegoConfig } from "./config.ts";
import { instanceEnvironment, type Machine } from "./environment.ts";
import { checkHealth } from "./health.ts";
import type { NetInfo } from "./state.ts";
import { startWatchedProcess, type WatchedProcess } from "./watched-process.ts";

/** Between checks while starting: 20, 40, 80, 160, 320, then 500 ms. */
const FIRST_CHECK_MS = 20;
const SLOWEST_CHECK_MS = 500;
/** Once running, one slow answer is no crash: this many checks in a row must fail … */
const LIVENESS_FAILURES = 3;
/** … this far apart. */
const RECHECK_MS = 1_000;

export interface InstanceOptions {
  readonly guid: string;
  readonly lrp: DesiredLrp;
  readonly index: number;
  readonly config: DiegoConfig;
  readonly clock: Clock;
  readonly machine: Machine;
  /** Exists only while the instance does. */
  readonly temporaryDirectory: string;
  /** Takes ports and an address; may fail with a reason. */
  readonly takeNet: () => Promise<NetInfo>;
}

/** Called in the same turn of the event loop in which the instance learns of it. */
export interface InstanceHandlers {
  /** Called again when it becomes ready for traffic, or is not any more. */
  running(net: NetInfo, isReady: boolean): void;
  crashed(reason: string): void;
  removed(): void;
  gone(): void;
  output(line: Pick<LogLine, "stream" | "source" | "text">): void;
  /** Non-null while output must not be read on. */
  backlog(): Promise<void> | null;
}

export class Instance {
  readonly #options: InstanceOptions;
  readonly #handlers: InstanceHandlers;
  /** What its lines are marked with: `APP/PROC/WEB`. */
  readonly #source: string;
  /** The LRP's, or the copy of it. */
  #directory: string;
  #net: NetInfo | null = null;
  #process: WatchedProcess | null = null;
  #isStopping = false;
  /** `crashed` or `removed` was told. */
  #hasEnded = false;
  #timer: Timer | null = null;
  #readinessTimer: Timer | null = null;
  #killTimer: Timer | null = null;

  constructor(options: InstanceOptions, handlers: InstanceHandlers) {
    this.#options = options;
    this.#directory = options.lrp.directory;
    this.#source = `APP/PROC/${(options.lrp.metricTags["process_type"] ?? "web").toUpperCase()}`;
    this.#handlers = handlers;
  }

  get net(): NetInfo | null {
    return this.#net;
  }

  async run(): Promise<void> {
    try {
      await this.#prepare();
      if (!this.#isStopping) this.#spawn();
    } catch (error) {
      if (!this.#isStopping) this.#crash(`cannot start: ${(error as Error).message}`);
    }
    if (this.#isStopping && this.#process === null) this.#remove();
    if (this.#hasEnded && this.#process === null) this.#gone();
  }

  /** SIGTERM, and SIGKILL when it has not ended in time. */
  stop(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#timer?.clear();
    this.#readinessTimer?.clear();
    this.#say("out", "stopping");
    this.#terminate();
  }

  async #prepare(): Promise<void> {
    const { lrp, temporaryDirectory, takeNet } = this.#options;
    const directory = await stat(lrp.directory).catch(() => null);
    if (directory === null || !directory.isDirectory()) {
      throw new Error(`there is no directory ${lrp.directory} to start in`);
    }
    await mkdir(temporaryDirectory, { recursive: true });
    if (lrp.ownCopy === true) {
      this.#directory = join(temporaryDirectory, "app");
      // Links stay what they are: a link of a droplet leads into the droplet, and here into the copy.
      await cp(lrp.directory, this.#directory, {
        recursive: true,
        verbatimSymlinks: true,
        mode: constants.COPYFILE_FICLONE,
      });
    }
    this.#net = await takeNet();
  }

  #spawn(): void {
    const { lrp, index, guid, machine, temporaryDirectory } = this.#options;
    const net = this.#net;
    if (net === null) throw new Error("spawned before it was prepared");
    const port = net.ports[0]?.hostPort;
    this.#say("out", `starting${port === undefined ? "" : ` on port ${port}`}: ${lrp.command}`);
    this.#process = startWatchedProcess(
      {
        command: lrp.command,
        directory: this.#directory,
        environment: instanceEnvironment({
          lrp: { ...lrp, directory: this.#directory },
          index,
          instanceGuid: guid,
          net,
          temporaryDirectory,
          machine,
        }),
        instanceGuid: guid,
      },
      {
        onExit: (code) => this.#exited(code),
        onGone: () => this.#gone(),
        onFailure: (reason) => {
          if (this.#isStopping) this.#remove();
          else this.#crash(`cannot start: ${reason}`);
          this.#gone();
        },
      },
    );
    if (this.#process === null) return;
    this.#read(this.#process.stdout, "out");
    this.#read(this.#process.stderr, "err");
    this.#awaitHealth(net, this.#options.clock.monotonicMs(), FIRST_CHECK_MS);
  }

  #read(stream: WatchedProcess["stdout"], name: LogLine["stream"]): void {
    const lines = createLineSplitter(this.#options.config.maxLogLineChars, (text) =>
      this.#handlers.output({ stream: name, source: this.#source, text }),
    );
    stream.on("data", (bytes: Buffer) => {
      lines.push(bytes);
      const backlog = this.#handlers.backlog();
      if (backlog === null) return;
      stream.pause();
      void backlog.finally(() => stream.resume());
    });
    stream.on("end", () => lines.end());
    stream.on("error", () => {});
  }

  // --- health ---

  #awaitHealth(net: NetInfo, sinceMs: number, waitMs: number): void {
    const { lrp, config, clock } = this.#options;
    const timeoutMs = lrp.startTimeoutMs > 0 ? lrp.startTimeoutMs : config.startTimeoutMs;
    this.#check(lrp.healthCheck, net, (problem) => {
      const tookMs = clock.monotonicMs() - sinceMs;
      if (problem === null) {
        this.#say("out", `healthy after ${Math.round(tookMs)} ms`);
        const readiness = lrp.readinessCheck;
        this.#handlers.running(net, readiness === undefined);
        this.#watchHealth(net, 0);
        if (readiness !== undefined) this.#watchReadiness(readiness, net, false);
      } else if (tookMs >= timeoutMs) {
        this.#crash(`instance never healthy after ${timeoutMs / 1000} s: ${problem}`);
        this.#terminate();
      } else {
        const next = Math.min(waitMs * 2, SLOWEST_CHECK_MS);
        this.#later(waitMs, () => this.#awaitHealth(net, sinceMs, next));
      }
    });
  }

  #watchHealth(net: NetInfo, failures: number): void {
    const { healthCheck } = this.#options.lrp;
    if (healthCheck.type === "process") return;
    const intervalMs = healthCheck.intervalMs ?? this.#options.config.livenessIntervalMs;
    const waitMs = failures === 0 ? intervalMs : Math.min(RECHECK_MS, intervalMs);
    this.#later(waitMs, () =>
      this.#check(healthCheck, net, (problem) => {
        if (problem === null || failures + 1 < LIVENESS_FAILURES) {
          this.#watchHealth(net, problem === null ? 0 : failures + 1);
          return;
        }
        this.#crash(`instance became unhealthy: ${problem}`);
        this.#terminate();
      }),
    );
  }

  /** For as long as it runs: whether it wants traffic may change any time, and is no reason to restart it. */
  #watchReadiness(check: HealthCheck, net: NetInfo, wasReady: boolean): void {
    this.#check(check, net, (problem) => {
      const isReady = problem === null;
      if (isReady !== wasReady) {
        this.#say(isReady ? "out" : "err", isReady ? "ready for traffic" : `takes no traffic: ${problem}`);
        this.#handlers.running(net, isReady);
      }
      const intervalMs = check.intervalMs ?? this.#options.config.livenessIntervalMs;
      this.#readinessTimer = this.#laterUnlessEnded(
        isReady ? intervalMs : Math.min(RECHECK_MS, intervalMs),
        () => this.#watchReadiness(check, net, isReady),
      );
    });
  }

  #check(check: HealthCheck, net: NetInfo, then: (problem: string | null) => void): void {
    const { config } = this.#options;
    const at = { host: net.address, port: net.ports[0]?.hostPort ?? 0 };
    void checkHealth(check, at, check.timeoutMs ?? config.checkTimeoutMs).then((problem) => {
      if (!this.#isStopping && !this.#hasEnded) then(problem);
    });
  }

  #later(waitMs: number, run: () => void): void {
    this.#timer = this.#laterUnlessEnded(waitMs, run);
  }

  #laterUnlessEnded(waitMs: number, run: () => void): Timer | null {
    return this.#isStopping || this.#hasEnded ? null : this.#options.clock.setTimeout(run, waitMs);
  }

  // --- ends ---

  #terminate(): void {
    if (this.#process === null) return;
    this.#process.terminate();
    this.#killTimer ??= this.#options.clock.setTimeout(() => {
      this.#say(
        "err",
        `still running ${this.#options.config.stopGraceMs / 1000} s after SIGTERM; killing it`,
      );
      this.#process?.kill();
    }, this.#options.config.stopGraceMs);
  }

  #exited(code: number | null): void {
    this.#killTimer?.clear();
    if (this.#isStopping) {
      this.#remove();
      return;
    }
    const how = code === null ? "Killed" : `Exited with status ${code}`;
    this.#crash(`${this.#source}: ${how}`, code === null ? undefined : signalOf(code));
  }

  #crash(reason: string, signal?: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#timer?.clear();
    this.#readinessTimer?.clear();
    this.#handlers.crashed(reason);
    this.#say("err", `crashed: ${reason}${signal === undefined ? "" : ` (${signal})`}`);
  }

  #remove(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#handlers.removed();
    this.#say("out", "stopped");
  }

  #gone(): void {
    this.#killTimer?.clear();
    const done = () => this.#handlers.gone();
    void rm(this.#options.temporaryDirectory, { recursive: true, force: true }).then(done, done);
  }

  #say(stream: LogLine["stream"], text: string): void {
    this.#handlers.output({ stream, source: "CELL", text });
  }
}

/** A shell reports «ended by signal n» as 128 + n. */
function signalOf(code: number): string | undefined {
  return Object.entries(osConstants.signals).find(([, number]) => number === code - 128)?.[0];
}
