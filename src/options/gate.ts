/**
 * Lets so many in at a time. The others wait, each client in a line of its own, and lines are called in turns: a client
 * with many requests waits behind its own, not everybody behind it.
 *
 *   ask ──room──► inside ──given back──► calls the next line's first
 *    │                ▲
 *    ├──► waiting ────┘ called
 *    │       ├── given back (its client left, or it waited too long)
 *    │       └── displaced: the queue is full, this line the longest, it the youngest there, and another client comes
 *    └──► refused: the queue is full, and nobody's line is longer than the client's own would be
 */
export interface Place {
  readonly client: string;
  state: "inside" | "waiting" | "over";
  /** Told when a waiting place is inside. */
  onCalled: () => void;
  onDisplaced: () => void;
}

export interface GateLimits {
  readonly inside: number;
  readonly waiting: number;
}

export class Gate {
  /** May change while places are taken. */
  limits: GateLimits;
  #inside = 0;
  #waiting = 0;
  /** None is empty; the first has its turn. */
  readonly #lines = new Map<string, Place[]>();
  #isCalling = false;

  constructor(limits: GateLimits) {
    this.limits = limits;
  }

  get inside(): number {
    return this.#inside;
  }
  get waiting(): number {
    return this.#waiting;
  }
  /** A client that nobody knows would be refused, or displace somebody. */
  get isFull(): boolean {
    return this.#inside >= this.limits.inside && this.#waiting >= this.limits.waiting;
  }

  /** @returns a place that is inside or waits, to be given back once; null when there is none */
  ask(client: string): Place | null {
    // The limit may have been raised since the others began to wait, and who is inside may stay for hours.
    this.#call();
    const place: Place = { client, state: "waiting", onCalled() {}, onDisplaced() {} };
    if (this.#inside < this.limits.inside && this.#waiting === 0) {
      place.state = "inside";
      this.#inside++;
      return place;
    }
    if (this.#waiting >= this.limits.waiting && !this.#displaceFor(client)) return null;
    const line = this.#lines.get(client);
    if (line === undefined) this.#lines.set(client, [place]);
    else line.push(place);
    this.#waiting++;
    return place;
  }

  /** However it ended; a place that is over already is left alone. */
  giveBack(place: Place): void {
    const { state } = place;
    place.state = "over";
    if (state === "waiting") this.#remove(place);
    else if (state === "inside") {
      this.#inside--;
      this.#call();
    }
  }

  /**
   * Those for whom there is room now. Whoever is called may be over at once and give back: a loop, not recursion, however
   * many wait.
   */
  #call(): void {
    if (this.#isCalling) return;
    this.#isCalling = true;
    try {
      while (this.#waiting > 0 && this.#inside < this.limits.inside) {
        const place = this.#takeNext();
        place.state = "inside";
        this.#inside++;
        place.onCalled();
      }
    } finally {
      this.#isCalling = false;
    }
  }

  #takeNext(): Place {
    // Nobody calls without somebody waiting, and no line is empty.
    const [client, line] = this.#lines.entries().next().value as [string, Place[]];
    const place = line.shift() as Place;
    this.#lines.delete(client);
    // Its next one is called after everybody else's.
    if (line.length > 0) this.#lines.set(client, line);
    this.#waiting--;
    return place;
  }

  #remove(place: Place): void {
    const line = this.#lines.get(place.client);
    const at = line?.indexOf(place) ?? -1;
    if (line === undefined || at === -1) return;
    line.splice(at, 1);
    if (line.length === 0) this.#lines.delete(place.client);
    this.#waiting--;
  }

  /** Makes room in a full queue where that makes it fairer. */
  #displaceFor(client: string): boolean {
    let longest: Place[] = [];
    for (const line of this.#lines.values()) if (line.length > longest.length) longest = line;
    const ownLength = this.#lines.get(client)?.length ?? 0;
    if (longest.length <= ownLength + 1) return false;
    const youngest = longest.at(-1) as Place;
    this.giveBack(youngest);
    youngest.onDisplaced();
    return true;
  }
}
