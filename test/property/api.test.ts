/**
 * Requests made from the API's own document, valid ones and broken ones, in any order: nothing is ever our fault,
 * every answer has the shape the document gives it, every error is upstream's in code, title and status, and in the
 * end rows, lists and route table say the same. `npm run fuzz -- --target api` takes longer.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { StoreLocation } from "../../src/store/index.ts";
import { startPostgres } from "../support/postgres.ts";
import { runRequests } from "./api-run.ts";

interface Extent {
  readonly runs: number;
  readonly requests: number;
}

async function check(
  t: TestContext,
  { runs, requests }: Extent,
  newPlace: () => Promise<StoreLocation | undefined>,
): Promise<void> {
  const first = Number(process.env["VIADUCT_TEST_SEED"] ?? Date.now() % 1_000_000);
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
  check(t, { runs: 6, requests: 200 }, async () => undefined));

test("PostgreSQL: whatever is asked in whatever order, the API answers as its document says", async (t) => {
  const postgres = await startPostgres(t);
  if (postgres === null) return;
  await check(t, { runs: 2, requests: 150 }, async () => ({
    kind: "postgres",
    url: await postgres.newDatabase(),
  }));
});
