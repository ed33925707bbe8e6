/**
 * Which field may stand in a message at all (RFC 9113 §8.2, §8.3). A field is judged once, when it is decoded, and the
 * judgement stays beside it in the dynamic table: a field that repeats is not read again.
 *
 * This is the smuggling wall. HTTP/2 says where a name or a value ends by lengths, HTTP/1.1 by characters; whatever would
 * read as another line, another length or another message once it is text is refused here, with the very tables that
 * the HTTP/1.1 reader uses.
 */
import { CLASS, DIGIT, HOST, HTAB, SP, TARGET, TOKEN, VALUE } from "../http1/index.ts";

/** What a name is; the low bits of a judgement. */
export const ORDINARY = 0;
export const METHOD = 1;
export const SCHEME = 2;
export const AUTHORITY = 3;
export const PATH = 4;
export const STATUS = 5;
/** A pseudo-header nobody defined, or not for us (`:protocol`, RFC 8441, is not offered). */
export const UNKNOWN_PSEUDO = 6;
export const HOST_FIELD = 7;
export const CONTENT_LENGTH = 8;
export const COOKIE = 9;
export const TE = 10;
/** Of one connection, and HTTP/2 has its own words for it (RFC 9113 §8.2.2). */
export const CONNECTION_SPECIFIC = 11;
export const BAD_NAME = 12;
/** Set beside the name's kind when the value may not stand there. */
export const BAD_VALUE = 0x80;

const COLON = 58;
const SLASH = 47;
/** As in HTTP/1.1: far from where a double loses count. */
const MAX_LENGTH_DIGITS = 15;

const KINDS: ReadonlyMap<string, number> = new Map([
  [":method", METHOD],
  [":scheme", SCHEME],
  [":authority", AUTHORITY],
  [":path", PATH],
  [":status", STATUS],
  ["host", HOST_FIELD],
  ["content-length", CONTENT_LENGTH],
  ["cookie", COOKIE],
  ["te", TE],
  ["connection", CONNECTION_SPECIFIC],
  ["keep-alive", CONNECTION_SPECIFIC],
  ["proxy-connection", CONNECTION_SPECIFIC],
  ["transfer-encoding", CONNECTION_SPECIFIC],
  ["upgrade", CONNECTION_SPECIFIC],
]);

/** A field's kind, and {@link BAD_VALUE} when its value is refused. */
export function judgeField(name: string, value: string): number {
  const kind = KINDS.get(name) ?? otherKind(name);
  return isValueOf(kind, value) ? kind : kind | BAD_VALUE;
}

function otherKind(name: string): number {
  if (name.charCodeAt(0) === COLON) return UNKNOWN_PSEUDO;
  if (name === "") return BAD_NAME;
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    if (((CLASS[code] as number) & TOKEN) === 0 || (code >= 65 && code <= 90)) return BAD_NAME;
  }
  return ORDINARY;
}

function isValueOf(kind: number, value: string): boolean {
  switch (kind) {
    case METHOD:
      return isAll(TOKEN, value);
    case SCHEME:
      return value === "https" || value === "http";
    case AUTHORITY:
    case HOST_FIELD:
      return isAll(HOST, value);
    case PATH:
      return isAll(TARGET, value) && (value.charCodeAt(0) === SLASH || value === "*");
    case STATUS:
      return value.length === 3 && isAll(DIGIT, value) && value >= "100";
    case CONTENT_LENGTH:
      return value.length <= MAX_LENGTH_DIGITS && isAll(DIGIT, value);
    case TE:
      return value === "trailers";
    default:
      return isText(value);
  }
}

/** At least one character, and each of the class. */
function isAll(classes: number, value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    if (((CLASS[value.charCodeAt(i)] as number) & classes) === 0) return false;
  }
  return value !== "";
}

/** No control characters, no white space at either end (RFC 9113 §8.2.1). */
function isText(value: string): boolean {
  const { length } = value;
  if (length === 0) return true;
  for (let i = 0; i < length; i++) {
    if (((CLASS[value.charCodeAt(i)] as number) & VALUE) === 0) return false;
  }
  return !isBlank(value.charCodeAt(0)) && !isBlank(value.charCodeAt(length - 1));
}

const isBlank = (code: number) => code === SP || code === HTAB;
