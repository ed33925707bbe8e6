import assert from "node:assert/strict";
import type { ClientConnection } from "./client-connection.ts";
import { checkHeadLimits } from "./head-limits.ts";
import { NAMES } from "./header-names.ts";

/** Nobody has so many header lines, in requests or answers. */
export const MAX_HEADER_LINES = 10_000;
/**
 * The parser's own bound, as upstream has it. Of a head that came at once, what the operator allows is checked in
 * `admit`, when its route is known. Upstream has no bound for lines; we keep 20 bytes for each, so that a head full of «a:» would cost five times what it sends.
 */
const LIMITS = { maxHeadBytes: 1024 * 1024, maxHeaders: MAX_HEADER_LINES };
/** So much of a read is made a string at first: heads are short, and bodies need not become strings. */
const WINDOW_BYTES = 4 * 1024;

/**
 * Phase readHead: takes a request head out of the bytes. When more are needed, `client.head` holds what came of it.
 * @returns how many bytes it used.
 * @throws the catalogue of `kernel/errors/wire.ts`; and, when what came is more than the operator allows, before the
 * rest of it comes, requestHeadTooLarge and requestHeadersTooMany.
 */
export function readHead(client: ClientConnection, bytes: Buffer, size: number): number {
  const { head } = client;
  const before = head.heldLength;
  const window = Math.min(size, WINDOW_BYTES);
  const first = bytes.toString("latin1", 0, window);
  let isComplete: boolean;
  if (before === 0) {
    client.headStartedAtMs = client.router.ticker.monotonicMs();
    isComplete = head.parse(first, 0, NAMES, LIMITS, bytes);
  } else isComplete = head.parseMore(first, NAMES, LIMITS);
  if (!isComplete && window < size)
    isComplete = head.parseMore(bytes.toString("latin1", window, size), NAMES, LIMITS);
  if (isComplete) return head.end - before;
  checkHeadLimits(head, head.heldLength, head.restLength, client.router.config);
  return size;
}

/**
 * The same for a whole head that was never bytes. @param lineCount  how many header lines were put into it: another
 * number than that of the reader means that a name or value held a line of its own, and would smuggle it in.
 */
export function readHeadText(client: ClientConnection, text: string, lineCount: number): void {
  client.headStartedAtMs = client.router.ticker.monotonicMs();
  const { head } = client;
  const isWhole = head.parse(text, 0, NAMES, LIMITS) && head.end === text.length;
  assert(isWhole && head.lineCount === lineCount, "the text is one head of so many lines");
}
