import type { Host } from "./output.ts";

/** The machine as this process sees it. */
export function processHost(): Host {
  // `viaduct routes | head` closes the pipe early; that is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    environment: process.env,
    cwd: process.cwd(),
    ask: async (question, isSecret) => {
      if (!process.stdin.isTTY) return null;
      const { askOnTerminal } = await import("./ask.ts");
      return askOnTerminal(question, isSecret);
    },
  };
}
