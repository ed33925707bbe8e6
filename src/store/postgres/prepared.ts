/**
 * Which statements a connection keeps prepared. Planning is most of what a small statement costs the server: 1.1 of
 * 1.2 ms for the join that makes a reservation.
 *
 *   first use: as it is ──► second use on this connection: prepared under a name ──► from then on by its name
 *
 * A connection that keeps many is worn out: it is closed when it is given back, rather than asked to forget some.
 */

/** More than the roles have shapes of statements; lists of values make one for each length. */
export const MAX_PREPARED = 300;
/** Statements that were used once and may never come again. */
const MAX_SEEN = 1_000;
/** How many rows there are depends on the values, and so does the best plan. */
const IS_PLANNED_FOR_ITS_VALUES = /\blimit\b|\bcount\(/i;

interface Statements {
  readonly generation: number;
  readonly seen: Set<string>;
  readonly names: Map<string, string>;
}

export class PreparedStatements {
  readonly #of = new WeakMap<object, Statements>();
  #generation = 0;

  /** @returns null for a statement that is sent as it is. */
  nameFor(connection: object, text: string): string | null {
    const { generation, seen, names } = this.#statementsOf(connection);
    if (generation < this.#generation) return null;
    const known = names.get(text);
    if (known !== undefined) return known;
    if (names.size === MAX_PREPARED || IS_PLANNED_FOR_ITS_VALUES.test(text)) return null;
    if (!seen.delete(text)) {
      if (seen.size === MAX_SEEN) seen.clear();
      seen.add(text);
      return null;
    }
    const name = `s${names.size}`;
    names.set(text, name);
    return name;
  }

  isWornOut(connection: object): boolean {
    const { generation, names } = this.#statementsOf(connection);
    return generation < this.#generation || names.size === MAX_PREPARED;
  }

  /** For when somebody migrates the database: what was prepared on any connection may not fit its tables any more. */
  wearOutAll(): void {
    this.#generation += 1;
  }

  #statementsOf(connection: object): Statements {
    let statements = this.#of.get(connection);
    if (statements === undefined) {
      statements = { generation: this.#generation, seen: new Set(), names: new Map() };
      this.#of.set(connection, statements);
    }
    return statements;
  }
}
