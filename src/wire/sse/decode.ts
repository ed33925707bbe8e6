/**
 * Event-stream bytes → values, in pieces of any size.
 *
 *   bytes ──utf-8──► text ──CR | LF | CRLF──► lines ──"field: value"──► event, given out at the blank line
 */
import { sseEventTooLarge } from "../../kernel/errors/wire.ts";

/** Far above one route with its options (about 4 KiB); a peer that sends no blank line must not fill memory. */
const MAX_EVENT_CHARS = 1024 * 1024;

export interface SseEvent {
  /** The event's own `id:`, or null when it has none; unlike a browser's, it is not inherited. */
  readonly id: string | null;
  /** `message` when the stream names none. */
  readonly event: string;
  readonly data: string;
}

export interface SseDecoder {
  /** The last `id:` seen in a finished block: what goes into `Last-Event-ID`. "" before the first. */
  readonly lastEventId: string;
  /** Wait before the next connection as the server asked for; null when it has not. */
  readonly retryMs: number | null;
  /**
   * The events that these bytes complete. An unfinished one at the end of a stream is never given out.
   * @throws sseEventTooLarge
   */
  push(bytes: Uint8Array): readonly SseEvent[];
}

export function createSseDecoder(maxEventChars = MAX_EVENT_CHARS): SseDecoder {
  const utf8 = new TextDecoder(); // drops a leading byte order mark, as the grammar asks
  let text = "";
  let endedWithCr = false;
  let lastEventId = "";
  let retryMs: number | null = null;
  let id: string | null = null;
  let event = "";
  let data: string[] = [];
  let dataChars = 0;

  const takeField = (line: string) => {
    const colon = line.indexOf(":");
    const name = colon === -1 ? line : line.slice(0, colon);
    let value = colon === -1 ? "" : line.slice(colon + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    if (name === "data") {
      data.push(value);
      dataChars += value.length;
    } else if (name === "event") event = value;
    else if (name === "id" && !value.includes("\0")) id = value;
    else if (name === "retry" && /^\d+$/.test(value)) retryMs = Number(value);
  };

  const endBlock = (out: SseEvent[]) => {
    if (id !== null) lastEventId = id;
    if (data.length > 0) out.push({ id, event: event === "" ? "message" : event, data: data.join("\n") });
    id = null;
    event = "";
    data = [];
    dataChars = 0;
  };

  return {
    get lastEventId() {
      return lastEventId;
    },
    get retryMs() {
      return retryMs;
    },
    push(bytes) {
      text += utf8.decode(bytes, { stream: true });
      const out: SseEvent[] = [];
      let start = 0;
      // The LF of a CRLF that was cut in two belongs to the line that its CR has ended.
      if (endedWithCr && text.length > 0) {
        if (text.charCodeAt(0) === 10) start = 1;
        endedWithCr = false;
      }
      for (let at = start; at < text.length; at++) {
        const code = text.charCodeAt(at);
        if (code !== 10 && code !== 13) continue;
        if (at === start) endBlock(out);
        else takeField(text.slice(start, at));
        if (code === 13) {
          if (at + 1 === text.length) endedWithCr = true;
          else if (text.charCodeAt(at + 1) === 10) at++;
        }
        start = at + 1;
      }
      text = text.slice(start);
      if (text.length + dataChars > maxEventChars) throw sseEventTooLarge({ limit: maxEventChars });
      return out;
    },
  };
}
