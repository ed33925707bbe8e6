import type { ClientConnection } from "./client-connection.ts";
import { NAMES } from "./header-names.ts";

/**
 * The parser's own bound, as upstream has it. What the operator allows is checked later, in `admit`, when the
 * route is known and the answer can be logged under its name.
 */
const LIMITS = { maxHeadBytes: 1024 * 1024, maxHeaders: 0 };
/** So much of a read is made a string at first: heads are short, and bodies need not become strings. */
const WINDOW_BYTES = 8 * 1024;

/**
 * Phase readHead: takes a request head out of the bytes. When more are needed, it keeps these in `client.text`,
 * which is empty otherwise.
 * @returns how many bytes it used.
 * @throws the catalogue of `kernel/errors/wire.ts`.
 */
export function readHead(client: ClientConnection, bytes: Buffer, size: number): number {
  const before = client.text;
  if (before === "") client.headStartedAtMs = client.router.ticker.monotonicMs();

  let window = Math.min(size, WINDOW_BYTES);
  let text = before + bytes.toString("latin1", 0, window);
  let isComplete = client.head.parse(text, 0, before.length, NAMES, LIMITS);
  if (!isComplete && window < size) {
    window = size;
    text = before + bytes.toString("latin1", 0, window);
    isComplete = client.head.parse(text, 0, before.length, NAMES, LIMITS);
  }
  client.text = isComplete ? "" : text;
  return isComplete ? client.head.end - before.length : size;
}
