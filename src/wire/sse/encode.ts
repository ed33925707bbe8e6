/**
 * Values → event-stream text.
 */

const LINE_BREAK = /\r\n|\r|\n/;

export interface SseFields {
  /** Where a reader resumes; leave it out when a reader must not resume here. No line breaks, no NUL. */
  readonly id?: string;
  /** Name of the event; left out, readers see `message`. */
  readonly event?: string;
  /** Any text; each line travels as its own field. */
  readonly data: string;
}

/** One event with its closing blank line, fields in the order id, event, data. */
export function encodeEvent({ id, event, data }: SseFields): string {
  let text = "";
  if (id !== undefined) text += `id: ${oneLine(id)}\n`;
  if (event !== undefined) text += `event: ${oneLine(event)}\n`;
  for (const line of data.split(LINE_BREAK)) text += `data: ${line}\n`;
  return `${text}\n`;
}

/** A line that readers skip: keeps intermediaries with idle timeouts from cutting a quiet stream. */
export function encodeComment(text: string): string {
  return `: ${oneLine(text)}\n\n`;
}

/** How long a reader waits before it connects again. */
export function encodeRetry(afterMs: number): string {
  return `retry: ${afterMs}\n\n`;
}

// A line break in a name would start a new field: the caller's bug, made harmless instead of split.
function oneLine(text: string): string {
  return text.replaceAll(/[\r\n\0]/g, "");
}
