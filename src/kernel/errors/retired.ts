/**
 * Codes that errors once had. Somebody's alert or script may still look for them, so none is ever given to another
 * error: a code that leaves the catalogue comes here.
 */
export const RETIRED_CODES: readonly string[] = [];
