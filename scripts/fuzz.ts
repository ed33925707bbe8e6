// Looks for inputs that break what must hold for every one. `npm run fuzz -- --help` says how.
import { parseArgs } from "node:util";
import { apiTarget } from "../test/property/api-target.ts";
import { fuzz, type FuzzTarget } from "../test/security/fuzz/fuzz.ts";
import { createRouterTarget } from "../test/security/fuzz/router-target.ts";
import { TARGETS } from "../test/security/fuzz/targets.ts";

const HELP = `Fuzzes what reads bytes of strangers, each target in turn.

Usage: npm run fuzz -- [flags]

  --seconds N    for all targets together (default 60)
  --seed N       of the first try; every further try has the next number (default: the time)
  --runs N       at most so many tries per target (default: as many as there is time for)
  --target NAME  one of ${TARGETS.map(({ name }) => name).join(", ")}, api, router (default: all)
  -h, --help     show this text

A finding prints its input and the command that shows it again. Make it a test.
`;

process.exitCode = await main();

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string", default: "60" },
      seed: { type: "string", default: String(Date.now() >>> 0) },
      runs: { type: "string", default: String(Number.MAX_SAFE_INTEGER) },
      target: { type: "string", default: "" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const router = await createRouterTarget();
  try {
    const all: readonly FuzzTarget[] = [...TARGETS, apiTarget, router];
    const targets = all.filter(({ name }) => values.target === "" || name === values.target);
    const [seed, seconds, runs] = [values.seed, values.seconds, values.runs].map(Number) as [
      number,
      number,
      number,
    ];
    if (targets.length === 0 || ![seed, seconds, runs].every((number) => number >= 0)) {
      console.error("fuzz: no such target, or no number; see --help");
      return 2;
    }
    console.log(`seed ${seed}`);
    let findings = 0;
    for (const target of targets) {
      try {
        const tries = await fuzz(target, { seed, seconds: seconds / targets.length, runs });
        console.log(`${target.name}: ${tries} tries, nothing found`);
      } catch (error) {
        findings++;
        console.log(`${target.name}: ${(error as Error).message}`);
      }
    }
    return findings === 0 ? 0 : 1;
  } finally {
    await router.close();
  }
}
