/** The shape of a migration: one set of statements for every engine, with the engine's own words filled in. */

/** What the engines call the same thing. */
export interface ColumnTypes {
  /** Compared byte by byte, whatever the database's locale. */
  readonly text: string;
  readonly integer: string;
  readonly bigint: string;
  /** A whole primary key: numbers that are never given twice, also after rows were deleted. */
  readonly ascendingId: string;
  /** Follows the closing parenthesis of every table. */
  readonly table: string;
}

export interface Migration {
  /** `0001-foundation`; sorts in order, never changes once released. */
  readonly name: string;
  readonly statements: (types: ColumnTypes) => readonly string[];
}
