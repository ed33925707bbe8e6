/** What the tests of this room share: frames by hand, and a handler that writes down what it is told. */
import type { ViaductError } from "../../kernel/index.ts";
import {
  ACK,
  CLIENT_PREFACE,
  END_HEADERS,
  FRAME_HEADER_BYTES,
  GOAWAY,
  HEADERS,
  RST_STREAM,
  SETTINGS,
} from "./codes.ts";
import { Http2Connection } from "./connection.ts";
import { DEFAULT_HTTP2_LIMITS, type FieldList, type Http2Handler, type Http2Limits } from "./types.ts";

export interface SentFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

export function frame(
  type: number,
  flags: number,
  streamId: number,
  payload: Buffer | string | readonly number[] = [],
): Buffer {
  const body = typeof payload === "string" ? Buffer.from(payload, "latin1") : Buffer.from(payload);
  const bytes = Buffer.alloc(FRAME_HEADER_BYTES + body.length);
  bytes.writeUIntBE(body.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(streamId, 5);
  body.copy(bytes, FRAME_HEADER_BYTES);
  return bytes;
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export const settings = (...pairs: readonly (readonly [setting: number, value: number])[]) =>
  frame(
    SETTINGS,
    0,
    0,
    Buffer.concat(pairs.map(([setting, value]) => Buffer.concat([Buffer.from([0, setting]), uint32(value)]))),
  );

/** A block that uses no table: each name and value as it is. */
export function block(...fields: FieldList): Buffer {
  const bytes: Buffer[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    bytes.push(Buffer.from([0]), literal(fields[i] as string), literal(fields[i + 1] as string));
  }
  return Buffer.concat(bytes);
}

/** A string behind its length (RFC 7541 §5.2). */
function literal(text: string): Buffer {
  const length: number[] = [];
  if (text.length < 0x7f) length.push(text.length);
  else {
    length.push(0x7f);
    let rest = text.length - 0x7f;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) length.push((rest % 0x80) | 0x80);
    length.push(rest);
  }
  return Buffer.concat([Buffer.from(length), Buffer.from(text, "latin1")]);
}

export const headers = (streamId: number, flags: number, ...fields: FieldList) =>
  frame(HEADERS, flags | END_HEADERS, streamId, block(...fields));

export const GET: readonly string[] = [
  ":method",
  "GET",
  ":scheme",
  "https",
  ":authority",
  "shop.example.com",
  ":path",
  "/",
];
export const POST: readonly string[] = [":method", "POST", ...GET.slice(2)];

/** Writes down each call as one line, runs of data as one. */
export class Recorder implements Http2Handler {
  readonly events: string[] = [];
  readonly errors: ViaductError[] = [];
  /** Called first, so that a test can answer. */
  onHead: (streamId: number, fields: FieldList, endsStream: boolean) => void = () => {};
  onData: (streamId: number, size: number, endsStream: boolean) => void = () => {};
  onRefused: (streamId: number) => void = () => {};
  onWritable: (streamId: number) => void = () => {};
  /** The stream whose data was the last event. */
  #dataOf = 0;

  head(streamId: number, fields: FieldList, endsStream: boolean): void {
    this.#note(`head ${streamId} ${JSON.stringify(fields)}${endsStream ? " end" : ""}`);
    this.onHead(streamId, fields, endsStream);
  }
  trailers(streamId: number, fields: FieldList): void {
    this.#note(`trailers ${streamId} ${JSON.stringify(fields)}`);
  }
  data(streamId: number, bytes: Buffer, from: number, to: number, endsStream: boolean): void {
    const text = bytes.toString("latin1", from, to);
    if (this.#dataOf === streamId) this.events[this.events.length - 1] += text;
    else this.#note(`data ${streamId} ${text}`);
    this.#dataOf = streamId;
    if (endsStream) this.#note(`end ${streamId}`);
    this.onData(streamId, to - from, endsStream);
  }
  reset(streamId: number, code: number, error: ViaductError | null): void {
    this.#note(`reset ${streamId} ${code}${this.#codeOf(error)}`);
  }
  refused(streamId: number, error: ViaductError): void {
    this.#note(`refused ${streamId}${this.#codeOf(error)}`);
    this.onRefused(streamId);
  }
  writable(streamId: number): void {
    this.#note(`writable ${streamId}`);
    this.onWritable(streamId);
  }
  goaway(lastStreamId: number, code: number): void {
    this.#note(`goaway ${lastStreamId} ${code}`);
  }
  settled(): void {
    this.#note("settled");
  }
  failed(error: ViaductError): void {
    this.#note(`failed${this.#codeOf(error)}`);
  }

  #note(event: string): void {
    this.#dataOf = 0;
    this.events.push(event);
  }
  #codeOf(error: ViaductError | null): string {
    if (error === null) return "";
    this.errors.push(error);
    return ` ${error.code}`;
  }
}

export interface Peer {
  readonly connection: Http2Connection;
  readonly recorder: Recorder;
  readonly events: string[];
  /** Hands the connection bytes at a time. */
  send(...frames: readonly Buffer[]): void;
  sendAt(nowMs: number, ...frames: readonly Buffer[]): void;
  /** Frames that the connection has written since the last call. */
  sent(): SentFrame[];
}

/** A connection that has said and heard the first SETTINGS, and its peer: the test. */
export function startPeer(role: "server" | "client", limits: Partial<Http2Limits> = {}): Peer {
  const recorder = new Recorder();
  const connection = new Http2Connection(role, recorder, { ...DEFAULT_HTTP2_LIMITS, ...limits });
  const peer: Peer = {
    connection,
    recorder,
    events: recorder.events,
    send: (...frames) => peer.sendAt(0, ...frames),
    sendAt(nowMs, ...frames) {
      const bytes = Buffer.concat(frames);
      receiveAll(connection, bytes, nowMs);
    },
    sent: () => framesOf(connection.takeOutput() ?? Buffer.alloc(0)),
  };
  connection.takeOutput();
  if (role === "server") peer.send(Buffer.from(CLIENT_PREFACE));
  peer.send(settings(), frame(SETTINGS, ACK, 0));
  connection.takeOutput();
  return peer;
}

/** However many requests are in it. */
export function receiveAll(connection: Http2Connection, bytes: Buffer, nowMs: number): void {
  for (let rest = bytes; rest.length > 0; )
    rest = rest.subarray(connection.receive(rest, rest.length, nowMs));
}

export function framesOf(bytes: Buffer): SentFrame[] {
  const frames: SentFrame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUIntBE(at, 3);
    const start = at + FRAME_HEADER_BYTES;
    frames.push({
      type: bytes[at + 3] as number,
      flags: bytes[at + 4] as number,
      streamId: bytes.readUInt32BE(at + 5),
      payload: bytes.subarray(start, start + length),
    });
    at = start + length;
  }
  return frames;
}

/** The code of the GOAWAY among them; null when there is none. */
export function goawayCode(frames: readonly SentFrame[]): number | null {
  const found = frames.find((each) => each.type === GOAWAY);
  return found === undefined ? null : found.payload.readUInt32BE(4);
}

/** `stream:code` of each RST_STREAM among them. */
export const resetsOf = (frames: readonly SentFrame[]) =>
  frames
    .filter((each) => each.type === RST_STREAM)
    .map((each) => `${each.streamId}:${each.payload.readUInt32BE(0)}`);
