/** What the BBS refuses. The names follow its error types; the wire form maps codes to their numbers. */
import { defineError } from "./define.ts";

interface Slot {
  readonly processGuid: string;
  readonly index: number;
}

const slot = (d: Slot) => `instance ${d.index} of LRP ${d.processGuid}`;

export const lrpInvalid = defineError<{ processGuid: string; problems: readonly string[] }>({
  code: "lrp_invalid",
  source: "control-plane",
  retry: "never",
  status: 422,
  explain: (d) => `LRP ${JSON.stringify(d.processGuid)} is not valid: ${d.problems.join("; ")}`,
});

export const lrpExists = defineError<{ processGuid: string; differs: readonly string[] }>({
  code: "lrp_exists",
  source: "control-plane",
  retry: "never",
  status: 409,
  explain: (d) =>
    `LRP ${d.processGuid} is desired already with another ${d.differs.join(", ")}; update it, or desire a new version`,
});

export const lrpNotFound = defineError<{ processGuid: string }>({
  code: "lrp_not_found",
  source: "control-plane",
  retry: "never",
  status: 404,
  explain: (d) => `LRP ${d.processGuid} is not desired; desire it first`,
});

export const actualLrpNotFound = defineError<Slot>({
  code: "actual_lrp_not_found",
  source: "control-plane",
  retry: "never",
  status: 404,
  explain: (d) => `${slot(d)} does not exist`,
});

/** A call about an instance that its record does not allow; the caller gives its instance up. */
export const actualLrpRefused = defineError<
  Slot & { action: "claimed" | "started" | "crashed" | "failed" | "removed"; why: string }
>({
  code: "actual_lrp_refused",
  source: "control-plane",
  retry: "never",
  status: 409,
  explain: (d) => `${slot(d)} cannot be ${d.action}: ${d.why}`,
});

export const noFreePort = defineError<{ first: number; last: number }>({
  code: "no_free_port",
  source: "operator",
  retry: "safe",
  status: 503,
  explain: (d) =>
    `every port from ${d.first} to ${d.last} is taken; stop some instances or widen diego.first_port and diego.last_port`,
});
