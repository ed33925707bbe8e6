import assert from "node:assert/strict";
import { test } from "node:test";
import { Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler, sql } from "kysely";
import type { Pool } from "pg";
import type { Tables } from "../tables.ts";
import { post, together, writeLater } from "../together.ts";
import { createTransactionScope } from "../transaction-scope.ts";
import { PostgresDriver } from "./driver.ts";

type Answer = (error: Error | null, result?: object) => void;

/** A server that answers each write as a whole, and knows what came in which. */
function scripted(failing: Readonly<Record<string, string>> = {}) {
  const writes: string[][] = [];
  let open: { text: string; answer: Answer }[] = [];
  const answerAll = (asked: typeof open) => {
    let isAborted = false;
    for (const { text, answer } of asked) {
      const code: string | undefined = isAborted && text !== "commit" ? "25P02" : failing[text];
      isAborted ||= code !== undefined;
      if (code === undefined) answer(null, { rows: [{ text }], rowCount: 1, command: "SELECT" });
      else answer(Object.assign(new Error(text), { code }));
    }
  };
  const client = {
    on: () => {},
    off: () => {},
    release: () => {},
    connection: {
      stream: {
        cork: () => void (open = []),
        uncork() {
          const asked = open;
          writes.push(asked.map(({ text }) => text));
          setImmediate(() => answerAll(asked));
        },
      },
    },
    query: ({ text }: { text: string }, answer: Answer) => void open.push({ text, answer }),
  };
  const pool = { ending: false, connect: async () => client, end: async () => {} } as unknown as Pool;
  const driver = new PostgresDriver(pool, "postgres://test", createTransactionScope());
  const db = new Kysely<Tables>({
    dialect: {
      createDriver: () => driver,
      createQueryCompiler: () => new PostgresQueryCompiler(),
      createAdapter: () => new PostgresAdapter(),
      createIntrospector: (of) => new PostgresIntrospector(of),
    },
  });
  return { db, writes };
}

test("a transaction's last writes and its commit are one write, and so are its beginning and first statement", async () => {
  const { db, writes } = scripted();
  const answer = await db.transaction().execute(async (trx) => {
    await writeLater(trx, sql`lock`);
    await sql`look`.execute(trx);
    await writeLater(trx, sql`insert one`);
    await writeLater(trx, sql`insert two`);
    return post(trx, sql<{ text: string }>`news`);
  });
  assert.deepEqual(writes, [
    ["begin; lock", "look"],
    ["insert one", "insert two", "news", "commit"],
  ]);
  assert.deepEqual((await answer.answer).rows, [{ text: "news" }]);
});

test("what is asked for together is one write, and answered in its order", async () => {
  const { db, writes } = scripted();
  const found = await together(db, [sql<{ text: string }>`one`, sql<{ text: string }>`two`]);
  assert.deepEqual(writes, [["one", "two"]]);
  assert.deepEqual(found, [[{ text: "one" }], [{ text: "two" }]]);
});

test("a transaction fails with its first failure, wherever that is waited for, and is not rolled back twice", async () => {
  const { db, writes } = scripted({ "begin; insert": "23505" });
  const insert = { code: "23505" };
  const atCommit = db.transaction().execute((trx) => writeLater(trx, sql`insert`));
  await assert.rejects(atCommit, insert);
  const atNext = db.transaction().execute(async (trx) => {
    await writeLater(trx, sql`insert`);
    await sql`look`.execute(trx);
  });
  await assert.rejects(atNext, insert);
  assert.deepEqual(writes, [["begin; insert", "commit"], ["begin; insert", "look"], ["rollback"]]);
});

test("a transaction whose failure was caught is not said to be committed", async () => {
  const { db } = scripted({ "begin; insert": "23505" });
  const caught = db.transaction().execute((trx) =>
    sql`insert`.execute(trx).then(
      () => {},
      () => {},
    ),
  );
  await assert.rejects(caught, { code: "23505" });
});

test("a transaction that asks for nothing sends nothing", async () => {
  const { db, writes } = scripted();
  await db.transaction().execute(async () => {});
  const failure = new Error("changed my mind");
  await assert.rejects(
    db.transaction().execute(async () => {
      throw failure;
    }),
    failure,
  );
  assert.deepEqual(writes, []);
});
