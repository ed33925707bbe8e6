import assert from "node:assert/strict";
import { mayDecideHead } from "../wire/http1/index.ts";
import type { ClientConnection } from "./client-connection.ts";
import { NAMES } from "./header-names.ts";

/** Nobody has so many header lines, in requests or answers. */
export const MAX_HEADER_LINES = 10_000;
/**
 * The parser's own bound, as upstream has it. What the operator allows is checked later, in `admit`, when the
 * route is known and the answer can be logged under its name. Upstream has none for lines; we keep 20 bytes for each,
 * so that a head full of «a:» would cost five times what it sends.
 */
const LIMITS = { maxHeadBytes: 1024 * 1024, maxHeaders: MAX_HEADER_LINES };
/** So much of a read is made a string at first: heads are short, and bodies need not become strings. */
const WINDOW_BYTES = 8 * 1024;

/** The received part of a head, and its last three characters; both "" when there is none. */
interface UnfinishedHead {
  text: string;
  textEnd: string;
}

/** @returns true when the bytes cannot end a head that has begun: they are kept with it, and nothing was parsed. */
export function waitsForMore(
  head: UnfinishedHead,
  bytes: Buffer,
  size: number,
  maxHeadBytes: number,
): boolean {
  if (head.text.length + size > maxHeadBytes) return false;
  const piece = bytes.toString("latin1", 0, size);
  if (mayDecideHead(head.textEnd, piece)) return false;
  head.text += piece;
  head.textEnd = (head.textEnd + piece).slice(-3);
  return true;
}

/**
 * Phase readHead: takes a request head out of the bytes. When more are needed, it keeps these in `client.text`,
 * which is empty otherwise.
 * @returns how many bytes it used.
 * @throws the catalogue of `kernel/errors/wire.ts`.
 */
export function readHead(client: ClientConnection, bytes: Buffer, size: number): number {
  const before = client.text;
  if (before === "") client.headStartedAtMs = client.router.ticker.monotonicMs();
  else if (waitsForMore(client, bytes, size, LIMITS.maxHeadBytes)) return size;

  let window = Math.min(size, WINDOW_BYTES);
  let text = before + bytes.toString("latin1", 0, window);
  let isComplete = client.head.parse(text, 0, before.length, NAMES, LIMITS);
  if (!isComplete && window < size) {
    window = size;
    text = before + bytes.toString("latin1", 0, window);
    isComplete = client.head.parse(text, 0, before.length, NAMES, LIMITS);
  }
  client.text = isComplete ? "" : text;
  client.textEnd = isComplete ? "" : text.slice(-3);
  return isComplete ? client.head.end - before.length : size;
}

/**
 * The same for a whole head that was never bytes. @param lineCount  how many header lines were put into it: another
 * number than that of the reader means that a name or value held a line of its own, and would smuggle it in.
 */
export function readHeadText(client: ClientConnection, text: string, lineCount: number): void {
  client.headStartedAtMs = client.router.ticker.monotonicMs();
  const { head } = client;
  const isWhole = head.parse(text, 0, 0, NAMES, LIMITS) && head.end === text.length;
  assert(isWhole && head.lineCount === lineCount, "the text is one head of so many lines");
}
