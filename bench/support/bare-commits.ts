/** The least that a durable write can cost: one row, one INSERT, one commit, without anything of ours around it. */
import { rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { Pool } from "pg";
import type { StoreLocation } from "../../src/store/index.ts";

export interface BareCommits {
  /** Resolves when the row is on disk. */
  commit(): Promise<void>;
  close(): Promise<void>;
}

/** About as long as a row of `routes`. */
const TEXT = "x".repeat(200);

/** SQLite in a file beside the location's, PostgreSQL in a table of its database; both are gone after `close`. */
export async function openBareCommits(location: StoreLocation): Promise<BareCommits> {
  return location.kind === "sqlite" ? openFile(`${location.path}-bare`) : openTable(location.url);
}

async function openFile(path: string): Promise<BareCommits> {
  const database = new DatabaseSync(path);
  database.exec(
    "pragma journal_mode = wal; pragma synchronous = full; create table bare_commits (text text)",
  );
  const insert = database.prepare("insert into bare_commits (text) values (?)");
  return {
    commit: async () => void insert.run(TEXT),
    async close() {
      database.close();
      rmSync(path);
    },
  };
}

async function openTable(url: string): Promise<BareCommits> {
  const pool = new Pool({ connectionString: url });
  await pool.query("drop table if exists bare_commits");
  await pool.query(
    "create table bare_commits (id integer generated always as identity primary key, text text)",
  );
  return {
    async commit() {
      await pool.query({
        name: "insert",
        text: "insert into bare_commits (text) values ($1)",
        values: [TEXT],
      });
    },
    async close() {
      await pool.query("drop table bare_commits");
      await pool.end();
    },
  };
}
