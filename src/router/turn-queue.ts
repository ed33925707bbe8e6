/**
 * Work that came all at once and must not keep others waiting: a few pieces of it are done at each turn of the event
 * loop, in the order they came, and between two turns everybody else's reads and answers have theirs.
 *
 * Pieces are counted, not timed: a clock would be asked for each, and how much is done at once would depend on how busy
 * the machine is.
 */
export const PIECES_PER_TURN = 4;

export interface Waiting {
  /** Does a short piece of work; never throws. When there is more to do, it waits for its turn again. */
  takeTurn(): void;
}

/** A queue of its own, for work whose pieces are of another size. */
export function createTurnQueue(piecesPerTurn: number): (waiting: Waiting) => void {
  const queue: Waiting[] = [];
  let isScheduled = false;
  const schedule = () => {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(nextTurn);
  };
  const nextTurn = () => {
    isScheduled = false;
    for (const waiting of queue.splice(0, piecesPerTurn)) waiting.takeTurn();
    if (queue.length > 0) schedule();
  };
  return (waiting) => {
    queue.push(waiting);
    schedule();
  };
}

export const waitForTurn: (waiting: Waiting) => void = createTurnQueue(PIECES_PER_TURN);
