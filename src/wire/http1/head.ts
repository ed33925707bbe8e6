/**
 * Request and response heads. A head is one latin1 string, a character per byte; parsing leaves offsets into it
 * and the facts that decide framing, and makes no other strings. One head object is reused for every message of
 * a connection.
 *
 *   text   GET /a HTTP/1.1␍␊Host: example.com␍␊Accept: *␍␊␍␊body…
 *          │start             │     │          │                │end
 *                             name  value      line end
 *
 * Nearly every head comes in one piece. Of one that does not each line is read once, when it has come:
 *
 *   past   GET /a HTTP/1.1␍␊Host: example.com␍␊      lines that were read
 *   rest                                       Acc   the beginning of the next, which waits for its line feed
 */
import {
  bareLineFeed,
  connectionNamesTooMany,
  connectUnsupported,
  contentLengthConflict,
  contentLengthEmpty,
  contentLengthInvalid,
  framingAmbiguous,
  headerFolded,
  headerNameInvalid,
  headerValueInvalid,
  headTooLarge,
  hostInvalid,
  hostRepeated,
  methodInvalid,
  requestLineInvalid,
  statusLineInvalid,
  targetInvalid,
  tooManyHeaders,
  transferEncodingUnsupported,
  versionUnsupported,
} from "../../kernel/errors/wire.ts";
import { CLASS, COLON, CR, DIGIT, HOST, HTAB, LF, SLASH, SP, TARGET, TOKEN, VALUE } from "./chars.ts";
import {
  CONNECTION,
  CONTENT_LENGTH,
  equalsIgnoringCase,
  EXPECT,
  type HeaderNames,
  HOST_NAME,
  TRANSFER_ENCODING,
  UPGRADE,
} from "./header-names.ts";

/** RFC 9110 §8.6 sets no bound; 10^15 is far from where a double loses count (2^53). */
const MAX_LENGTH_DIGITS = 15;
/** Numbers kept per header line: known name, and offsets of name, value, end of value, end of line. */
const FIELDS_PER_LINE = 5;
const ROOM_FOR_LINES = 32;
/** The rest of a head is put together of pieces: one per so many characters at most, for a piece takes 32 bytes by itself. */
const CHARACTERS_PER_PIECE = 64;
/** Names in `Connection`: each is looked for in the head, and nobody has a use for so many. */
const MAX_CONNECTION_NAMES = 1_000;
/** A head object that is kept for the next message keeps so much of the last one. */
const MAX_KEPT_TEXT = 8 * 1024;
const MAX_KEPT_LINES = 2 * ROOM_FOR_LINES;

export interface HeadLimits {
  /** From the first byte of the head to the last of the empty line. */
  readonly maxHeadBytes: number;
  /** Header lines; 0 is no limit. */
  readonly maxHeaders: number;
}

/** What `Connection` said; several may be set. */
export const SAID_CLOSE = 1;
export const SAID_KEEP_ALIVE = 2;
export const SAID_UPGRADE = 4;
/** It named other headers: they end here and are not passed on. */
export const SAID_OTHERS = 8;

/** What requests and responses share. */
abstract class Head {
  /** What the offsets point into. */
  text = "";
  start = 0;
  /** Just behind the empty line. */
  end = 0;
  /** Where the first header line begins. */
  linesStart = 0;
  lineCount = 0;
  /** 0 or 1, of HTTP/1.x. */
  minorVersion = 1;
  /** -1 when there is none. */
  contentLength = -1;
  chunked = false;
  /** `SAID_…` bits. */
  connection = 0;
  /** The protocol named by `Upgrade` is websocket. */
  upgradesToWebsocket = false;
  #lines = new Int32Array(ROOM_FOR_LINES * FIELDS_PER_LINE);
  #past = "";
  #rest = "";
  /** That the rest is made of. */
  #pieces = 0;
  /**
   * Of a value, or a request's target, that is longer than a piece: up to here the rest has what may stand in it. The
   * characters of each piece are looked at when it comes; 0 when there is nothing known.
   */
  #checked = 0;

  /** So much of a head that has not ended has come; 0 when there is none. */
  get heldLength(): number {
    return this.#past.length + this.#rest.length;
  }

  /** The part of it behind the last line that has ended. */
  get restLength(): number {
    return this.#rest.length;
  }

  /**
   * Reads the head at `text[start…]`.
   * @param bytes  The same as bytes, `bytes[i]` is `text[i]`: it is faster to look at them.
   * @returns true when it is complete; false when more is needed: what came of it is held, and `parseMore` goes on.
   * @throws the catalogue in `kernel/errors/wire.ts`; the same error however the bytes were cut into pieces.
   */
  parse(
    text: string,
    start: number,
    names: HeaderNames,
    limits: HeadLimits,
    bytes: Uint8Array | null = null,
  ): boolean {
    const from = start + this.skipsAt(text, start);
    const found = text.indexOf("\r\n\r\n", from);
    const end = found + 4;
    if (found === -1 || end - from > limits.maxHeadBytes) {
      this.reset("", 0, 0);
      this.forget();
      return this.parseMore(start === 0 ? text : text.slice(start), names, limits);
    }
    this.reset(text, from, end);
    this.readStartLine(0);
    this.#readLines(bytes ?? bytesOf(text), this.linesStart, end, 0, names, limits.maxHeaders);
    return true;
  }

  /** The next piece of a head that is held. @returns and @throws as {@link parse} */
  parseMore(piece: string, names: HeaderNames, limits: HeadLimits): boolean {
    if (!piece.includes("\n")) {
      this.#rest += piece;
      this.#checkRest(piece);
      if (++this.#pieces * CHARACTERS_PER_PIECE > this.#rest.length + MAX_KEPT_TEXT) {
        this.#rest = Buffer.from(this.#rest, "latin1").toString("latin1");
        this.#pieces = 0;
      }
    } else if (this.#readPiece(this.#rest + piece, names, limits)) return true;
    if (this.heldLength - this.start > limits.maxHeadBytes)
      throw headTooLarge({ limitBytes: limits.maxHeadBytes });
    return false;
  }

  /** What came of it is all that there will be: its lines are those that have ended. */
  cutShort(): void {
    this.text = this.#past;
    this.end = this.#past.length + 2;
    this.forget();
  }

  /** Of what is held there will be no more. */
  forget(): void {
    this.#past = "";
    this.#rest = "";
    this.#pieces = 0;
    this.#checked = 0;
  }

  /** After `piece` has been added to it. */
  #checkRest(piece: string): void {
    const isStartLine = this.#past === "";
    const classes = isStartLine ? TARGET : VALUE;
    let unseen = piece;
    if (this.#checked === 0) {
      const mark = this.#rest.indexOf(isStartLine ? " " : ":");
      if (mark === -1) return;
      this.#checked = mark + 1;
      unseen = this.#rest.slice(mark + 1);
    } else if (this.#checked + piece.length !== this.#rest.length) return;
    const bytes = bytesOf(unseen);
    let at = 0;
    while (at < unseen.length && ((CLASS[bytes[at] as number] as number) & classes) !== 0) at++;
    this.#checked += at;
  }

  /** @param text  from the first line that has not been read */
  #readPiece(text: string, names: HeaderNames, limits: HeadLimits): boolean {
    const past = this.#past.length;
    const lines = this.lineCount;
    let at = 0;
    if (past === 0) this.start = at = this.skipsAt(text, 0);
    const room = this.start + limits.maxHeadBytes - past;
    const until = room > 0 ? text.lastIndexOf("\n", room - 1) + 1 : 0;
    const hasLines = until > at;
    let end = NOT_YET;
    if (hasLines) {
      this.text = text;
      if (past === 0) {
        this.readStartLine(this.#checked);
        this.#checked = 0;
        at = this.linesStart;
      }
      end = this.#readLines(bytesOf(text), at, until, this.#checked, names, limits.maxHeaders);
      this.#moveLines(lines, past);
    }
    if (end === NOT_YET) {
      const read = hasLines ? until : 0;
      this.text = "";
      this.#past += text.slice(0, read);
      this.#rest = text.slice(read);
      this.#pieces = 0;
      this.#checked = 0;
      return false;
    }
    this.text = this.#past + text;
    this.end = past + end;
    this.forget();
    return true;
  }

  /** The known number of line `i`'s name. */
  nameId(i: number): number {
    return this.#lines[i * FIELDS_PER_LINE] as number;
  }
  nameStart(i: number): number {
    return this.#lines[i * FIELDS_PER_LINE + 1] as number;
  }
  nameEnd(i: number): number {
    return this.#lines[i * FIELDS_PER_LINE + 2] as number;
  }
  /** Without the white space around it. */
  valueStart(i: number): number {
    return this.#lines[i * FIELDS_PER_LINE + 3] as number;
  }
  valueEnd(i: number): number {
    return this.#lines[i * FIELDS_PER_LINE + 4] as number;
  }
  /** Where the line after line `i` begins. */
  lineEnd(i: number): number {
    return i + 1 < this.lineCount ? this.nameStart(i + 1) : this.end - 2;
  }
  name(i: number): string {
    return this.text.slice(this.nameStart(i), this.nameEnd(i));
  }
  value(i: number): string {
    return this.text.slice(this.valueStart(i), this.valueEnd(i));
  }

  /** All values of a name (lower case), joined by `, `; undefined when there is no such line. */
  get(name: string): string | undefined {
    let found: string | undefined;
    for (let i = 0; i < this.lineCount; i++) {
      if (!equalsIgnoringCase(this.text, this.nameStart(i), this.nameEnd(i), name)) continue;
      found = found === undefined ? this.value(i) : `${found}, ${this.value(i)}`;
    }
    return found;
  }

  /**
   * The message is done with, and the next one may be long in coming: gives up memory that only an unusual head needs.
   * @returns true when the text is gone.
   */
  release(): boolean {
    if (this.#lines.length > MAX_KEPT_LINES * FIELDS_PER_LINE) {
      this.#lines = new Int32Array(ROOM_FOR_LINES * FIELDS_PER_LINE);
      this.lineCount = 0;
    }
    if (this.text.length <= MAX_KEPT_TEXT) return false;
    this.reset("", 0, 0);
    return true;
  }

  protected reset(text: string, start: number, end: number): void {
    this.text = text;
    this.start = start;
    this.end = end;
    this.lineCount = 0;
    this.contentLength = -1;
    this.chunked = false;
    this.connection = 0;
    this.upgradesToWebsocket = false;
  }

  #addLine(id: number, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    let at = this.lineCount * FIELDS_PER_LINE;
    if (at === this.#lines.length) {
      const more = new Int32Array(this.#lines.length * 2);
      more.set(this.#lines);
      this.#lines = more;
    }
    const lines = this.#lines;
    lines[at++] = id;
    lines[at++] = nameStart;
    lines[at++] = nameEnd;
    lines[at++] = valueStart;
    lines[at] = valueEnd;
    this.lineCount++;
  }

  /** They were read as if nothing came before them. */
  #moveLines(from: number, by: number): void {
    const lines = this.#lines;
    for (let line = from; line < this.lineCount; line++) {
      for (let field = 1; field < FIELDS_PER_LINE; field++) {
        const at = line * FIELDS_PER_LINE + field;
        lines[at] = (lines[at] as number) + by;
      }
    }
  }

  /**
   * Reads the lines of `text[from, until)`, which are `bytes[from, until)`, each of which ends there; `frame` sees each known name in order.
   * @param checked  The first line's value is known to be good up to here.
   * @returns the offset behind the empty line; {@link NOT_YET} when there is none.
   */
  #readLines(
    bytes: Uint8Array,
    from: number,
    until: number,
    checked: number,
    names: HeaderNames,
    maxHeaders: number,
  ): number {
    let at = from;
    while (at < until) {
      const nameStart = at;
      let code = bytes[at] as number;
      if (code === CR && bytes[at + 1] === LF) return at + 2;
      if (code === SP || code === HTAB) throw headerFolded({});
      while (((CLASS[code] as number) & TOKEN) !== 0) code = bytes[++at] as number;
      if (code !== COLON || at === nameStart) throw code === LF ? bareLineFeed({}) : headerNameInvalid({});
      const nameEnd = at++;
      code = bytes[at] as number;
      while (code === SP || code === HTAB) code = bytes[++at] as number;
      const valueStart = at;
      if (at < checked) {
        at = checked;
        code = bytes[at] as number;
      }
      while (((CLASS[code] as number) & VALUE) !== 0) code = bytes[++at] as number;
      if (code !== CR || bytes[at + 1] !== LF) {
        throw code === LF ? bareLineFeed({}) : headerValueInvalid({});
      }
      let valueEnd = at;
      while (valueEnd > valueStart && isBlank(bytes[valueEnd - 1] as number)) valueEnd--;
      at += 2;
      if (maxHeaders !== 0 && this.lineCount === maxHeaders) throw tooManyHeaders({ limit: maxHeaders });
      const id = names.find(bytes, nameStart, nameEnd);
      this.#addLine(id, nameStart, nameEnd, valueStart, valueEnd);
      if (id !== 0) this.frame(id, valueStart, valueEnd);
    }
    return NOT_YET;
  }

  /** Leaves `linesStart` behind the line at `start`. @param checked  Its target is known to be good up to here. */
  protected abstract readStartLine(checked: number): void;

  /** How much at `text[start…]` is before the head. */
  protected abstract skipsAt(text: string, start: number): number;

  /** What a line of a known name says about framing. */
  protected frame(id: number, start: number, end: number): void {
    switch (id) {
      case CONTENT_LENGTH: {
        const length = this.#readLength(start, end);
        if (this.contentLength !== -1 && this.contentLength !== length) throw contentLengthConflict({});
        if (this.chunked) throw framingAmbiguous({});
        this.contentLength = length;
        break;
      }
      case TRANSFER_ENCODING:
        // «gzip, chunked» is legal, but nobody sends it and every proxy reads it differently.
        if (
          this.chunked ||
          this.minorVersion === 0 ||
          !equalsIgnoringCase(this.text, start, end, "chunked")
        ) {
          throw transferEncodingUnsupported({});
        }
        if (this.contentLength !== -1) throw framingAmbiguous({});
        this.chunked = true;
        break;
      case CONNECTION:
        this.#readConnection(start, end);
        break;
      case UPGRADE:
        this.upgradesToWebsocket = equalsIgnoringCase(this.text, start, end, "websocket");
        break;
    }
  }

  #readLength(start: number, end: number): number {
    if (end === start) throw contentLengthEmpty({});
    if (end - start > MAX_LENGTH_DIGITS) throw contentLengthInvalid({});
    let length = 0;
    for (let i = start; i < end; i++) {
      const code = this.text.charCodeAt(i);
      if (((CLASS[code] as number) & DIGIT) === 0) throw contentLengthInvalid({});
      length = length * 10 + (code - 48);
    }
    return length;
  }

  #readConnection(start: number, end: number): void {
    const text = this.text;
    let at = start;
    for (let count = 1; at < end; count++) {
      if (count > MAX_CONNECTION_NAMES) throw connectionNamesTooMany({ limit: MAX_CONNECTION_NAMES });
      let comma = at;
      while (comma < end && text.charCodeAt(comma) !== 44) comma++;
      let from = at;
      let to = comma;
      while (from < to && isBlank(text.charCodeAt(from))) from++;
      while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
      if (equalsIgnoringCase(text, from, to, "close")) this.connection |= SAID_CLOSE;
      else if (equalsIgnoringCase(text, from, to, "keep-alive")) this.connection |= SAID_KEEP_ALIVE;
      else if (equalsIgnoringCase(text, from, to, "upgrade")) this.connection |= SAID_UPGRADE;
      else if (to > from) this.connection |= SAID_OTHERS;
      at = comma + 1;
    }
  }
}

export class RequestHead extends Head {
  method = "";
  /** As sent: origin-form, absolute-form or `*`. */
  target = "";
  targetStart = 0;
  targetEnd = 0;
  /** Line of the Host header; -1 when there is none. */
  hostLine = -1;
  expectsContinue = false;

  protected override reset(text: string, start: number, end: number): void {
    super.reset(text, start, end);
    this.hostLine = -1;
    this.expectsContinue = false;
  }

  /** Path and query of the target, whichever form it was sent in; `*` as it is. */
  get requestUri(): string {
    const { target } = this;
    return target.charCodeAt(0) === SLASH ? target : (absoluteForm(target)?.path ?? target);
  }

  /** One empty line (RFC 9112 §2.2). */
  protected override skipsAt(text: string, start: number): number {
    return text.charCodeAt(start) === CR && text.charCodeAt(start + 1) === LF ? 2 : 0;
  }

  override release(): boolean {
    if (!super.release()) return false;
    // Both may be windows onto the text, and would keep it.
    this.method = "";
    this.target = "";
    return true;
  }

  /** Connection persists after this exchange, as far as the request says. */
  get keepsAlive(): boolean {
    if ((this.connection & SAID_CLOSE) !== 0) return false;
    return this.minorVersion === 1 || (this.connection & SAID_KEEP_ALIVE) !== 0;
  }

  protected override readStartLine(checked: number): void {
    const text = this.text;
    let at = this.start;
    let code = text.charCodeAt(at);
    while (((CLASS[code] as number) & TOKEN) !== 0) code = text.charCodeAt(++at);
    const methodEnd = at;
    if (code !== SP || at === this.start) {
      throw code === LF ? bareLineFeed({}) : code === CR ? requestLineInvalid({}) : methodInvalid({});
    }
    this.method = methodName(text, this.start, methodEnd);
    code = text.charCodeAt(++at);
    const targetStart = at;
    if (at < checked) {
      at = checked;
      code = text.charCodeAt(at);
    }
    while (((CLASS[code] as number) & TARGET) !== 0) code = text.charCodeAt(++at);
    if (code !== SP || at === targetStart) {
      if (code === LF) throw bareLineFeed({});
      throw code === CR || code === SP ? requestLineInvalid({}) : targetInvalid({});
    }
    this.targetStart = targetStart;
    this.targetEnd = at++;
    this.target = text.slice(targetStart, this.targetEnd);
    // «HTTP/1.» and one digit, then the end of the line and nothing else.
    if (!text.startsWith("HTTP/1.", at)) throw versionOrLineInvalid(text, at);
    const minor = text.charCodeAt(at + 7) - 48;
    if (text.charCodeAt(at + 8) !== CR || text.charCodeAt(at + 9) !== LF) {
      throw text.charCodeAt(at + 8) === LF ? bareLineFeed({}) : versionOrLineInvalid(text, at);
    }
    if (minor !== 0 && minor !== 1) throw versionOrLineInvalid(text, at);
    this.minorVersion = minor;
    this.linesStart = at + 10;
    if (this.method === "CONNECT") throw connectUnsupported({});
    this.#checkTargetForm();
  }

  #checkTargetForm(): void {
    if (this.text.charCodeAt(this.targetStart) === SLASH) return;
    if (this.target === "*" && this.method === "OPTIONS") return;
    if (absoluteForm(this.target) === null) throw targetInvalid({});
  }

  protected override frame(id: number, start: number, end: number): void {
    switch (id) {
      case HOST_NAME:
        if (this.hostLine !== -1) throw hostRepeated({});
        for (let i = start; i < end; i++) {
          if (((CLASS[this.text.charCodeAt(i)] as number) & HOST) === 0) throw hostInvalid({});
        }
        this.hostLine = this.lineCount - 1;
        break;
      case EXPECT:
        // A client of HTTP/1.0 does not wait, whatever it says (RFC 9110 §10.1.1).
        this.expectsContinue =
          this.minorVersion === 1 && equalsIgnoringCase(this.text, start, end, "100-continue");
        break;
      default:
        super.frame(id, start, end);
    }
  }
}

export class ResponseHead extends Head {
  status = 0;

  get keepsAlive(): boolean {
    if ((this.connection & SAID_CLOSE) !== 0) return false;
    return this.minorVersion === 1 || (this.connection & SAID_KEEP_ALIVE) !== 0;
  }

  protected override skipsAt(): number {
    return 0;
  }

  protected override readStartLine(): void {
    const text = this.text;
    let at = this.start;
    if (!text.startsWith("HTTP/1.", at)) throw statusLineInvalid({});
    const minor = text.charCodeAt(at + 7) - 48;
    const hundreds = text.charCodeAt(at + 9) - 48;
    const tens = text.charCodeAt(at + 10) - 48;
    const ones = text.charCodeAt(at + 11) - 48;
    if (minor !== 0 && minor !== 1) throw versionUnsupported({});
    if (
      text.charCodeAt(at + 8) !== SP ||
      !(hundreds >= 1 && hundreds <= 9 && isDigit(tens) && isDigit(ones))
    ) {
      throw statusLineInvalid({});
    }
    this.minorVersion = minor;
    this.status = hundreds * 100 + tens * 10 + ones;
    at += 12;
    let code = text.charCodeAt(at);
    // The space before an empty reason is often forgotten; nothing depends on it.
    if (code !== SP && code !== CR) throw code === LF ? bareLineFeed({}) : statusLineInvalid({});
    while (((CLASS[code] as number) & VALUE) !== 0) code = text.charCodeAt(++at);
    if (code !== CR || text.charCodeAt(at + 1) !== LF)
      throw code === LF ? bareLineFeed({}) : statusLineInvalid({});
    this.linesStart = at + 2;
  }
}

/** As long as the longest text yet, which is a head at most and what came with its end. */
let scratch = Buffer.allocUnsafeSlow(0);

/** The bytes that a text was made of; good until the next call. */
function bytesOf(text: string): Uint8Array {
  if (scratch.length < text.length) scratch = Buffer.allocUnsafeSlow(Math.max(text.length, MAX_KEPT_TEXT));
  scratch.write(text, "latin1");
  return scratch;
}

/** Authority and path of an absolute-form target (RFC 9112 §3.2.2); null when it is none. */
export function absoluteForm(target: string): { readonly authority: string; readonly path: string } | null {
  const match = /^https?:\/\/([^/?]+)(.*)$/is.exec(target);
  if (match === null) return null;
  const authority = match[1] as string;
  const rest = match[2] as string;
  for (let i = 0; i < authority.length; i++) {
    if (((CLASS[authority.charCodeAt(i)] as number) & HOST) === 0) return null;
  }
  return { authority, path: rest.startsWith("/") ? rest : `/${rest}` };
}

const NOT_YET = -1;

/** The usual methods without making a string. */
function methodName(text: string, start: number, end: number): string {
  switch (text.charCodeAt(start)) {
    case 71:
      if (end - start === 3 && text.startsWith("GET", start)) return "GET";
      break;
    case 80:
      if (end - start === 4 && text.startsWith("POST", start)) return "POST";
      if (end - start === 3 && text.startsWith("PUT", start)) return "PUT";
      break;
    case 72:
      if (end - start === 4 && text.startsWith("HEAD", start)) return "HEAD";
      break;
  }
  return text.slice(start, end);
}

function versionOrLineInvalid(text: string, at: number) {
  const lineEnd = text.indexOf("\n", at);
  const rest = text.slice(at, lineEnd === -1 ? text.length : lineEnd);
  if (!rest.endsWith("\r") && lineEnd !== -1) return bareLineFeed({});
  return /^HTTP\/\d+(\.\d+)?\r?$/.test(rest) ? versionUnsupported({}) : requestLineInvalid({});
}

const isBlank = (code: number) => code === SP || code === HTAB;
const isDigit = (value: number) => value >= 0 && value <= 9;
