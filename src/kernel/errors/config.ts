import { defineError } from "./define.ts";

export const configInvalid = defineError<{ problems: readonly string[] }>({
  code: "config_invalid",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) => `the configuration has ${d.problems.length} problem(s):\n  ${d.problems.join("\n  ")}`,
});

export const portTaken = defineError<{ role: string; host: string; port: number; setting: string }>({
  code: "port_taken",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) =>
    `${d.role} cannot listen on ${d.host}:${d.port}: another process has it; stop that process or set ${d.setting} to a free port`,
});

export const listenFailed = defineError<{
  role: string;
  host: string;
  port: number;
  reason: string;
  remedy: string;
}>({
  code: "listen_failed",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) => `${d.role} cannot listen on ${d.host}:${d.port}: ${d.reason}; ${d.remedy}`,
});
