/** Which form the access log's lines have. */
import type { ExplainedLogRecord } from "./access-record.ts";
import { createAccessLogFormatter } from "./access-log.ts";
import { createJsonAccessLogFormatter } from "./access-log-json.ts";
import type { RouterConfig } from "./config.ts";

/** @returns one line of an exchange that has ended, without its line feed; one character per byte. */
export function createFormatter({
  accessLogFormat,
  accessLogOptions,
}: Pick<RouterConfig, "accessLogFormat" | "accessLogOptions">): (record: ExplainedLogRecord) => string {
  return accessLogFormat === "json"
    ? createJsonAccessLogFormatter(accessLogOptions)
    : createAccessLogFormatter(accessLogOptions);
}
