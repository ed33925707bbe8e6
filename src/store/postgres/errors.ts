/** What PostgreSQL's SQLSTATE codes mean here. See https://www.postgresql.org/docs/current/errcodes-appendix.html */
import { storeConnectionLost, storeFailed, storeUnreachable } from "../../kernel/errors/store.ts";

const UNIQUE_VIOLATION = "23505";
const FOREIGN_KEY_VIOLATION = "23503";
const SERIALIZATION_FAILURE = "40001";
/** Also what PostgreSQL calls a change of columns under a prepared statement. */
const FEATURE_NOT_SUPPORTED = "0A000";
const DEADLOCK_DETECTED = "40P01";
/** Insufficient resources: disk full, out of memory, too many connections. */
const RESOURCES_CLASS = "53";
/** Connection exceptions, and an operator who ended the connection. */
const CONNECTION_CODES = /^(?:08|57P0)/;
/** Socket errors of the runtime, and the driver's own words for a closed connection. */
const SOCKET_CODES = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "ENOENT",
  "EHOSTUNREACH",
]);
const CONNECTION_WORDS =
  /^(?:Connection terminated|Client has encountered a connection error|Client was closed)/;

function facts(error: unknown): { code: string; message: string } {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  return { code: typeof code === "string" ? code : "", message: typeof message === "string" ? message : "" };
}

export const isUniqueViolation = (error: unknown) => facts(error).code === UNIQUE_VIOLATION;
export const isForeignKeyViolation = (error: unknown) => facts(error).code === FOREIGN_KEY_VIOLATION;

/** The transaction met another one, or a migration, and may simply be run again. */
export function isContention(error: unknown): boolean {
  const { code } = facts(error);
  return code === SERIALIZATION_FAILURE || code === DEADLOCK_DETECTED || isOutdatedPlan(error);
}

/** A prepared statement would give other columns than when it was prepared: somebody has migrated the database. */
export function isOutdatedPlan(error: unknown): boolean {
  const { code, message } = facts(error);
  return code === FEATURE_NOT_SUPPORTED && /cached plan/.test(message);
}

/** The connection is of no more use. */
export function isConnectionLost(error: unknown): boolean {
  const { code, message } = facts(error);
  return SOCKET_CODES.has(code) || CONNECTION_CODES.test(code) || CONNECTION_WORDS.test(message);
}

/** Names a failure of a statement; what the caller may decide about (a constraint) stays as it is. */
export function queryError(where: string, error: unknown): unknown {
  const { code, message } = facts(error);
  if (isConnectionLost(error)) return storeConnectionLost({ url: where, reason: message }, error);
  return code.startsWith(RESOURCES_CLASS) ? storeFailed({ where, reason: message }, error) : error;
}

/** Names a failure to connect: no server, no such user or database, a wrong password. */
export function connectError(where: string, error: unknown): unknown {
  // Node tries every address of a name and reports them together, with an empty message.
  const reason =
    error instanceof AggregateError ? error.errors.map((one) => facts(one).message).join("; ") : null;
  return storeUnreachable({ url: where, reason: reason ?? (facts(error).message || String(error)) }, error);
}
