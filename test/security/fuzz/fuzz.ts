/** Runs targets with one seed after the other, until a time or a count is over; a finding names the seed that has it. */
import { createRandom, type Random } from "./random.ts";

export interface FuzzTarget {
  readonly name: string;
  /** One try; throws when something is wrong. `say` is told the input, which is shown with a finding. */
  readonly run: (random: Random, say: (input: unknown) => void) => void | Promise<void>;
}

export interface FuzzPlan {
  readonly seed: number;
  /** Whichever is over first. */
  readonly seconds: number;
  readonly runs: number;
}

/** @returns how many tries there were. @throws an error that says how to see the finding again. */
export async function fuzz(target: FuzzTarget, { seed, seconds, runs }: FuzzPlan): Promise<number> {
  const until = performance.now() + seconds * 1_000;
  let done = 0;
  for (; done < runs && performance.now() < until; done++) {
    const own = (seed + done) >>> 0;
    let input: unknown;
    try {
      await target.run(createRandom(own), (said) => (input = said));
    } catch (error) {
      throw new Error(
        `${(error as Error).message}\ninput: ${JSON.stringify(input)}\nagain: npm run fuzz -- --target ${target.name} --seed ${own} --runs 1`,
        { cause: error },
      );
    }
  }
  return done;
}
