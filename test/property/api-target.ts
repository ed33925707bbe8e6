/** The API as a target of `npm run fuzz`: a try is a foundation of its own and a number of requests to it. */
import type { FuzzTarget } from "../security/fuzz/fuzz.ts";
import { runRequests } from "./api-run.ts";

const REQUESTS = 250;

export const apiTarget: FuzzTarget = {
  name: "api",
  async run(random, say) {
    const seed = random.below(2 ** 31);
    say({ seed, requests: REQUESTS });
    const cleanups: (() => unknown)[] = [];
    try {
      await runRequests(
        { after: (cleanup) => void cleanups.push(cleanup as () => unknown) },
        { seed, requests: REQUESTS },
      );
    } finally {
      for (const cleanup of cleanups.toReversed()) await cleanup();
    }
  },
};
