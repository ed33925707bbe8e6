/** One HTTP/2 connection as bytes ⇄ values, in either role: streams, windows, and what a peer may not do. */
import assert from "node:assert";
import {
  http2CompressionFailed,
  http2Flood,
  http2FlowControlViolated,
  http2FrameInvalid,
  http2FrameSizeInvalid,
  http2MessageMalformed,
  http2PrefaceInvalid,
  http2StreamClosed,
} from "../../kernel/errors/http2.ts";
import { ViaductError } from "../../kernel/index.ts";
import { Budget } from "./budget.ts";
import {
  ACK,
  CLIENT_PREFACE,
  COMPRESSION_ERROR,
  CONTINUATION,
  DEFAULT_WINDOW_BYTES,
  ENABLE_PUSH,
  END_HEADERS,
  END_STREAM,
  ENHANCE_YOUR_CALM,
  FLOW_CONTROL_ERROR,
  FRAME_HEADER_BYTES,
  FRAME_SIZE_ERROR,
  GOAWAY,
  HAS_PRIORITY,
  HEADERS,
  HEADER_TABLE_SIZE,
  INITIAL_WINDOW_SIZE,
  MAX_31_BITS,
  MAX_CONCURRENT_STREAMS,
  MAX_FRAME_BYTES,
  MAX_FRAME_SIZE,
  MAX_HEADER_LIST_SIZE,
  NO_ERROR,
  PADDED,
  PING,
  PRIORITY,
  PROTOCOL_ERROR,
  PUSH_PROMISE,
  REFUSED_STREAM,
  RST_STREAM,
  SETTINGS,
  STREAM_CLOSED,
  WINDOW_UPDATE,
} from "./codes.ts";
import { DATA_BEGIN, DATA_PIECE, FRAME, FrameReader, readUint31 } from "./frame-reader.ts";
import { NO_LENGTH } from "./head-rules.ts";
import { bodyTooShort, hasNoBody, MessageReader } from "./message-reader.ts";
import { Output } from "./output.ts";
import { FRAMES_PER_MESSAGE, Sender } from "./sender.ts";
import { Stream } from "./stream.ts";
import type { FieldList, Http2Handler, Http2Limits, Http2Role } from "./types.ts";

const PREFACE = Buffer.from(CLIENT_PREFACE, "latin1");
/** Until the peer's SETTINGS say; RFC 9113 §6.5.2 advises against less. */
const ASSUMED_PEER_STREAMS = 100;
/**
 * What a request that is broken off costs besides, in requests: the connection to its endpoint ends with it, and another one
 * begins.
 */
const RESET_WORK = 3;
/** Streams that we reset, whose frames may still be on their way; the oldest are forgotten. */
const MAX_REMEMBERED_RESETS = 512;
/** An arbitrary PING, whose return says that the peer has seen the GOAWAY before it. */
const SHUTDOWN_PING = 0x76696164;

const RUNNING = 0;
/** A server said that it will stop, and waits for what may be on its way. */
const STOPPING = 1;
const STOPPED = 2;

/** With which code a connection ends, by what the peer did. */
const CONNECTION_CODES: ReadonlyMap<unknown, number> = new Map<unknown, number>([
  [http2PrefaceInvalid.definition, PROTOCOL_ERROR],
  [http2FrameInvalid.definition, PROTOCOL_ERROR],
  [http2FrameSizeInvalid.definition, FRAME_SIZE_ERROR],
  [http2FlowControlViolated.definition, FLOW_CONTROL_ERROR],
  [http2StreamClosed.definition, STREAM_CLOSED],
  [http2CompressionFailed.definition, COMPRESSION_ERROR],
  [http2Flood.definition, ENHANCE_YOUR_CALM],
]);

/**
 * Whatever makes output is followed by {@link takeOutput}. What is said about a stream that is gone does nothing.
 * The constructor leaves SETTINGS (and a client's preface) in the output.
 */
export class Http2Connection {
  readonly #isServer: boolean;
  readonly #handler: Http2Handler;
  readonly #limits: Http2Limits;
  readonly #reader = new FrameReader();
  readonly #messages: MessageReader;
  readonly #output = new Output();
  readonly #sender: Sender;
  readonly #resets: Budget;
  readonly #controlFrames: Budget;
  #nowMs = 0;
  /** Of those that the present call hands on. */
  #headsLeft = 0;
  #dataPiecesLeft = 0;

  /** Lingering ones too; see {@link Stream}. */
  readonly #streams = new Map<number, Stream>();
  #activeStreams = 0;
  /** Ids of streams that we reset: what the peer sent before it knew is not held against it. */
  readonly #resetIds = new Set<number>();
  /** Server: the highest id that the peer used. */
  #lastPeerStream = 0;
  /** Server: the highest id that was not refused; what GOAWAY names, and so never more than it named before. */
  #lastAccepted = 0;
  /** Client: the id of the next stream. */
  #nextStream = 1;

  #prefaceSeen: number;
  #settingsSeen = false;
  #failed = false;
  #phase = RUNNING;
  /** The peer takes no new streams. */
  #peerStops = false;
  #settled = false;

  #peerMaxStreams = ASSUMED_PEER_STREAMS;
  #peerStreamWindow = DEFAULT_WINDOW_BYTES;
  #receiveWindow: number;
  /** Consumed, but not yet given back to the peer. */
  #credit = 0;
  /** Output since it was last taken that the peer provoked. */
  #replyBytes = 0;

  /** The DATA frame at hand is for this stream; null when nobody wants it. */
  #dataStream: Stream | null = null;

  constructor(role: Http2Role, handler: Http2Handler, limits: Http2Limits) {
    assert.ok(limits.streamWindowBytes >= DEFAULT_WINDOW_BYTES);
    assert.ok(limits.connectionWindowBytes >= DEFAULT_WINDOW_BYTES);
    this.#isServer = role === "server";
    this.#handler = handler;
    this.#limits = limits;
    this.#messages = new MessageReader(limits);
    this.#resets = new Budget(limits.resetBurst, limits.resetsPerSecond);
    this.#controlFrames = new Budget(limits.controlFrameBurst, limits.controlFramesPerSecond);
    this.#sender = new Sender(this.#output, this.#controlFrames, (stream) => this.#endLocal(stream));
    this.#receiveWindow = limits.connectionWindowBytes;
    this.#prefaceSeen = this.#isServer ? 0 : PREFACE.length;
    this.#sendSettings();
  }

  /** Streams that are open or half-closed. */
  get activeStreams(): number {
    return this.#activeStreams;
  }

  /** Client: the peer takes another stream now. */
  get canOpenStream(): boolean {
    return (
      !this.#isServer &&
      !this.#failed &&
      !this.#peerStops &&
      this.#phase === RUNNING &&
      this.#activeStreams < this.#peerMaxStreams &&
      this.#nextStream <= MAX_31_BITS
    );
  }

  /** The peer has said what it takes: it does speak HTTP/2. */
  get hasPeerSettings(): boolean {
    return this.#settingsSeen;
  }

  /** The peer has begun something that somebody waits for, and not ended it: its preface, a header block. */
  get isMidHead(): boolean {
    return !this.#settingsSeen || this.#messages.streamId !== 0 || this.#reader.isMidFrame;
  }

  /** Bytes that {@link takeOutput} would return. */
  get pendingOutputBytes(): number {
    return this.#output.size;
  }

  // === in ===

  /**
   * Reads `bytes[0, size)`; the buffer may be reused afterwards.
   * @param nowMs  a coarse clock that does not go back, for budgets that time refills.
   * @returns up to where it has read: less than `size` after {@link Http2Limits.maxHeadsAtOnce} requests, or
   * {@link Http2Limits.maxDataPiecesAtOnce}. The rest is what the next call has to begin with.
   */
  receive(bytes: Buffer, size: number, nowMs: number): number {
    if (this.#failed) return size;
    this.#nowMs = nowMs;
    this.#headsLeft = this.#limits.maxHeadsAtOnce;
    this.#dataPiecesLeft = this.#isServer ? this.#limits.maxDataPiecesAtOnce : Number.POSITIVE_INFINITY;
    try {
      let at = this.#prefaceSeen === PREFACE.length ? 0 : this.#readPreface(bytes, size);
      while (at < size && !this.#failed && this.#headsLeft > 0 && this.#dataPiecesLeft > 0) {
        at = this.#reader.step(bytes, at, size);
        switch (this.#reader.found) {
          case FRAME:
            this.#readFrame();
            break;
          case DATA_BEGIN:
            this.#beginData();
            break;
          case DATA_PIECE:
            this.#readDataPiece();
            break;
        }
      }
      this.#reader.release();
      return this.#failed ? size : at;
    } catch (error) {
      if (!(error instanceof ViaductError)) throw error;
      const code = CONNECTION_CODES.get(error.definition);
      if (code === undefined) throw error;
      this.#fail(code, error);
      return size;
    }
  }

  #readPreface(bytes: Buffer, size: number): number {
    const stop = Math.min(size, PREFACE.length - this.#prefaceSeen);
    for (let at = 0; at < stop; at++) {
      if (bytes[at] !== PREFACE[this.#prefaceSeen++]) {
        throw http2PrefaceInvalid({ reason: "the preface of RFC 9113 §3.4 is missing" });
      }
    }
    return stop;
  }

  #readFrame(): void {
    const { type, flags, streamId, bytes, start, end } = this.#reader;
    if (!this.#settingsSeen && (type !== SETTINGS || (flags & ACK) !== 0)) throw settingsMissing();
    if (this.#messages.streamId !== 0 && type !== CONTINUATION) throw blockInterrupted();
    switch (type) {
      case HEADERS:
        return this.#readHeaders(streamId, flags, bytes, start, end);
      case CONTINUATION:
        return this.#readContinuation(streamId, flags, bytes, start, end);
      case RST_STREAM:
        return this.#readReset(streamId, bytes, start, end);
      case SETTINGS:
        return this.#readSettings(streamId, flags, bytes, start, end);
      case PING:
        return this.#readPing(streamId, flags, bytes, start, end);
      case GOAWAY:
        return this.#readGoaway(streamId, bytes, start, end);
      case WINDOW_UPDATE:
        return this.#readWindowUpdate(streamId, bytes, start, end);
      case PUSH_PROMISE:
        throw http2FrameInvalid({ reason: "PUSH_PROMISE, although push is off" });
      case PRIORITY:
        if (streamId === 0) throw http2FrameInvalid({ reason: "PRIORITY is not for a stream" });
        if (end - start !== PRIORITY_BYTES) throw http2FrameSizeInvalid({ reason: "PRIORITY" });
        checkDependency(streamId, bytes, start);
        return this.#spendControlFrame();
      default:
        // Unknown types are ignored (RFC 9113 §5.5).
        return this.#spendControlFrame();
    }
  }

  #spendControlFrame(): void {
    if (this.#controlFrames.take(this.#nowMs)) return;
    throw http2Flood({ what: "frames that bring no message forward", limit: this.#limits.controlFrameBurst });
  }

  /** Bytes of a reply are in the output. */
  #countReply(bytes: number): void {
    this.#replyBytes += bytes;
    const limit = this.#limits.maxPendingReplyBytes;
    if (this.#replyBytes <= limit) return;
    throw http2Flood({ what: "bytes of frames whose replies it does not read", limit });
  }

  // === header blocks ===

  #readHeaders(streamId: number, flags: number, bytes: Buffer, start: number, end: number): void {
    if (streamId % 2 === 0) throw http2FrameInvalid({ reason: "HEADERS are not for a stream of a client" });
    if (!this.#isServer && streamId >= this.#nextStream) throw idleStream();
    let from = start;
    let to = end;
    if ((flags & PADDED) !== 0) {
      if (from === to) throw http2FrameSizeInvalid({ reason: "padded HEADERS do not say by how much" });
      to -= bytes[from++] as number;
    }
    const priorityAt = from;
    if ((flags & HAS_PRIORITY) !== 0) from += PRIORITY_BYTES;
    if (from > to) throw http2FrameInvalid({ reason: "HEADERS have more padding than room" });
    if (from > priorityAt) checkDependency(streamId, bytes, priorityAt);
    const endsStream = (flags & END_STREAM) !== 0;
    if ((flags & END_HEADERS) !== 0) {
      this.#readBlock(streamId, endsStream, bytes, from, to);
      return;
    }
    this.#messages.begin(streamId, endsStream, bytes, from, to);
  }

  #readContinuation(streamId: number, flags: number, bytes: Buffer, start: number, end: number): void {
    if (streamId === 0 || streamId !== this.#messages.streamId) {
      throw http2FrameInvalid({ reason: "CONTINUATION does not continue anything" });
    }
    this.#messages.add(bytes, start, end);
    if ((flags & END_HEADERS) === 0) return;
    const block = this.#messages.end();
    this.#readBlock(streamId, this.#messages.endsStream, block, 0, block.length);
  }

  /** A complete header block. It is decoded in any case, or the table would be out of step. */
  #readBlock(streamId: number, endsStream: boolean, bytes: Buffer, from: number, to: number): void {
    const fields = this.#messages.decode(bytes, from, to);
    const stream = this.#streams.get(streamId);
    if (stream !== undefined && !stream.closed) {
      if (stream.remoteEnded) {
        this.#breakStream(stream, STREAM_CLOSED, http2StreamClosed({ reason: "HEADERS after its end" }));
      } else if (this.#isServer || stream.headReceived) this.#readTrailers(stream, fields, endsStream);
      else this.#readResponse(stream, fields, endsStream);
      return;
    }
    if (!this.#isServer || streamId <= this.#lastPeerStream) {
      this.#checkForgiven(streamId, "HEADERS");
      this.#spendControlFrame();
      return;
    }
    this.#lastPeerStream = streamId;
    this.#headsLeft--;
    this.#readRequest(streamId, fields, endsStream);
  }

  #readRequest(streamId: number, fields: FieldList, endsStream: boolean): void {
    if (this.#phase === STOPPED || this.#activeStreams >= this.#limits.maxConcurrentStreams) {
      this.#spendControlFrame();
      this.#rememberReset(streamId);
      this.#replyReset(streamId, REFUSED_STREAM);
      return;
    }
    this.#lastAccepted = streamId;
    const stream = this.#addStream(streamId);
    stream.remoteEnded = endsStream;
    const problem = this.#messages.problemOfRequest(fields, endsStream);
    if (problem !== null) {
      this.#refuse(stream, problem);
      return;
    }
    stream.bodyLeft = this.#messages.contentLength;
    this.#controlFrames.give(FRAMES_PER_MESSAGE);
    this.#handler.head(streamId, fields, endsStream);
  }

  /** Answered or not, a malformed request is a stream error (RFC 9113 §8.1.1); another one is answered, and its body not read. */
  #refuse(stream: Stream, problem: ViaductError): void {
    this.#spendReset();
    const hasMore = !stream.remoteEnded;
    // Then its answer ends it, and which code follows is decided here.
    stream.remoteEnded = true;
    this.#handler.refused(stream.id, problem);
    const isAnswered = stream.closed;
    if (!isAnswered || http2MessageMalformed.is(problem)) this.#replyAndDrop(stream, PROTOCOL_ERROR);
    else if (hasMore) this.#replyAndDrop(stream, NO_ERROR);
    this.#settleIfDone();
  }

  #readResponse(stream: Stream, fields: FieldList, endsStream: boolean): void {
    const problem = this.#messages.problemOfResponse(fields, endsStream, stream.isHeadRequest);
    if (problem !== null) {
      this.#breakStream(stream, PROTOCOL_ERROR, problem);
      return;
    }
    const { status, contentLength } = this.#messages;
    // Any number of interim heads is allowed, and none of them is an answer.
    if (status < 200) this.#spendControlFrame();
    else {
      stream.headReceived = true;
      stream.bodyLeft = hasNoBody(status, stream.isHeadRequest) ? 0 : contentLength;
      stream.remoteEnded = endsStream;
      this.#controlFrames.give(FRAMES_PER_MESSAGE);
    }
    this.#handler.head(stream.id, fields, endsStream);
    this.#finishIfDone(stream);
  }

  #readTrailers(stream: Stream, fields: FieldList, endsStream: boolean): void {
    const problem = this.#messages.problemOfTrailers(fields, endsStream, stream.bodyLeft);
    if (problem !== null) {
      this.#breakStream(stream, PROTOCOL_ERROR, problem);
      return;
    }
    stream.remoteEnded = true;
    this.#handler.trailers(stream.id, fields);
    this.#finishIfDone(stream);
  }

  // === data in ===

  #beginData(): void {
    const { streamId, length, dataLeft, paddingBytes, endsStream, flags } = this.#reader;
    if (!this.#settingsSeen) throw settingsMissing();
    if (this.#messages.streamId !== 0) throw blockInterrupted();
    if (streamId === 0) throw http2FrameInvalid({ reason: "DATA is not for a stream" });
    this.#receiveWindow -= length;
    if (this.#receiveWindow < 0) throw http2FlowControlViolated({ reason: "the connection's" });
    this.#dataStream = null;
    const stream = this.#streams.get(streamId);
    if (stream === undefined || stream.closed) {
      this.#checkForgiven(streamId, "DATA");
      if (dataLeft === 0) this.#spendControlFrame();
      this.#giveBack(length);
      return;
    }
    const problem = this.#chargeData(stream, length, dataLeft, endsStream);
    if (problem !== null) {
      this.#giveBack(length);
      this.#breakStream(stream, problem.code, problem.error);
      return;
    }
    if (paddingBytes > 0) {
      stream.credit += paddingBytes;
      this.#giveBack(paddingBytes);
      this.#updateStreamWindow(stream);
    }
    this.#dataStream = stream;
    if (dataLeft > 0) this.#controlFrames.give(1);
    else if ((flags & END_STREAM) === 0) this.#spendControlFrame();
    else this.#handOutData(stream, 0, 0, true);
  }

  /** Takes a frame off the stream's window and its announced length. @returns what the peer did wrong. */
  #chargeData(
    stream: Stream,
    length: number,
    dataBytes: number,
    endsStream: boolean,
  ): { readonly code: number; readonly error: ViaductError } | null {
    if (stream.remoteEnded) {
      return { code: STREAM_CLOSED, error: http2StreamClosed({ reason: "DATA after its end" }) };
    }
    stream.receiveWindow -= length;
    if (stream.receiveWindow < 0) {
      const error = http2FlowControlViolated({ reason: "a stream's" });
      return { code: FLOW_CONTROL_ERROR, error };
    }
    if (!this.#isServer && !stream.headReceived) {
      return { code: PROTOCOL_ERROR, error: http2MessageMalformed({ reason: "DATA before the head" }) };
    }
    if (stream.bodyLeft === NO_LENGTH) return null;
    stream.bodyLeft -= dataBytes;
    if (stream.bodyLeft < 0) {
      const error = http2MessageMalformed({ reason: "there is more DATA than content-length says" });
      return { code: PROTOCOL_ERROR, error };
    }
    return endsStream && stream.bodyLeft > 0 ? { code: PROTOCOL_ERROR, error: bodyTooShort() } : null;
  }

  #readDataPiece(): void {
    const { start, end, dataLeft, endsStream } = this.#reader;
    const stream = this.#dataStream;
    this.#dataPiecesLeft--;
    if (stream === null) return;
    if (stream.closed) this.#giveBack(end - start);
    else this.#handOutData(stream, start, end, endsStream && dataLeft === 0);
  }

  #handOutData(stream: Stream, start: number, end: number, endsStream: boolean): void {
    stream.unconsumed += end - start;
    stream.remoteEnded = endsStream;
    this.#handler.data(stream.id, this.#reader.bytes, start, end, endsStream);
    this.#finishIfDone(stream);
  }

  /** So many bytes of `data` are done with: the peer may send as many again. */
  consumed(streamId: number, size: number): void {
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    const bytes = Math.min(size, stream.unconsumed);
    stream.unconsumed -= bytes;
    stream.credit += bytes;
    this.#giveBack(bytes);
    if (!stream.closed) this.#updateStreamWindow(stream);
    else if (stream.unconsumed === 0) this.#streams.delete(streamId);
  }

  /** To the connection's window. Half a window at once: an update for each piece would cost more than the piece. */
  #giveBack(bytes: number): void {
    this.#credit += bytes;
    if (this.#credit * 2 < this.#limits.connectionWindowBytes || this.#failed) return;
    this.#output.windowUpdateFrame(0, this.#credit);
    this.#receiveWindow += this.#credit;
    this.#credit = 0;
  }

  #updateStreamWindow(stream: Stream): void {
    if (stream.remoteEnded || stream.credit * 2 < this.#limits.streamWindowBytes) return;
    this.#output.windowUpdateFrame(stream.id, stream.credit);
    stream.receiveWindow += stream.credit;
    stream.credit = 0;
  }

  // === control frames ===

  #readReset(streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId === 0) throw http2FrameInvalid({ reason: "RST_STREAM is not for a stream" });
    if (end - start !== 4) throw http2FrameSizeInvalid({ reason: "RST_STREAM" });
    this.#checkNotIdle(streamId);
    const stream = this.#streams.get(streamId);
    if (stream === undefined || stream.closed) return this.#spendControlFrame();
    if (this.#isServer) {
      this.#spendReset();
      this.#headsLeft -= RESET_WORK;
    }
    this.#drop(stream);
    this.#handler.reset(streamId, readUint32(bytes, start), null);
    this.#settleIfDone();
  }

  #readSettings(streamId: number, flags: number, bytes: Buffer, start: number, end: number): void {
    if (streamId !== 0) throw http2FrameInvalid({ reason: "SETTINGS are for a stream" });
    const size = end - start;
    if (size % 6 !== 0 || ((flags & ACK) !== 0 && size !== 0)) {
      throw http2FrameSizeInvalid({ reason: "SETTINGS" });
    }
    if (this.#settingsSeen) this.#spendControlFrame();
    if ((flags & ACK) !== 0) return;
    let streamWindow = this.#peerStreamWindow;
    for (let at = start; at < end; at += 6) {
      const setting = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
      const value = readUint32(bytes, at + 2);
      switch (setting) {
        case HEADER_TABLE_SIZE:
          this.#sender.limitTable(value);
          break;
        case ENABLE_PUSH:
          if (value > 1 || (value === 1 && !this.#isServer)) {
            throw http2FrameInvalid({ reason: "SETTINGS_ENABLE_PUSH is not what this side may say" });
          }
          break;
        case MAX_CONCURRENT_STREAMS:
          this.#peerMaxStreams = value;
          break;
        case INITIAL_WINDOW_SIZE:
          if (value > MAX_31_BITS) throw windowTooLarge();
          streamWindow = value;
          break;
        case MAX_FRAME_SIZE:
          if (value < MAX_FRAME_BYTES || value > MAX_MAX_FRAME_SIZE) {
            throw http2FrameInvalid({ reason: "SETTINGS_MAX_FRAME_SIZE is out of range" });
          }
          break;
      }
    }
    this.#settingsSeen = true;
    this.#output.frame(0, SETTINGS, ACK, 0);
    this.#countReply(FRAME_HEADER_BYTES);
    this.#moveStreamWindows(streamWindow);
  }

  /** A new initial window moves those of all streams, perhaps below 0 (RFC 9113 §6.9.2). */
  #moveStreamWindows(streamWindow: number): void {
    const change = streamWindow - this.#peerStreamWindow;
    if (change === 0) return;
    this.#peerStreamWindow = streamWindow;
    for (const stream of this.#streams.values()) {
      stream.sendWindow += change;
      if (!stream.closed && stream.sendWindow > MAX_31_BITS) throw windowTooLarge();
    }
    if (change > 0) this.#sendQueued();
  }

  #readPing(streamId: number, flags: number, bytes: Buffer, start: number, end: number): void {
    if (streamId !== 0) throw http2FrameInvalid({ reason: "PING is for a stream" });
    if (end - start !== 8) throw http2FrameSizeInvalid({ reason: "PING" });
    this.#spendControlFrame();
    if ((flags & ACK) === 0) {
      const output = this.#output;
      output.frame(8, PING, ACK, 0);
      bytes.copy(output.bytes, output.size, start, end);
      output.size += 8;
      this.#countReply(FRAME_HEADER_BYTES + 8);
    } else if (this.#phase === STOPPING && readUint32(bytes, start) === SHUTDOWN_PING) this.#stop();
  }

  #readGoaway(streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId !== 0) throw http2FrameInvalid({ reason: "GOAWAY is for a stream" });
    if (end - start < 8) throw http2FrameSizeInvalid({ reason: "GOAWAY" });
    this.#spendControlFrame();
    const lastStreamId = readUint31(bytes, start);
    this.#peerStops = true;
    this.#handler.goaway(lastStreamId, readUint32(bytes, start + 4));
    if (!this.#isServer) {
      for (const stream of this.#streams.values()) {
        if (stream.id <= lastStreamId || stream.closed) continue;
        this.#drop(stream);
        this.#handler.reset(stream.id, REFUSED_STREAM, null);
      }
    }
    this.#settleIfDone();
  }

  #readWindowUpdate(streamId: number, bytes: Buffer, start: number, end: number): void {
    if (end - start !== 4) throw http2FrameSizeInvalid({ reason: "WINDOW_UPDATE" });
    const increment = readUint31(bytes, start);
    this.#spendControlFrame();
    if (streamId === 0) {
      if (increment === 0) throw http2FrameInvalid({ reason: "WINDOW_UPDATE by nothing" });
      if (!this.#sender.openWindow(increment)) throw windowTooLarge();
      this.#sendQueued();
      return;
    }
    this.#checkNotIdle(streamId);
    const stream = this.#streams.get(streamId);
    if (stream === undefined || stream.closed) return;
    if (increment === 0) {
      this.#breakStream(stream, PROTOCOL_ERROR, http2FrameInvalid({ reason: "WINDOW_UPDATE by nothing" }));
      return;
    }
    stream.sendWindow += increment;
    if (stream.sendWindow > MAX_31_BITS) {
      this.#breakStream(stream, FLOW_CONTROL_ERROR, windowTooLarge());
    } else if (stream.queue !== null) this.#sendQueued();
  }

  // === streams ===

  #addStream(id: number): Stream {
    const stream = new Stream(id, this.#peerStreamWindow, this.#limits.streamWindowBytes);
    this.#streams.set(id, stream);
    this.#activeStreams++;
    return stream;
  }

  #checkNotIdle(streamId: number): void {
    const isIdle = this.#isServer
      ? streamId > this.#lastPeerStream || streamId % 2 === 0
      : streamId >= this.#nextStream || streamId % 2 === 0;
    if (isIdle) throw idleStream();
  }

  /** A frame for a stream that is gone: fine when we reset it, and the peer could not know yet (RFC 9113 §5.1). */
  #checkForgiven(streamId: number, frame: string): void {
    this.#checkNotIdle(streamId);
    if (!this.#resetIds.has(streamId)) throw http2StreamClosed({ reason: `${frame} after its end` });
  }

  /** The peer broke a rule of one stream. */
  #breakStream(stream: Stream, code: number, error: ViaductError): void {
    if (this.#isServer) this.#spendReset();
    this.#replyAndDrop(stream, code);
    this.#handler.reset(stream.id, code, error);
    this.#settleIfDone();
  }

  /** Peers that have requests begun and dropped, by whichever means, make work without paying for it (CVE-2023-44487). */
  #spendReset(): void {
    if (this.#resets.take(this.#nowMs)) return;
    throw http2Flood({
      what: "requests that were reset before their answer",
      limit: this.#limits.resetBurst,
    });
  }

  #replyAndDrop(stream: Stream, code: number): void {
    this.#rememberReset(stream.id);
    this.#drop(stream);
    this.#replyReset(stream.id, code);
  }

  #replyReset(streamId: number, code: number): void {
    this.#output.resetFrame(streamId, code);
    this.#countReply(FRAME_HEADER_BYTES + 4);
  }

  #rememberReset(streamId: number): void {
    const ids = this.#resetIds;
    if (ids.size >= MAX_REMEMBERED_RESETS) ids.delete(ids.values().next().value as number);
    ids.add(streamId);
  }

  /** Ends a stream without another word, and gives back what it had handed out. */
  #drop(stream: Stream): void {
    if (!stream.closed) this.#activeStreams--;
    stream.closed = true;
    this.#sender.drop(stream);
    this.#streams.delete(stream.id);
    this.#giveBack(stream.unconsumed);
    stream.unconsumed = 0;
  }

  #finishIfDone(stream: Stream): void {
    if (!stream.remoteEnded || !stream.localEnded || stream.closed) return;
    stream.closed = true;
    this.#activeStreams--;
    if (stream.unconsumed === 0) this.#streams.delete(stream.id);
    this.#settleIfDone();
  }

  #settleIfDone(): void {
    const isOver = this.#phase === STOPPED || (this.#peerStops && !this.#isServer);
    if (!isOver || this.#activeStreams > 0 || this.#settled || this.#failed) return;
    this.#settled = true;
    this.#handler.settled();
  }

  #fail(code: number, error: ViaductError): void {
    this.#failed = true;
    this.#streams.clear();
    this.#sender.dropAll();
    this.#activeStreams = 0;
    this.#output.goawayFrame(this.#lastAccepted, code, error.code);
    this.#handler.failed(error);
  }

  // === out ===

  /**
   * Output not yet taken, for one socket write; null when there is none. The buffer is the caller's. Take it while the
   * socket has room: what the peer provokes without reading is bounded by what nobody took.
   */
  takeOutput(): Buffer | null {
    this.#replyBytes = 0;
    return this.#output.take();
  }

  #sendSettings(): void {
    const output = this.#output;
    const { maxConcurrentStreams, streamWindowBytes, maxHeaderListBytes, connectionWindowBytes } =
      this.#limits;
    if (!this.#isServer) {
      output.reserve(PREFACE.length);
      output.text(CLIENT_PREFACE);
    }
    output.frame(18, SETTINGS, 0, 0);
    if (this.#isServer) this.#sendSetting(MAX_CONCURRENT_STREAMS, maxConcurrentStreams);
    else this.#sendSetting(ENABLE_PUSH, 0);
    this.#sendSetting(INITIAL_WINDOW_SIZE, streamWindowBytes);
    this.#sendSetting(MAX_HEADER_LIST_SIZE, maxHeaderListBytes);
    const more = connectionWindowBytes - DEFAULT_WINDOW_BYTES;
    if (more > 0) output.windowUpdateFrame(0, more);
  }

  #sendSetting(setting: number, value: number): void {
    const output = this.#output;
    output.bytes[output.size++] = 0;
    output.bytes[output.size++] = setting;
    output.uint32(value);
  }

  /** Client, when {@link canOpenStream}. @returns the new stream's id. */
  openStream(fields: FieldList, endsStream: boolean): number {
    assert.ok(this.canOpenStream);
    const stream = this.#addStream(this.#nextStream);
    this.#nextStream += 2;
    const method = fields.indexOf(":method");
    stream.isHeadRequest = fields[method + 1] === "HEAD";
    this.#sender.head(stream, fields, endsStream);
    return stream.id;
  }

  /**
   * Server: any number of 1xx, then the response's head. When the response ends before the request has, the rest of
   * the request is refused with RST_STREAM(NO_ERROR) (RFC 9113 §8.1) without a call of the handler.
   */
  sendHead(streamId: number, fields: FieldList, endsStream: boolean): void {
    const stream = this.#sendingStream(streamId);
    if (stream !== null) this.#sender.head(stream, fields, endsStream);
  }

  /**
   * Sends body bytes `bytes[from, to)`, copied before it returns.
   * @returns false when the windows do not allow all of them: the rest is queued, wait for `writable`.
   */
  sendData(streamId: number, bytes: Buffer, from: number, to: number, endsStream: boolean): boolean {
    const stream = this.#sendingStream(streamId);
    return stream === null || this.#sender.data(stream, bytes, from, to, endsStream);
  }

  /** {@link sendData} for latin1 text. */
  sendText(streamId: number, text: string, endsStream: boolean): boolean {
    const stream = this.#sendingStream(streamId);
    return stream === null || this.#sender.text(stream, text, endsStream);
  }

  /** After all that is queued; ends the stream. */
  sendTrailers(streamId: number, fields: FieldList): void {
    const stream = this.#sendingStream(streamId);
    if (stream !== null) this.#sender.trailers(stream, fields);
  }

  /** Ends a stream at once, in both directions; the handler is not called for it again. */
  reset(streamId: number, code: number): void {
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    const isOpen = !stream.closed;
    this.#drop(stream);
    if (!isOpen) return;
    this.#rememberReset(streamId);
    this.#output.resetFrame(streamId, code);
    this.#settleIfDone();
  }

  /**
   * No new streams; those in flight finish, then `settled`. A server says so twice: first that it will stop, and when
   * the peer must have seen that, which stream was the last (RFC 9113 §6.8).
   */
  shutdown(): void {
    if (this.#phase !== RUNNING || this.#failed) return;
    if (!this.#isServer) return this.#stop();
    this.#phase = STOPPING;
    const output = this.#output;
    output.goawayFrame(MAX_31_BITS, NO_ERROR, "");
    output.frame(8, PING, 0, 0);
    output.uint32(SHUTDOWN_PING);
    output.uint32(0);
  }

  #stop(): void {
    this.#phase = STOPPED;
    this.#output.goawayFrame(this.#lastAccepted, NO_ERROR, "");
    this.#settleIfDone();
  }

  /** A stream on which something may still be said; null otherwise. */
  #sendingStream(streamId: number): Stream | null {
    const stream = this.#streams.get(streamId);
    return stream === undefined || stream.closed || stream.localEnded || stream.localEndsLater
      ? null
      : stream;
  }

  /** END_STREAM is in the output. */
  #endLocal(stream: Stream): void {
    stream.localEnded = true;
    if (this.#isServer) {
      this.#resets.give(1);
      if (!stream.remoteEnded) {
        this.reset(stream.id, NO_ERROR);
        return;
      }
    }
    this.#finishIfDone(stream);
  }

  /** A window has opened. */
  #sendQueued(): void {
    for (const stream of this.#sender.flush()) {
      // Unless the handler has reset it in the meantime.
      if (!stream.closed || stream.localEnded) this.#handler.writable(stream.id);
    }
  }
}

const MAX_MAX_FRAME_SIZE = 0xff_ffff;
/** A stream that this one depends on, and a weight. */
const PRIORITY_BYTES = 5;

/** Priorities are deprecated, and read over (RFC 9113 §5.3.2) but for what RFC 7540 §5.3.1 forbids. */
function checkDependency(streamId: number, bytes: Buffer, at: number): void {
  if (readUint31(bytes, at) === streamId) throw http2FrameInvalid({ reason: "a stream depends on itself" });
}

const readUint32 = (bytes: Buffer, at: number) => bytes.readUInt32BE(at);

const settingsMissing = () => http2PrefaceInvalid({ reason: "its first frame is not SETTINGS" });
const blockInterrupted = () => http2FrameInvalid({ reason: "a header block is interrupted" });
const idleStream = () => http2FrameInvalid({ reason: "it is for a stream that nobody opened" });
const windowTooLarge = () => http2FlowControlViolated({ reason: "it was opened beyond 2^31 - 1" });
