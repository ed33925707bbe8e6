/**
 * Requests made from the API's own document, valid ones and broken ones, in any order: nothing is ever our fault,
 * every answer has the shape the document gives it, every error is upstream's in code, title and status, and in the
 * end rows, lists and route table say the same. `npm run fuzz -- --target api` takes longer.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { StoreLocation } from "../../src/store/index.ts";
import { startPostgres } from "../support/postgres.ts";
import { runJourney, runRequests } from "./api-run.ts";

/** A foundation may happen to have nothing that, say, a deployment could be cancelled of; not one after the other. */
const FOUNDATIONS = 4;

async function journey(
  t: TestContext,
  newPlace: () => Promise<StoreLocation | undefined> = async () => undefined,
): Promise<void> {
  const first = firstSeed();
  let never: ReadonlyMap<string, string> | undefined;
  for (let seed = first; seed < first + FOUNDATIONS; seed++) {
    const missed = await runJourney(t, { seed, location: await newPlace() });
    never = new Map([...missed].filter(([operation]) => never?.has(operation) ?? true));
    if (never.size === 0) break;
  }
  assert.deepEqual([...(never ?? [])], [], `never done; again: VIADUCT_TEST_SEED=${first}`);
}

test("SQLite: everything that the document has a good answer for can be done, and what a change answers is what is read", (t) =>
  journey(t));

interface Extent {
  readonly runs: number;
  readonly requests: number;
}

const firstSeed = () => Number(process.env["VIADUCT_TEST_SEED"] ?? Date.now() % 1_000_000);

async function check(
  t: TestContext,
  { runs, requests }: Extent,
  newPlace: () => Promise<StoreLocation | undefined>,
): Promise<void> {
  const first = firstSeed();
  let done = 0;
  for (let seed = first; seed < first + runs; seed++) {
    const what = { seed, requests, location: await newPlace() };
    done += await runRequests(t, what).catch((error: unknown) => {
      throw new Error(`again: VIADUCT_TEST_SEED=${seed}\n${(error as Error).message}`, { cause: error });
    });
  }
  t.diagnostic(`seed ${first}: ${done} of ${runs * requests} requests were what was asked for`);
  assert(done > (runs * requests) / 10, "too few were good: the others test one door only");
}

test("SQLite: whatever is asked in whatever order, the API answers as its document says", (t) =>
  check(t, { runs: 3, requests: 300 }, async () => undefined));

test("PostgreSQL: all of that is so, too", async (t) => {
  const postgres = await startPostgres(t);
  if (postgres === null) return;
  const newPlace = async () => ({ kind: "postgres", url: await postgres.newDatabase() }) as const;
  await journey(t, newPlace);
  await check(t, { runs: 1, requests: 150 }, newPlace);
});
