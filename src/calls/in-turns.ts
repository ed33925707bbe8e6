/** Bytes that come faster than they are worked off, with a turn of the event loop for others behind each piece. */
import { setImmediate as nextTurn } from "node:timers/promises";

/** Decoding JSON of this size takes about 1 ms. */
const PIECE_BYTES = 32 * 1024;

/** The same bytes, at most {@link PIECE_BYTES} of them in a turn. What is not taken yet holds up who sends it. */
export async function* inTurns(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  for await (const received of bytes) {
    for (let at = 0; at < received.length; at += PIECE_BYTES) {
      yield received.subarray(at, at + PIECE_BYTES);
      await nextTurn();
    }
  }
}
