/**
 * How roles reach Diego's BBS: the cloud controller desires, the emitter watches. In one process the diego role
 * implements it; between machines it is the BBS protocol.
 */

/** «Run N copies of this.» One per process version. */
export interface DesiredLrp {
  /** `<process guid>-<version>`; a change that needs a restart makes a new version and so a new LRP. */
  readonly processGuid: string;
  /** Owner namespace; the cloud controller uses `cf-apps`. */
  readonly domain: string;
  readonly instances: number;
  /** Shell command line, run by `/bin/sh -c`. */
  readonly command: string;
  /** Working directory of the instances. */
  readonly directory: string;
  /** Each instance works in a copy of the directory, which goes with it: for droplets, which others run too. */
  readonly ownCopy?: boolean;
  readonly environment: Readonly<Record<string, string>>;
  /** Ports the process listens on; the first is what `PORT` is mapped to. */
  readonly ports: readonly number[];
  /** Map key (`cf-router`, `internal-router`, `tcp-router`) → JSON value. */
  readonly routes: Readonly<Record<string, unknown>>;
  /** App GUID. */
  readonly logGuid: string;
  readonly metricTags: Readonly<Record<string, string>>;
  readonly memoryMb: number;
  readonly diskMb: number;
  readonly healthCheck: HealthCheck;
  /** Says whether an instance that runs may get traffic; left out, every one that runs may. */
  readonly readinessCheck?: HealthCheck;
  /** 0 takes the default, 60 s. */
  readonly startTimeoutMs: number;
  /** Opaque to Diego; compared for equality when syncing. */
  readonly annotation: string;
}

export interface HealthCheck {
  readonly type: "port" | "http" | "process";
  /** Path of the `http` check. */
  readonly endpoint: string;
  /** Longest wait for one answer; left out, the cell's own. */
  readonly timeoutMs?: number;
  /** Between checks of an instance that runs; left out, the cell's own. */
  readonly intervalMs?: number;
}

/** What an update may change; everything else is a new LRP. */
export type DesiredLrpUpdate = Partial<
  Pick<DesiredLrp, "instances" | "routes" | "annotation" | "metricTags">
>;

export const LRP_STATES = ["UNCLAIMED", "CLAIMED", "RUNNING", "CRASHED"] as const;
export type LrpState = (typeof LRP_STATES)[number];

export interface PortMapping {
  readonly containerPort: number;
  readonly hostPort: number;
  /** 0 when there is no TLS proxy. */
  readonly hostTlsPort: number;
}

/** One slot of a desired LRP and what fills it. */
export interface ActualLrp {
  readonly processGuid: string;
  readonly index: number;
  readonly domain: string;
  /** "" while UNCLAIMED. */
  readonly instanceGuid: string;
  readonly cellId: string;
  readonly state: LrpState;
  /** Address of the cell; "" unless RUNNING. */
  readonly address: string;
  /** Address of the instance itself, which other apps use. */
  readonly instanceAddress: string;
  readonly ports: readonly PortMapping[];
  readonly crashCount: number;
  readonly crashReason: string;
  readonly placementError: string;
  /** Last state change, UNIX nanoseconds in decimal. */
  readonly sinceNs: string;
  readonly routable: boolean;
  readonly availabilityZone: string;
}

export type LrpEvent =
  | { readonly kind: "desired-created"; readonly desired: DesiredLrp }
  | { readonly kind: "desired-changed"; readonly before: DesiredLrp; readonly after: DesiredLrp }
  | { readonly kind: "desired-removed"; readonly desired: DesiredLrp }
  | { readonly kind: "actual-created"; readonly actual: ActualLrp }
  | { readonly kind: "actual-changed"; readonly before: ActualLrp; readonly after: ActualLrp }
  | { readonly kind: "actual-removed"; readonly actual: ActualLrp }
  | { readonly kind: "actual-crashed"; readonly actual: ActualLrp; readonly reason: string };

export interface Bbs {
  /** Durable when it resolves. An equal LRP that is there already is fine; a different one is an error. */
  desireLrp(lrp: DesiredLrp): Promise<void>;
  updateDesiredLrp(processGuid: string, update: DesiredLrpUpdate): Promise<void>;
  /** Removing what is not there is fine. Instances are stopped afterwards. */
  removeDesiredLrp(processGuid: string): Promise<void>;
  desiredLrps(filter?: { domain?: string; processGuids?: readonly string[] }): Promise<readonly DesiredLrp[]>;
  actualLrps(filter?: { processGuid?: string }): Promise<readonly ActualLrp[]>;
  /** Stops one instance; the slot is filled again if it is still desired. */
  retireActualLrp(processGuid: string, index: number): Promise<void>;
  /** Calls `handler` for every change from now on, in order. Returns how to stop. */
  subscribe(handler: (event: LrpEvent) => void): () => void;
  /** The newest log lines of an app's instances, oldest first. */
  recentLogs(logGuid: string, limit: number): Promise<readonly LogLine[]>;
}

export interface LogLine {
  /** UNIX nanoseconds in decimal. */
  readonly timestampNs: string;
  readonly stream: "out" | "err";
  /** `APP/PROC/WEB` for the app's own lines, `CELL` for the cell's; `API`, `STG`, `RTR` for what others say of it. */
  readonly source: string;
  readonly instanceIndex: number;
  readonly text: string;
}
