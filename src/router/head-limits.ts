import { requestHeadersTooMany, requestHeadTooLarge } from "../kernel/errors/router.ts";
import type { RequestHead } from "../wire/http1/index.ts";
import type { RouterConfig } from "./config.ts";

/** Upstream counts «: » and CRLF of each header line, and no other white space around a value. */
const BYTES_PER_LINE = 4;

/**
 * What the operator allows of a request's head.
 * @param length  of all that has come of it
 * @param rest  of what is behind the last line that has ended, which counts as it is
 * @throws requestHeadTooLarge, requestHeadersTooMany
 */
export function checkHeadLimits(
  head: RequestHead,
  length: number,
  rest: number,
  { maxRequestHeadBytes: limitBytes, maxRequestHeaders: limit }: RouterConfig,
): void {
  if (limit !== 0 && head.lineCount > limit) throw requestHeadersTooMany({ count: head.lineCount, limit });
  // The count below is never more than this («a:b» has one byte less than it counts); nearly all heads end here.
  if (length + head.lineCount <= limitBytes) return;
  let bytes = head.linesStart - head.start + rest;
  for (let i = 0; i < head.lineCount; i++) {
    bytes += head.nameEnd(i) - head.nameStart(i) + head.valueEnd(i) - head.valueStart(i) + BYTES_PER_LINE;
  }
  if (bytes > limitBytes) throw requestHeadTooLarge({ bytes, limitBytes });
}
