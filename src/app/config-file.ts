import { readFileSync } from "node:fs";
import { configFileUnreadable } from "../kernel/errors/app.ts";
import { systemReason } from "../kernel/index.ts";

/** @throws configFileUnreadable */
export function readConfigFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw configFileUnreadable({ path, reason: systemReason(error) }, error);
  }
}
