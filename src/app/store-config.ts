import { type ConfigOf, configSection, setting } from "../kernel/index.ts";
import type { StoreLocation } from "../store/index.ts";

export const storeSection = configSection("store", {
  url: setting.string({
    key: "url",
    default: "",
    secret: true,
    describe:
      "PostgreSQL to keep everything in, as postgres://user:password@host:5432/database; empty keeps it in a SQLite file in the data folder.",
  }),
});

export function storeLocation(config: ConfigOf<typeof storeSection>, databaseFile: string): StoreLocation {
  return config.url === "" ? { kind: "sqlite", path: databaseFile } : { kind: "postgres", url: config.url };
}
