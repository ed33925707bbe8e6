/**
 * Subjects: tokens separated by dots. In a subscription `*` stands for exactly one token, and `>`, as the last
 * token, for one or more.
 */
import assert from "node:assert/strict";

/** A matcher for one subscription; the subject itself must not hold wildcards. */
export function compileSubject(pattern: string): (subject: string) => boolean {
  checkSubject(pattern);
  const wanted = pattern.split(".");
  if (!wanted.includes("*") && wanted.at(-1) !== ">") return (subject) => subject === pattern;
  const isOpenEnded = wanted.at(-1) === ">";
  const fixed = isOpenEnded ? wanted.slice(0, -1) : wanted;
  return (subject) => {
    const tokens = subject.split(".");
    if (isOpenEnded ? tokens.length <= fixed.length : tokens.length !== fixed.length) return false;
    return fixed.every((token, i) => token === "*" || token === tokens[i]);
  };
}

/** A subject comes from our code, never from a peer: a malformed one is a programmer's mistake. */
export function checkSubject(subject: string): void {
  assert.match(subject, /^[^\s.]+(\.[^\s.]+)*$/, `not a bus subject: ${JSON.stringify(subject)}`);
}
