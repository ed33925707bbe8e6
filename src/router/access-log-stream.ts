import type { ExplainedLogRecord } from "./access-record.ts";
import { createFormatter } from "./access-log-format.ts";
import type { RouterConfig } from "./config.ts";
import {
  cutForDatagram,
  MAX_DATAGRAM_EXTRA_HEADER_BYTES,
  MAX_DATAGRAM_LINE_BYTES,
} from "./datagram-record.ts";

/** Where the access log's lines go besides its file. Never makes an exchange wait. */
export interface AccessLogStream {
  /** @param line  Made of `record`, one character per byte. Nothing of the record is kept. */
  add(line: string, record: ExplainedLogRecord): void;
  flush(): void;
  /** Resolves when what was added has been handed to the system, or could not be. */
  close(): Promise<void>;
}

/** @returns the line, or one made anew of cut texts when it is too long for a datagram. */
export function createLineFitter(
  config: Pick<RouterConfig, "accessLogFormat" | "accessLogOptions">,
): (line: string, record: ExplainedLogRecord) => string {
  const formatCut = createFormatter({
    ...config,
    accessLogOptions: { ...config.accessLogOptions, maxExtraHeaderBytes: MAX_DATAGRAM_EXTRA_HEADER_BYTES },
  });
  return (line, record) => (line.length > MAX_DATAGRAM_LINE_BYTES ? formatCut(cutForDatagram(record)) : line);
}
