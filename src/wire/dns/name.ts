/**
 * Names on the wire ⇄ names as text. Text is lower-case (ASCII only, RFC 4343), without the last dot, the root is
 * "". A dot or backslash inside a label is escaped by a backslash, what is not printable as `\DDD`, so two different
 * names never have the same text.
 */
import { HEADER_BYTES, MAX_LABEL_BYTES, MAX_NAME_BYTES } from "./constants.ts";

const DOT = 0x2e;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const DELETE = 0x7f;
/** A label has at least two bytes, so a name that is not longer than allowed needs fewer pointers than this. */
const MAX_POINTERS = 127;

export interface ReadName {
  readonly text: string;
  /** Offset of the first byte after the name. */
  readonly end: number;
}

/**
 * Reads the name at an offset, following compression pointers.
 * @returns why not, when it is malformed: only pointers to what comes strictly earlier are followed, so every name ends.
 */
export function readName(message: Uint8Array, offset: number): ReadName | { readonly problem: string } {
  const labels: string[] = [];
  let nameBytes = 1;
  let position = offset;
  /** Start of the run of labels we are in; a pointer must lead before it. */
  let runStart = offset;
  let end = -1;
  for (let pointers = 0; ; ) {
    const length = message[position];
    if (length === undefined) return { problem: "a name runs over the end" };
    if (length === 0) {
      return { text: labels.join("."), end: end === -1 ? position + 1 : end };
    }
    if (length <= MAX_LABEL_BYTES) {
      nameBytes += length + 1;
      if (nameBytes > MAX_NAME_BYTES) return { problem: `a name is longer than ${MAX_NAME_BYTES} bytes` };
      if (position + 1 + length > message.length) return { problem: "a label runs over the end" };
      labels.push(labelText(message, position + 1, length));
      position += 1 + length;
    } else if (length >= 0xc0) {
      const low = message[position + 1];
      if (low === undefined) return { problem: "a pointer runs over the end" };
      const target = ((length & 0x3f) << 8) | low;
      if (target < HEADER_BYTES) return { problem: "a pointer leads into the header" };
      if (target >= runStart) return { problem: "a pointer does not lead backwards" };
      if (++pointers > MAX_POINTERS) return { problem: `a name has more than ${MAX_POINTERS} pointers` };
      if (end === -1) end = position + 2;
      position = target;
      runStart = target;
    } else {
      return { problem: `a label has the reserved type ${length >> 6}` };
    }
  }
}

function labelText(message: Uint8Array, start: number, length: number): string {
  let text = "";
  for (let i = start; i < start + length; i++) {
    const byte = message[i] ?? 0;
    if (byte >= 0x41 && byte <= 0x5a) text += String.fromCharCode(byte | 0x20);
    else if (byte === DOT || byte === BACKSLASH) text += `\\${String.fromCharCode(byte)}`;
    else if (byte > SPACE && byte < DELETE) text += String.fromCharCode(byte);
    else text += `\\${String(byte).padStart(3, "0")}`;
  }
  return text;
}

/** Wire form of a name as text, uncompressed; null when it is no name. A last dot is allowed, case is kept. */
export function encodeName(text: string): Uint8Array | null {
  const bytes: number[] = [];
  let label: number[] = [];
  const endLabel = () => {
    if (label.length === 0 || label.length > MAX_LABEL_BYTES) return false;
    bytes.push(label.length, ...label);
    label = [];
    return true;
  };
  const absolute = text.endsWith(".") && !text.endsWith("\\.") ? text.slice(0, -1) : text;
  if (absolute === "") return Uint8Array.of(0);
  for (let i = 0; i < absolute.length; i++) {
    const code = absolute.charCodeAt(i);
    if (code > 0xff) return null;
    if (code === DOT) {
      if (!endLabel()) return null;
    } else if (code === BACKSLASH) {
      const digits = /^\d{3}/.exec(absolute.slice(i + 1))?.[0];
      const value = digits === undefined ? absolute.charCodeAt(i + 1) : Number(digits);
      if (!(value <= 0xff)) return null;
      label.push(value);
      i += digits === undefined ? 1 : 3;
    } else {
      label.push(code);
    }
  }
  if (!endLabel()) return null;
  bytes.push(0);
  return bytes.length > MAX_NAME_BYTES ? null : Uint8Array.from(bytes);
}
