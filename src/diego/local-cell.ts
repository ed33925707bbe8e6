/**
 * The cell on this machine: runs instances as plain processes, each watched so that none outlives this one. There
 * is no isolation; it is for one user's own apps.
 */
import { rm } from "node:fs/promises";
import { userInfo } from "node:os";
import { delimiter, dirname, join } from "node:path";
import type { ActualLrp, DesiredLrp, LogLine } from "../contracts/index.ts";
import { configInvalid } from "../kernel/errors/config.ts";
import { type Clock, type Logger, newGuid, type Part, type Timer, ViaductError } from "../kernel/index.ts";
import { createInstanceAddresses, createPorts, type Ports } from "./addresses.ts";
import { AppLogs } from "./app-logs.ts";
import type { Cell, CellBbs } from "./bbs.ts";
import type { DiegoConfig } from "./config.ts";
import { Instance } from "./instance.ts";
import type { NetInfo } from "./state.ts";

const SWEEP_LOGS_EVERY_MS = 24 * 3_600_000;

export interface LocalCellOptions {
  readonly bbs: CellBbs;
  readonly config: DiegoConfig;
  readonly log: Logger;
  readonly clock: Clock;
  /** Logs go to `logs/`, temporary files of instances to `instances/` below it. */
  readonly dataDir: string;
}

export class LocalCell implements Cell, Part {
  readonly name = "diego-cell";
  readonly id: string;
  readonly zone: string;
  readonly #options: LocalCellOptions;
  readonly #logs: AppLogs;
  readonly #ports: Ports;
  readonly #instances = new Map<string, Instance>();
  #nextAddress: () => string = () => "127.0.0.1";
  #leave: () => void = () => {};
  #onEmpty: (() => void) | null = null;
  #sweeps: Timer | null = null;

  /** @throws configInvalid */
  constructor(options: LocalCellOptions) {
    const { config, dataDir, log } = options;
    if (config.firstPort > config.lastPort) {
      const problem = `diego.last_port: ${config.lastPort} is below diego.first_port ${config.firstPort}; raise it`;
      throw configInvalid({ problems: [problem] });
    }
    this.#options = options;
    this.id = config.cellId;
    this.zone = config.zone;
    this.#ports = createPorts({ first: config.firstPort, last: config.lastPort });
    this.#logs = new AppLogs({
      directory: join(dataDir, "logs"),
      recentBytes: config.recentLogBytes,
      fileBytes: config.logFileBytes,
      oldFiles: config.oldLogFiles,
      log,
    });
  }

  // --- life ---

  async start(): Promise<void> {
    // Left by a process that was killed; its instances died with it.
    await rm(join(this.#options.dataDir, "instances"), { recursive: true, force: true });
    const sweep = () => void this.#sweepLogs();
    sweep();
    this.#sweeps = this.#options.clock.setInterval(sweep, SWEEP_LOGS_EVERY_MS);
    this.#nextAddress = await createInstanceAddresses();
    this.#leave = this.#options.bbs.join(this);
  }

  async stop(): Promise<void> {
    this.#leave();
    this.#sweeps?.clear();
    for (const instance of this.#instances.values()) instance.stop();
    if (this.#instances.size > 0) await new Promise<void>((resolve) => (this.#onEmpty = resolve));
    await this.#logs.flush();
  }

  // --- for the BBS ---

  get load(): number {
    return this.#instances.size;
  }

  placeInstance(lrp: DesiredLrp, index: number): void {
    const { bbs, config, clock, dataDir, log } = this.#options;
    const slot = { processGuid: lrp.processGuid, index };
    const guid = newGuid();
    const key = { instanceGuid: guid, cellId: this.id };
    if (!this.#tell(() => bbs.claimActualLrp(slot, key))) return;

    const instance = new Instance(
      {
        guid,
        lrp,
        index,
        config,
        clock,
        machine: { path: searchPath(), user: userName() },
        temporaryDirectory: join(dataDir, "instances", guid),
        takeNet: () => this.#takeNet(lrp),
      },
      {
        running: (net, routable) => {
          const about = { routable, zone: this.zone };
          if (!this.#tell(() => bbs.startActualLrp(slot, key, net, about))) instance.stop();
        },
        crashed: (reason) => void this.#tell(() => bbs.crashActualLrp(slot, key, reason)),
        removed: () => void this.#tell(() => bbs.removeActualLrp(slot, key)),
        gone: () => this.#forget(guid),
        output: (line) =>
          this.#logs.append(lrp.logGuid, { ...line, timestampNs: this.#nowNs(), instanceIndex: index }),
        backlog: () => this.#logs.backlog(lrp.logGuid),
      },
    );
    this.#instances.set(guid, instance);
    log.debug({ ...slot, instance: guid }, "instance placed");
    void instance.run();
  }

  stopInstance(actual: ActualLrp): void {
    this.#instances.get(actual.instanceGuid)?.stop();
  }

  recentLogs(logGuid: string, limit: number): readonly LogLine[] {
    return this.#logs.recent(logGuid, limit);
  }

  // --- inside ---

  async #sweepLogs(): Promise<void> {
    const { clock, log } = this.#options;
    await this.#logs
      .sweep(clock.nowMs())
      .catch((error: unknown) => log.warn({ err: error }, "old logs of apps are not removed"));
  }

  async #takeNet(lrp: DesiredLrp): Promise<NetInfo> {
    const hostPorts = await this.#ports.take(lrp.ports.length);
    return {
      address: this.#options.config.address,
      instanceAddress: this.#nextAddress(),
      ports: lrp.ports.map((containerPort, i) => ({
        containerPort,
        hostPort: hostPorts[i] ?? 0,
        hostTlsPort: 0,
      })),
    };
  }

  #forget(guid: string): void {
    const instance = this.#instances.get(guid);
    this.#ports.giveBack(instance?.net?.ports.map((port) => port.hostPort) ?? []);
    this.#instances.delete(guid);
    if (this.#instances.size === 0) this.#onEmpty?.();
  }

  /** False when the BBS has decided otherwise about the slot meanwhile. */
  #tell(call: () => void): boolean {
    try {
      call();
      return true;
    } catch (error) {
      if (!(error instanceof ViaductError)) throw error;
      this.#options.log.debug({ err: error }, "the BBS refused a report");
      return false;
    }
  }

  #nowNs(): string {
    return String(BigInt(Math.floor(this.#options.clock.nowMs() * 1000)) * 1000n);
  }
}

/** Ours, and behind it the runtime that runs us, so that `node` is there on every machine. */
const searchPath = () => [process.env["PATH"] ?? "/usr/bin:/bin", dirname(process.execPath)].join(delimiter);

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run as a number that has no name.
    return process.env["USER"] ?? "vcap";
  }
}
