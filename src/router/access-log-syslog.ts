import { type AccessLogStream, createLineFitter } from "./access-log-stream.ts";
import type { RouterConfig } from "./config.ts";
import { createSyslogSender, type SyslogParts } from "./syslog.ts";

/** The access log's lines on their way to syslog. */
export function createSyslogStream(
  config: Pick<RouterConfig, "accessLogFormat" | "accessLogOptions">,
  parts: SyslogParts,
): AccessLogStream {
  const sender = createSyslogSender(parts);
  const fit = createLineFitter(config);
  const isUdp = parts.settings.network === "udp";
  return {
    add: (line, record) => sender.add(isUdp ? fit(line, record) : line),
    flush: () => sender.flush(),
    close: () => sender.close(),
  };
}
