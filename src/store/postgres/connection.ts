/** Connections to PostgreSQL: a pool for queries, and the same values out of it as SQLite gives. */
import { Client, type ClientConfig, type CustomTypesConfig, Pool, types } from "pg";
import { storeUnreachable } from "../../kernel/errors/store.ts";
import type { Logger } from "../../kernel/index.ts";

const POOL_SIZE = 10;
const CONNECT_TIMEOUT_MS = 5_000;
/** A process that died in the middle of a transaction must not hold its locks for longer. */
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 30_000;

const INT8 = 20;
const NUMERIC = 1700;

// Counts and sums are int8 and numeric; the driver hands them out as text to keep more than 53 bits, which nothing
// here needs.
const numbersAsNumbers: CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: "text" | "binary") =>
    oid === INT8 || oid === NUMERIC
      ? (value: string) => Number(value)
      : types.getTypeParser(oid, format as "text")) as CustomTypesConfig["getTypeParser"],
};

const settings = (url: string): ClientConfig => ({
  connectionString: url,
  connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
  application_name: "viaduct",
  keepAlive: true,
  types: numbersAsNumbers,
});

/** The URL as it may be shown. Hides too much rather than too little: a password may hold an unescaped `@` or `/`. */
export function withoutPassword(url: string): string {
  return url.replace(/^([^:/]+:\/\/[^:@/]*):.*@/, "$1@").replace(/([?&]password=)[^&]*/, "$1***");
}

/** @throws storeUnreachable for a URL that is none */
export function openPool(url: string, log: Logger): Pool {
  if (!/^postgres(?:ql)?:\/\//.test(url)) {
    throw storeUnreachable({ url: withoutPassword(url), reason: "the URL does not begin with postgres://" });
  }
  const pool = new Pool({ ...settings(url), max: POOL_SIZE, allowExitOnIdle: true, pipeline: true });
  // An idle connection that breaks is replaced at the next query; without a listener it would end the process.
  pool.on("error", (error) => log.warn({ err: error }, "an idle database connection was lost"));
  return pool;
}

/** A connection of its own, for what belongs to a session: LISTEN and session locks. */
export function openClient(url: string): Client {
  return new Client(settings(url));
}
