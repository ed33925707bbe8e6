import { CONNECTION, type RequestHead, type ResponseHead, SAID_OTHERS } from "../wire/http1/index.ts";

/** What most messages have: nothing but the headers that always end here. */
export const NO_NAMES: ReadonlySet<string> = new Set();

/**
 * Headers that a message's `Connection` names, lower case: they were meant for us alone and end here (RFC 9110 §7.6.1).
 * @param kept  those that go on all the same.
 */
export function hopByHopNames(
  head: RequestHead | ResponseHead,
  kept: ReadonlySet<string>,
  alsoKept: readonly string[],
): ReadonlySet<string> {
  if ((head.connection & SAID_OTHERS) === 0) return NO_NAMES;
  const names = new Set<string>();
  for (let i = 0; i < head.lineCount; i++) {
    if (head.nameId(i) !== CONNECTION) continue;
    for (const item of head.value(i).split(",")) names.add(item.trim().toLowerCase());
  }
  for (const name of kept) names.delete(name);
  for (const name of alsoKept) names.delete(name);
  return names;
}
