/**
 * The database: tables, migrations, transactions, and an outbox that makes a change and the news of it one
 * transaction. SQLite in a file or PostgreSQL, behind the same face, with the same promises.
 * Queries are written with Kysely on {@link Store.db} by the role that owns the tables.
 * Not here: what rows mean (see the roles).
 */
export { isForeignKeyViolation, isUniqueViolation } from "./errors.ts";
export { createOutboxRelay } from "./relay.ts";
export type { OutboxRelay, OutboxRelayOptions } from "./relay.ts";
export { openStore } from "./store.ts";
export type { Store, StoreLocation, StoreOptions } from "./store.ts";
export { together, writeLater } from "./together.ts";
export { decodeJson, encodeJson, toTimestamp } from "./values.ts";
export type { JsonText } from "./values.ts";
export type { AddedNews, Outbox, OutboxEntry, OutboxNews } from "./outbox.ts";
export type {
  Author,
  HealthCheckDocument,
  NewRow,
  QuotaLimitsDocument,
  RowChange,
  RowOf,
  Tables,
} from "./tables.ts";
