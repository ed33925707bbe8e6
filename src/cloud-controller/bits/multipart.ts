/**
 * A `multipart/form-data` body, read as it arrives: each part goes to whoever wants it, and nothing is held but the
 * head of a part. Source: RFC 7578, RFC 2046 §5.1.
 */
import { multipartInvalid } from "../../kernel/errors/bits.ts";

const MAX_HEAD_BYTES = 8 * 1024;
const LINE_END = Buffer.from("\r\n");
const HEAD_END = Buffer.from("\r\n\r\n");

export interface PartSink {
  write(bytes: Buffer): Promise<void> | void;
  end(): Promise<void> | void;
}

/** @throws multipartInvalid when the type names no boundary */
export function boundaryOf(contentType: string): string {
  const [, quoted, plain] = /^multipart\/form-data\s*;.*?\bboundary=(?:"([^"]+)"|([^\s;]+))/i.exec(
    contentType,
  ) ?? [undefined, undefined, undefined];
  const boundary = quoted ?? plain ?? "";
  if (boundary === "" || boundary.length > 70) {
    throw multipartInvalid({ reason: "its content type names no boundary of 1 to 70 characters" });
  }
  return boundary;
}

/**
 * @param sinkOf  Called with the name of each part, before its bytes come.
 * @throws multipartInvalid, and what a sink throws
 */
export async function readMultipart(
  body: AsyncIterable<Buffer>,
  boundary: string,
  sinkOf: (name: string) => PartSink,
): Promise<void> {
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  // The first boundary has no line before it; with one put there, all of them look the same.
  let held: Buffer = LINE_END;
  let sink: PartSink | null = null;
  /** `text`: inside a part, or before the first. `after`: behind a boundary. `head`: in a part's head. */
  let state: "text" | "after" | "head" | "end" = "text";
  for await (const piece of body) {
    if (state === "end") continue;
    held = held.length === 0 ? piece : Buffer.concat([held, piece]);
    for (;;) {
      if (state === "text") {
        const at = held.indexOf(delimiter);
        // What may be the beginning of a boundary waits for more.
        const safe = at === -1 ? Math.max(0, held.length - delimiter.length + 1) : at;
        if (sink !== null && safe > 0) await sink.write(held.subarray(0, safe));
        held = held.subarray(at === -1 ? safe : at + delimiter.length);
        if (at === -1) break;
        await sink?.end();
        sink = null;
        state = "after";
      }
      if (state === "after") {
        if (held.length < 2) break;
        const next = held.toString("latin1", 0, 2);
        if (next !== "--" && next !== "\r\n") throw multipartInvalid({ reason: "a boundary goes on" });
        held = held.subarray(next === "--" ? held.length : 0);
        state = next === "--" ? "end" : "head";
        if (state === "end") break;
      }
      if (state === "head") {
        const at = held.indexOf(HEAD_END);
        if (at === -1 && held.length < MAX_HEAD_BYTES) break;
        if (at === -1 || at > MAX_HEAD_BYTES) throw multipartInvalid({ reason: "a part's head is too long" });
        sink = sinkOf(nameOf(held.toString("utf8", 0, at)));
        held = held.subarray(at + HEAD_END.length);
        state = "text";
      }
    }
  }
  if (state !== "end") throw multipartInvalid({ reason: "it ends before its last boundary" });
}

function nameOf(head: string): string {
  const disposition = /^content-disposition:\s*form-data\b([^\r\n]*)$/im.exec(head)?.[1] ?? "";
  const [, quoted, plain] = /;\s*name=(?:"((?:[^"\\]|\\.)*)"|([^\s;]+))/i.exec(disposition) ?? [];
  const name = quoted ?? plain;
  if (name === undefined) throw multipartInvalid({ reason: "a part has no name" });
  return name;
}
