/**
 * What Loggregator is told of exchanges, by way of its agent on this machine: lines of the access log for the logs of the
 * apps they are about, which `cf logs` shows as `RTR`, and how long each request took, for metrics of apps.
 */
import type { Clock, Logger } from "../kernel/index.ts";
import { type AccessLogStream, createLineFitter } from "./access-log-stream.ts";
import type { ExplainedLogRecord } from "./access-record.ts";
import type { RouterConfig } from "./config.ts";
import { cutForDatagram } from "./datagram-record.ts";
import { DatagramSender, MAX_DATAGRAM_BYTES, Trouble } from "./datagrams.ts";
import { httpEnvelope, logEnvelope } from "./envelopes.ts";

export interface LoggregatorSettings {
  readonly host: string;
  readonly port: number;
  /** Number of this router; shown with every line. */
  readonly index: number;
  /** Also an event of each request. */
  readonly sendsHttpEvents: boolean;
}

export function createLoggregatorStream(
  config: Pick<RouterConfig, "accessLogFormat" | "accessLogOptions">,
  parts: {
    readonly settings: LoggregatorSettings;
    readonly clock: Clock;
    readonly log: Logger;
    readonly onDrop: (lines: number) => void;
  },
): AccessLogStream {
  const { settings, clock, log, onDrop } = parts;
  const { host, port, index, sendsHttpEvents } = settings;
  const trouble = new Trouble(clock, (error) =>
    log.error({ err: error, address: `${host}:${port}` }, "loggregator-not-reached"),
  );
  const sender = new DatagramSender({ host, port, clock, trouble, onDrop });
  const fit = createLineFitter(config);
  const send = (envelope: Buffer) => {
    // An emitter may have put much into the tags.
    if (envelope.length > MAX_DATAGRAM_BYTES) onDrop(1);
    else sender.send(envelope);
  };
  return {
    add(line, record) {
      if (sendsHttpEvents) send(httpEventOf(cutForDatagram(record), clock.nowMs()));
      // Requests for the platform's own routes are in nobody's log.
      if (record.appGuid === "") return;
      const message = Buffer.from(fit(line, record), "latin1");
      const sourceInstance = String(index);
      const { appGuid: app, endpointTags: tags } = record;
      send(logEnvelope({ message, app, sourceInstance, nowMs: clock.nowMs(), tags }));
    },
    flush() {},
    close: () => sender.close(),
  };
}

function httpEventOf(record: ExplainedLogRecord, nowMs: number): Buffer {
  const { host, target, startedAtMs, forwardedFor } = record;
  // The query may hold secrets, and is in nobody's metrics.
  const path = target.startsWith("/") ? (target.split("?", 1)[0] ?? "") : "";
  return httpEnvelope({
    startedAtMs,
    endedAtMs: startedAtMs + Math.max(record.responseTimeMs, 0),
    requestId: record.requestId,
    method: record.method,
    uri: utf8(`${record.usesTls ? "https" : "http"}://${host}${path}`),
    remoteAddress: record.clientAddress,
    userAgent: utf8(record.userAgent),
    status: record.status,
    responseBytes: record.responseBodyBytes,
    app: record.appGuid,
    instanceIndex: record.instanceIndex,
    instanceId: record.instanceId,
    forwardedFor: forwardedFor === "" ? [] : forwardedFor.split(",").map((address) => utf8(address.trim())),
    nowMs,
    tags: record.endpointTags,
  });
}

/** Protobuf's texts are UTF-8, whatever a client has sent. @param bytes  One character per byte. */
const utf8 = (bytes: string) => Buffer.from(bytes, "latin1").toString("utf8");
