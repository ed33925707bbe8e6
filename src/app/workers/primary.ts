/**
 * The process in front of a router's workers. No request passes it: it binds the sockets, starts the workers, replaces
 * those that end, passes on what it is told, and answers for all on the status listeners.
 *
 *   clients ──► socket 0 ──► worker 0 ──► endpoints          each with the whole table, read from NATS by itself
 *          └──► socket 1 ──► worker 1 ──► endpoints
 *                  ▲            │ metrics, verdicts, routes
 *                  └─ primary ◄─┘ ◄── /health, /routes, /metrics, signals
 */
import { randomBytes } from "node:crypto";
import type { Clock, Timer } from "../../kernel/index.ts";
import {
  type BoundSockets,
  createStatusServer,
  createVarzPage,
  type GorouterConfig,
  type GorouterLogger,
  type HealthState,
  loadGorouterConfig,
  type StatusServer,
} from "../../router/index.ts";
import { LEAVE_WAIT_MS, type RouterUnit } from "../router-process.ts";
import { createFront, type Front } from "./front.ts";
import type { Generation, ToWorker } from "./messages.ts";
import { SocketGroup } from "./socket-group.ts";
import { Supervisor } from "./supervisor.ts";
import { launchWorker, type WorkerProcess } from "./worker-process.ts";

/** Who can read the keys can read what was said: old ones are forgotten. */
const TICKET_KEYS_FOR_MS = 8 * 3_600_000;
/** What `node:tls` takes. */
const TICKET_KEYS_BYTES = 48;
/** Beyond what a worker was told to take. */
const END_SLACK_MS = 5_000;

export interface PrimaryOptions {
  readonly configPath: string;
  readonly configText: string;
  readonly log: GorouterLogger;
  readonly clock: Clock;
  /** Waits for something, or throws to break off the start. */
  readonly unlessStopped: <T>(work: Promise<T>) => Promise<T>;
}

export function createPrimary(loaded: GorouterConfig, options: PrimaryOptions): RouterUnit {
  return new Primary(loaded, options);
}

class Primary implements RouterUnit {
  readonly #loaded: GorouterConfig;
  readonly #options: PrimaryOptions;
  readonly #supervisor: Supervisor<ToWorker, WorkerProcess>;
  readonly #front: Front;
  readonly #status: StatusServer;
  #generation: Generation;
  #plain: SocketGroup | null = null;
  #tls: SocketGroup | null = null;
  #phase: "starting" | "up" | "draining" = "starting";
  #rotation: Timer | null = null;
  #stopping: Promise<void> | null = null;

  constructor(loaded: GorouterConfig, options: PrimaryOptions) {
    this.#loaded = loaded;
    this.#options = options;
    const { log, clock, configText } = options;
    this.#generation = { configText, tlsConfigText: null, ticketKeys: newTicketKeys() };
    this.#supervisor = new Supervisor({
      slots: loaded.workers,
      launch: (slot) => this.#launch(slot),
      onVacant: (slot) => {
        for (const group of [this.#plain, this.#tls]) group?.release(slot);
      },
      handOver: { kind: "hand-over" },
      handOverLimitMs: LEAVE_WAIT_MS + loaded.drainTimeoutMs + END_SLACK_MS,
      clock,
      log: log.session("workers"),
    });
    this.#front = createFront(log.session("workers"));
    const health = (): HealthState => this.#health;
    const metrics = () => this.#front.metrics();
    this.#status = createStatusServer({
      config: loaded.status,
      health: {
        get state() {
          return health();
        },
      },
      routes: () => this.#front.routes(),
      inspect: this.#front.inspect,
      metrics,
      varz: createVarzPage({ index: loaded.feed.index, status: loaded.status, clock, metrics }),
      log: log.session("status"),
    });
  }

  get port(): number {
    return this.#plain?.port ?? 0;
  }

  get #health(): HealthState {
    if (this.#phase === "starting") return "initializing";
    return this.#phase === "up" && this.#supervisor.serving.length > 0 ? "healthy" : "degraded";
  }

  async start(): Promise<void> {
    const { config } = this.#loaded;
    if (config.listensPlain) this.#plain = await SocketGroup.open(config);
    if (config.tls !== null) this.#tls = await SocketGroup.open({ ...config.tls, host: config.host });
    await this.#status.start();
    await this.#options.unlessStopped(this.#supervisor.start());
    this.#rotation = this.#options.clock.setInterval(() => this.#rotateTicketKeys(), TICKET_KEYS_FOR_MS);
  }

  announce(): void {
    this.#phase = "up";
  }

  async drain(): Promise<void> {
    const { drainWaitMs, drainTimeoutMs } = this.#loaded;
    this.#phase = "draining";
    // The workers' own are the last ones: when they stop listening, nobody can connect any more.
    this.#closeSockets();
    await this.#supervisor.end({ kind: "drain" }, drainWaitMs + drainTimeoutMs + END_SLACK_MS);
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#rotation?.clear();
    this.#closeSockets();
    await this.#supervisor.end({ kind: "stop" }, END_SLACK_MS);
    await this.#status.stop();
  }

  reload(configText: string): void {
    const log = this.#options.log.session("router");
    if (this.#load(configText, (error) => log.error({ error }, "tls-reload-failed")) === null) {
      // A log that was moved away is begun anew all the same.
      this.#supervisor.tell({ kind: "reopen-log" });
      return;
    }
    // By the rules of before a session may be good that is not any more.
    const ticketKeys = newTicketKeys();
    this.#generation = { ...this.#generation, tlsConfigText: configText, ticketKeys };
    this.#supervisor.tell({ kind: "reload", configText, ticketKeys });
  }

  restart(configText: string): void {
    const log = this.#options.log.session("workers");
    if (this.#phase !== "up" || this.#supervisor.isRestarting) {
      const reason =
        this.#phase === "up" ? "workers are being replaced already" : `the router is ${this.#phase}`;
      log.info({ reason }, "workers-restart-ignored");
      return;
    }
    const refuse = (error: string) => log.error({ error, replaced: 0 }, "workers-restart-failed");
    const changed = this.#load(configText, refuse);
    if (changed === null) return;
    if (listenersOf(changed) !== listenersOf(this.#loaded)) {
      refuse(
        "host, ports and listeners are the primary's; stop the router and start it again to change them",
      );
      return;
    }
    void this.#restart(configText);
  }

  async #restart(configText: string): Promise<void> {
    const log = this.#options.log.session("workers");
    const before = this.#generation;
    const isSame = before.configText === configText && before.tlsConfigText === null;
    this.#generation = isSame ? before : { configText, tlsConfigText: null, ticketKeys: newTicketKeys() };
    log.info({ workers: this.#supervisor.serving.length }, "workers-restart-started");
    const { replaced, problem } = await this.#supervisor.restart();
    if (problem === null) {
      log.info({ replaced }, "workers-restart-ended");
      return;
    }
    // What no worker could start with is not what the next one should be started with.
    if (replaced === 0) this.#generation = before;
    log.error({ error: problem.message, replaced }, "workers-restart-failed");
  }

  #launch(slot: number): WorkerProcess {
    const sockets: BoundSockets = {
      plain: this.#plain?.bind(slot) ?? null,
      tls: this.#tls?.bind(slot) ?? null,
    };
    const { configPath } = this.#options;
    const worker = launchWorker({ slot, configPath, generation: this.#generation, sockets });
    this.#front.add(worker);
    return worker;
  }

  #rotateTicketKeys(): void {
    // Workers of two configurations must not resume each other's sessions; the next time will do.
    if (this.#supervisor.isRestarting) return;
    const ticketKeys = newTicketKeys();
    this.#generation = { ...this.#generation, ticketKeys };
    this.#supervisor.tell({ kind: "ticket-keys", ticketKeys });
  }

  #closeSockets(): void {
    for (const group of [this.#plain, this.#tls]) group?.close();
  }

  #load(configText: string, refuse: (error: string) => void): GorouterConfig | null {
    try {
      return loadGorouterConfig(configText, this.#options.configPath);
    } catch (error) {
      refuse((error as Error).message);
      return null;
    }
  }
}

const newTicketKeys = () => randomBytes(TICKET_KEYS_BYTES).toString("base64");

function listenersOf({ config: { host, port, listensPlain, tls } }: GorouterConfig): string {
  return JSON.stringify([host, listensPlain ? port : null, tls === null ? null : tls.port]);
}
