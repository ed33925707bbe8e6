/** Drives deployments: a step whenever an instance may have begun to serve. */
import type { Part, Timer } from "../kernel/index.ts";
import type { Context } from "./context.ts";
import { advanceDeployments } from "./deployment-steps.ts";

/** For a step that failed, and for instances whose report was before our question. */
const AGAIN_MS = 5_000;

export function createDeployer(context: Context): Part {
  const { bbs, clock, log } = context;
  let unsubscribe = () => {};
  let timer: Timer | null = null;
  let running: Promise<void> | null = null;
  let isAskedAgain = false;
  let isStopped = true;

  const work = async () => {
    do {
      isAskedAgain = false;
      await advanceDeployments(context).catch((error: unknown) => {
        log.error({ err: error }, "a deployment did not advance; trying again");
      });
    } while (isAskedAgain && !isStopped);
    running = null;
  };
  const advance = () => {
    if (isStopped) return;
    isAskedAgain = true;
    running ??= work();
  };
  const tick = () => {
    advance();
    timer = clock.setTimeout(tick, AGAIN_MS);
  };

  return {
    name: "deployer",
    async start() {
      isStopped = false;
      unsubscribe = bbs.subscribe((event) => {
        if (event.kind === "actual-changed" && event.after.state === "RUNNING") advance();
      });
      tick();
    },
    async stop() {
      isStopped = true;
      unsubscribe();
      timer?.clear();
      await running;
    },
  };
}
