import { type ConfigOf, configSection, setting } from "../kernel/index.ts";

export const diegoSection = configSection("diego", {
  cellId: setting.string({
    key: "cell_id",
    default: "cell-local",
    describe: "Name of this machine's cell, unique in the deployment.",
  }),
  zone: setting.string({
    key: "zone",
    default: "local",
    describe: "Availability zone of the cell; routers with a zone preference compare it with their own.",
  }),
  address: setting.string({
    key: "address",
    default: "127.0.0.1",
    describe: "Address of this machine at which routers reach the instances.",
  }),
  firstPort: setting.integer({
    key: "first_port",
    default: 61_001,
    minimum: 1024,
    maximum: 65_535,
    describe: "Instances listen on free ports from here.",
  }),
  lastPort: setting.integer({
    key: "last_port",
    default: 65_534,
    minimum: 1024,
    maximum: 65_535,
    describe: "The last port instances may be given.",
  }),
  startTimeoutMs: setting.duration({
    key: "start_timeout",
    default: "60s",
    describe:
      "An instance that is not healthy for this long after its start has crashed; an app may set its own.",
  }),
  checkTimeoutMs: setting.duration({
    key: "check_timeout",
    default: "1s",
    describe: "Longest wait for the answer to one health check.",
  }),
  livenessIntervalMs: setting.duration({
    key: "liveness_interval",
    default: "30s",
    minimum: "10ms",
    describe: "Time between health checks of a running instance.",
  }),
  stopGraceMs: setting.duration({
    key: "stop_grace",
    default: "10s",
    describe: "Time between SIGTERM and SIGKILL when an instance is stopped.",
  }),
  maxLogLineChars: setting.integer({
    key: "max_log_line",
    default: 16_384,
    minimum: 80,
    describe: "Lines of an app's output with more characters are split.",
  }),
  recentLogBytes: setting.bytes({
    key: "recent_logs",
    default: "1 MiB",
    describe: "Log lines kept in memory per app.",
  }),
  logFileBytes: setting.bytes({
    key: "log_file_size",
    default: "10 MiB",
    describe: "An app's log file is put aside and begun anew at this size.",
  }),
  oldLogFiles: setting.integer({
    key: "old_log_files",
    default: 2,
    maximum: 99,
    describe: "Log files per app that are kept after they were put aside.",
  }),
});
export type DiegoConfig = ConfigOf<typeof diegoSection>;
