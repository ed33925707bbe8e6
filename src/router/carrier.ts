/**
 * What carries the bytes of a connection: a socket, or one stream of an HTTP/2 session that reads and writes as if it
 * were a connection of its own. The part of `net.Socket` that exchanges use, under its names.
 */
import type { Socket } from "node:net";
import type { OnBytes, ReadMemory } from "./receive-buffer.ts";

export interface Carrier {
  /** Ours; undefined when it is not known. */
  readonly localAddress?: string | undefined;
  /** Written bytes wait in our memory; the listener hears `drained` when they have gone. */
  readonly writableNeedDrain: boolean;
  /** How many. */
  readonly writableLength: number;
  /** The bytes must stay as they are until they have gone. @returns false when {@link writableNeedDrain} */
  write(bytes: Buffer): boolean;
  /** A character per byte. */
  write(text: string, encoding: "latin1"): boolean;
  /**
   * The same with `memory[from, to)`, which is written over as soon as this returns. Only where a copy of it leaves together with
   * what was written before; elsewhere the two are better made one text.
   */
  writeCopy?(memory: Buffer, from: number, to: number): boolean;
  cork(): void;
  uncork(): void;
  pause(): unknown;
  resume(): unknown;
  /** After what is written: nothing more from us. */
  end(): unknown;
  /** After what is written: over. */
  destroySoon(): void;
  /** Over, in the middle of whatever it is. */
  destroy(): unknown;
  /** The same so that the other end cannot take it for an end. */
  resetAndDestroy(): unknown;
}

/** That of a whole connection, which a session of HTTP/2 has to itself. */
export interface SocketCarrier extends Carrier {
  readonly destroyed: boolean;
  /** {@link Carrier.end} or {@link Carrier.destroySoon} was called. */
  readonly writableEnded: boolean;
}

/** Where a body goes whose bytes nobody looks at. */
export interface BodyPassage {
  readonly to: Carrier | null;
  /** That are still to come. The last of them are received all the same: what comes after a body is others' affair. */
  readonly bytes: number;
  passed(size: number): void;
}

/** The reading end of a carrier. */
export interface CarrierListener {
  readonly received: OnBytes;
  /** Asked in the middle of a large body. @returns null when its bytes are to be received */
  readonly passage?: () => BodyPassage | null;
  readonly drained: () => void;
  /** The other end says no more. */
  readonly ended: () => void;
  /** Why it will be over: it broke. */
  readonly failed?: (error: Error) => void;
  /** Over. Always the last call. */
  readonly closed: () => void;
}

/** Writes `bytes[from, to)` of a read, which stay where they are where that is possible. */
export function writeRead(
  carrier: Carrier,
  memory: ReadMemory,
  bytes: Buffer,
  from: number,
  to: number,
): boolean {
  if (carrier.writeCopy !== undefined) return carrier.writeCopy(bytes, from, to);
  return carrier.write(memory.keep(bytes, from, to));
}

/** @returns the socket, whose events now go to the listener; reading is the caller's affair. */
export function attach<S extends Socket>(socket: S, { drained, ended, closed }: CarrierListener): S {
  socket
    .on("drain", drained)
    .on("end", ended)
    .on("error", ignore) // «close» follows and decides
    .on("close", closed);
  return socket;
}

const ignore = () => {};
