import { Type } from "typebox";

const MAX_CHARACTERS = 128;

/** Of a pattern: where a name stands among other words. */
export const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";

/**
 * Schema and refusal of an option whose value names a header or a cookie (a token, RFC 9110 §5.6.2).
 * @param words  The option's name in words: `Hash header`.
 */
export function tokenOf(words: string, named: "header" | "cookie") {
  return {
    schema: Type.String({ maxLength: MAX_CHARACTERS, pattern: `^${TOKEN}$` }),
    refusal: (given: unknown) =>
      typeof given === "string" && given.length > MAX_CHARACTERS
        ? `${words} must be at most ${MAX_CHARACTERS} characters`
        : `${words} must be the name of a ${named}`,
  };
}
