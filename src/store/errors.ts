/** What a failed statement means, whichever engine refused it. */
import * as postgres from "./postgres/errors.ts";
import * as sqlite from "./sqlite/errors.ts";

/** True when the row, or its address, is there already. */
export function isUniqueViolation(error: unknown): boolean {
  return sqlite.isUniqueViolation(error) || postgres.isUniqueViolation(error);
}

/** True when the row points to one that is not there, or is still pointed to. */
export function isForeignKeyViolation(error: unknown): boolean {
  return sqlite.isForeignKeyViolation(error) || postgres.isForeignKeyViolation(error);
}
