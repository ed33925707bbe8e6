/**
 * What the reading of large bodies has in common, whoever reads them: how long a read is, and how much of a turn of the
 * event loop all of them have together.
 */
import { createTurnQueue, TurnCount, type Waiting } from "./turn-queue.ts";

/** Fewer reads per body; measured with bodies of 1 MiB. */
export const LONG_READ_BYTES = 128 * 1024;
/** What a long read must have brought for the next one to be a long one too. */
export const STILL_LONG_BYTES = 16 * 1024;
/**
 * So much of all large bodies together is read in one turn. Then all that read them rest, and go on one after the other,
 * each for as much as that, and whoever wants to begin waits behind them: as long as there are bytes a socket is read up to
 * 32 times at once, and a few fast endpoints would hold up everybody. One is read often before the next one, because its
 * memory is warm then.
 */
const TURN_BYTES = 384 * 1024;

const turnBytes = new TurnCount();
export const waitForBodyTurn: (waiting: Waiting) => void = createTurnQueue(1);

/** So much more was read. @returns whether something is left of this turn. */
export const countRead = (size: number): boolean => turnBytes.add(size) < TURN_BYTES;
export const isTurnSpent = (): boolean => turnBytes.count >= TURN_BYTES;
