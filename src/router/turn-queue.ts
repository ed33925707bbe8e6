/**
 * Work that came all at once and must not keep others waiting: a few pieces of it are done at each turn of the event
 * loop, in the order they came, and between two turns everybody else's reads and answers have theirs.
 *
 * Pieces are counted, not timed: a clock would be asked for each, and how much is done at once would depend on how busy
 * the machine is.
 */
export const PIECES_PER_TURN = 2;

export interface Waiting {
  /** Does a short piece of work; never throws. When there is more to do, it waits for its turn again. */
  takeTurn(): void;
}

/** A queue of its own, for work whose pieces are of another size. Who waits in it already keeps its place. */
export function createTurnQueue(piecesPerTurn: number): (waiting: Waiting) => void {
  const queue = new Set<Waiting>();
  let isScheduled = false;
  const schedule = () => {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(nextTurn);
  };
  const nextTurn = () => {
    isScheduled = false;
    const first = queue.values().take(piecesPerTurn).toArray();
    for (const waiting of first) queue.delete(waiting);
    for (const waiting of first) waiting.takeTurn();
    if (queue.size > 0) schedule();
  };
  return (waiting) => {
    queue.add(waiting);
    schedule();
  };
}

export const waitForTurn: (waiting: Waiting) => void = createTurnQueue(PIECES_PER_TURN);

/** How much of one kind was done in the present turn, by whomever: bytes, or pieces of work. */
export class TurnCount {
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** @returns what it is with these */
  add(amount: number): number {
    if (this.#count === 0) setImmediate(this.#endTurn);
    return (this.#count += amount);
  }

  readonly #endTurn = () => {
    this.#count = 0;
  };
}
