import { defineError } from "./define.ts";

export const storeFolderMissing = defineError<{ path: string; folder: string }>({
  code: "store_folder_missing",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) =>
    `the database ${d.path} cannot be opened: there is no folder ${d.folder}; create it or choose another path`,
});

export const storeNotWritable = defineError<{ path: string; reason: string }>({
  code: "store_not_writable",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) =>
    `the database ${d.path} cannot be written (${d.reason}); give this user write access to the file and its folder`,
});

export const storeCorrupt = defineError<{ path: string; reason: string }>({
  code: "store_corrupt",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) =>
    `the database ${d.path} is damaged or is no SQLite database (${d.reason}); move it away to start empty, or restore a backup`,
});

export const storeLocked = defineError<{ path: string; afterMs: number }>({
  code: "store_locked",
  source: "operator",
  retry: "safe",
  status: 503,
  explain: (d) =>
    `the database ${d.path} stayed locked by another process for ${d.afterMs} ms; stop that process or try again`,
});

export const storeOpenFailed = defineError<{ path: string; reason: string }>({
  code: "store_open_failed",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) => `the database ${d.path} cannot be opened: ${d.reason}`,
});

/** `url` never carries the password. */
export const storeUnreachable = defineError<{ url: string; reason: string }>({
  code: "store_unreachable",
  source: "operator",
  retry: "safe",
  status: 503,
  explain: (d) =>
    `the database ${d.url} cannot be reached (${d.reason}); check that PostgreSQL runs there and accepts this user`,
});

export const storeTooNew = defineError<{ where: string; migrations: readonly string[] }>({
  code: "store_too_new",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) =>
    `the database ${d.where} was written by a newer version (it has ${d.migrations.join(", ")}); start that version, or restore a backup made before the upgrade`,
});

export const storeMigrationChanged = defineError<{ where: string; migration: string }>({
  code: "store_migration_changed",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) =>
    `the database ${d.where} was made by another form of migration ${d.migration} than this version has; start the version that made it, or restore a backup`,
});

export const storeMigrationFailed = defineError<{ where: string; migration: string; reason: string }>({
  code: "store_migration_failed",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) =>
    `migration ${d.migration} of the database ${d.where} failed and changed nothing: ${d.reason}`,
});

export const storeFailed = defineError<{ where: string; reason: string }>({
  code: "store_failed",
  source: "control-plane",
  retry: "never",
  status: 503,
  explain: (d) =>
    `the database ${d.where} refused the change: ${d.reason}; look at its disk space and its health`,
});

export const storeContended = defineError<{ attempts: number }>({
  code: "store_contended",
  source: "control-plane",
  retry: "safe",
  status: 503,
  explain: (d) => `the change met other changes ${d.attempts} times in a row; try again`,
});

export const storeClosed = defineError<{ where: string }>({
  code: "store_closed",
  source: "control-plane",
  retry: "never",
  status: 503,
  explain: (d) => `the database ${d.where} is closed because the process is stopping`,
});

/** `retry` is never: whether the statement was done is not known. */
export const storeConnectionLost = defineError<{ url: string; reason: string }>({
  code: "store_connection_lost",
  source: "control-plane",
  retry: "never",
  status: 503,
  explain: (d) =>
    `the connection to the database ${d.url} was lost (${d.reason}); whether the last change was made is unknown`,
});
