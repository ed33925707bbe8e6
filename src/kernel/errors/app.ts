import { defineError } from "./define.ts";

export const dataDirUnusable = defineError<{ path: string; reason: string }>({
  code: "data_dir_unusable",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) =>
    `the data folder ${d.path} cannot be used: ${d.reason}; choose another one with VIADUCT_HOME`,
});

export const dataDirInUse = defineError<{ path: string; pid: number | null }>({
  code: "data_dir_in_use",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) =>
    `the data folder ${d.path} is in use by ${d.pid === null ? "another process" : `process ${d.pid}`}; stop that process, or choose another folder with VIADUCT_HOME`,
});

export const secretsUnreadable = defineError<{ file: string; reason: string }>({
  code: "secrets_unreadable",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) =>
    `${d.file} does not hold the secrets of this data folder (${d.reason}); restore it from a backup, or move it away to get a new admin password`,
});

export const configFileUnreadable = defineError<{ path: string; reason: string }>({
  code: "config_file_unreadable",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) =>
    `the configuration file ${d.path} cannot be read: ${d.reason}; name another one with -c FILE`,
});

export const pidFileUnwritable = defineError<{ path: string; reason: string }>({
  code: "pid_file_unwritable",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) =>
    `the file ${d.path} cannot be written: ${d.reason}; let this user write there, or change pid_file`,
});

/** `message` is what gorouter's log would call it. */
export const workerNotStarted = defineError<{ worker: number; message: string; reason: string }>({
  code: "worker_not_started",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) => `worker ${d.worker} cannot start: ${d.reason}`,
});

export const workerEndedEarly = defineError<{ worker: number; how: string }>({
  code: "worker_ended_early",
  source: "router",
  retry: "never",
  status: 0,
  explain: (d) =>
    `worker ${d.worker} ended (${d.how}) before it could serve; what it wrote to standard error says why`,
});
