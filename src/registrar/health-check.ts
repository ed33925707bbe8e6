/**
 * Runs a health script. It gets a process group of its own, so that what it started goes with it when its time is
 * over; upstream kills the shell alone and leaves the rest running.
 */
import { spawn } from "node:child_process";
import type { Clock } from "../kernel/index.ts";
import { printGoDuration } from "./go-duration.ts";
import type { HealthCheck } from "./types.ts";

export interface HealthResult {
  readonly isHealthy: boolean;
  /** For the log; "" when healthy. */
  readonly reason: string;
}

/** Runs one script once. Never rejects: a script that cannot be run is unhealthy. */
export type RunHealthCheck = (check: HealthCheck, stop: AbortSignal) => Promise<HealthResult>;

export function healthCheckRunner(clock: Clock): RunHealthCheck {
  return ({ scriptPath, timeoutMs }, stop) =>
    new Promise((resolve) => {
      let timedOut = false;
      const child = spawn("/bin/sh", ["-c", scriptPath], { detached: true, stdio: "ignore" });
      const killGroup = () => {
        if (child.pid === undefined) return;
        try {
          process.kill(-child.pid, "SIGKILL");
        } catch {
          // The group has ended by itself.
        }
      };
      const timer = clock.setTimeout(() => {
        timedOut = true;
        killGroup();
      }, timeoutMs);
      const settle = (result: HealthResult) => {
        timer.clear();
        stop.removeEventListener("abort", killGroup);
        resolve(result);
      };
      stop.addEventListener("abort", killGroup);
      child.once("error", (error) => settle({ isHealthy: false, reason: error.message }));
      child.once("exit", (code, signal) => {
        if (timedOut)
          settle({ isHealthy: false, reason: `Script failed to exit within ${printGoDuration(timeoutMs)}` });
        else if (code === 0) settle({ isHealthy: true, reason: "" });
        else
          settle({
            isHealthy: false,
            reason: signal === null ? `exit status ${code}` : `ended by ${signal}`,
          });
      });
    });
}
