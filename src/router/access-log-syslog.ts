/** The access log's lines on their way to syslog, where a datagram has room for one of ordinary length. */
import type { ExplainedLogRecord } from "./access-record.ts";
import {
  cutForDatagram,
  MAX_DATAGRAM_EXTRA_HEADER_BYTES,
  MAX_DATAGRAM_LINE_BYTES,
} from "./datagram-record.ts";
import type { RouterConfig } from "./config.ts";
import { createFormatter } from "./access-log-format.ts";
import { createSyslogSender, type SyslogParts, type SyslogSender } from "./syslog.ts";

export class SyslogAccessLog {
  readonly #sender: SyslogSender;
  readonly #maxLineBytes: number;
  readonly #formatCut: (record: ExplainedLogRecord) => string;

  constructor(config: Pick<RouterConfig, "accessLogFormat" | "accessLogOptions">, parts: SyslogParts) {
    this.#sender = createSyslogSender(parts);
    this.#maxLineBytes =
      parts.settings.network === "udp" ? MAX_DATAGRAM_LINE_BYTES : Number.POSITIVE_INFINITY;
    this.#formatCut = createFormatter({
      ...config,
      accessLogOptions: { ...config.accessLogOptions, maxExtraHeaderBytes: MAX_DATAGRAM_EXTRA_HEADER_BYTES },
    });
  }

  /** @param line  Made of `record`, which is read again only when that is too long. */
  add(line: string, record: ExplainedLogRecord): void {
    const isTooLong = line.length > this.#maxLineBytes;
    this.#sender.add(isTooLong ? this.#formatCut(cutForDatagram(record)) : line);
  }

  flush(): void {
    this.#sender.flush();
  }

  close(): Promise<void> {
    return this.#sender.close();
  }
}
