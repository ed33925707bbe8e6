import { configSection, LOG_LEVELS, setting } from "../kernel/index.ts";

export const appSection = configSection("app", {
  logLevel: setting.oneOf({
    key: "log_level",
    default: "info",
    values: LOG_LEVELS,
    describe: "Least important lines that the log of the process gets.",
  }),
  logFileBytes: setting.bytes({
    key: "log_file_size",
    default: "50 MiB",
    describe: "The log of the process and the access log are put aside and begun anew at this size.",
  }),
  oldLogFiles: setting.integer({
    key: "old_log_files",
    default: 2,
    maximum: 100,
    describe: "Files that are kept beside each of the two.",
  }),
  drainMs: setting.duration({
    key: "drain",
    default: "10s",
    describe: "At the end, the longest time that requests in flight are given to finish.",
  }),
  systemHost: setting.string({
    key: "system_host",
    default: "localhost",
    describe: "Host name at which the router offers the API, the tokens and the dashboard.",
  }),
});
