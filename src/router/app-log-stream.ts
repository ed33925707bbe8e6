/**
 * Lines of the access log on their way to the logs of the apps they are about, as source `RTR`: what `cf logs` shows of the
 * router. An agent on this machine takes them, as datagrams with an envelope of Loggregator's first version each
 * (dropsonde-protocol: envelope.proto, log.proto; protobuf).
 */
import type { Clock, Logger } from "../kernel/index.ts";
import { type AccessLogStream, createLineFitter } from "./access-log-stream.ts";
import type { RouterConfig } from "./config.ts";
import { DatagramSender, MAX_DATAGRAM_BYTES, Trouble } from "./datagrams.ts";

export interface LoggregatorSettings {
  readonly host: string;
  readonly port: number;
  /** Number of this router; shown with every line. */
  readonly index: number;
}

export function createAppLogStream(
  config: Pick<RouterConfig, "accessLogFormat" | "accessLogOptions">,
  parts: {
    readonly settings: LoggregatorSettings;
    readonly clock: Clock;
    readonly log: Logger;
    readonly onDrop: (lines: number) => void;
  },
): AccessLogStream {
  const { settings, clock, log, onDrop } = parts;
  const { host, port, index } = settings;
  const trouble = new Trouble(clock, (error) =>
    log.error({ err: error, address: `${host}:${port}` }, "loggregator-not-reached"),
  );
  const sender = new DatagramSender({ host, port, clock, trouble, onDrop });
  const fit = createLineFitter(config);
  return {
    add(line, record) {
      // Requests for the platform's own routes are in nobody's log.
      if (record.appGuid === "") return;
      const envelope = encodeLogEnvelope({
        message: Buffer.from(fit(line, record), "latin1"),
        app: record.appGuid,
        sourceInstance: String(index),
        nowMs: clock.nowMs(),
        tags: record.endpointTags,
      });
      // An emitter may have put much into the tags.
      if (envelope.length > MAX_DATAGRAM_BYTES) onDrop(1);
      else sender.send(envelope);
    },
    flush() {},
    close: () => sender.close(),
  };
}

const ORIGIN = "gorouter";
const SOURCE_TYPE = "RTR";
/** Envelope.EventType.LogMessage */
const LOG_MESSAGE = 5;
/** LogMessage.MessageType.OUT */
const OUT = 1;

function encodeLogEnvelope(given: {
  readonly message: Buffer;
  readonly app: string;
  readonly sourceInstance: string;
  readonly nowMs: number;
  readonly tags: Readonly<Record<string, string>>;
}): Buffer {
  const nowNs = BigInt(Math.floor(given.nowMs * 1_000)) * 1_000n;
  const logMessage = Buffer.concat([
    bytesField(1, given.message),
    numberField(2, OUT),
    numberField(3, nowNs),
    textField(4, given.app),
    textField(5, SOURCE_TYPE),
    textField(6, given.sourceInstance),
  ]);
  const tags = Object.entries(given.tags).map(([key, value]) =>
    bytesField(17, Buffer.concat([textField(1, key), textField(2, value)])),
  );
  return Buffer.concat([
    textField(1, ORIGIN),
    numberField(2, LOG_MESSAGE),
    numberField(6, nowNs),
    bytesField(8, logMessage),
    ...tags,
  ]);
}

// Protobuf: a key is the number of the field and the kind of its value, 0 for numbers and 2 for what has a length.
const numberField = (field: number, value: number | bigint) =>
  Buffer.from([...varint((field << 3) | 0), ...varint(value)]);
const bytesField = (field: number, value: Buffer) =>
  Buffer.concat([Buffer.from([...varint((field << 3) | 2), ...varint(value.length)]), value]);
const textField = (field: number, value: string) => bytesField(field, Buffer.from(value, "utf8"));

/** Seven bits a byte, least first; the eighth says that more come. */
function varint(value: number | bigint): readonly number[] {
  const bytes: number[] = [];
  let left = BigInt(value);
  while (left >= 0x80n) {
    bytes.push(Number(left & 0x7fn) | 0x80);
    left >>= 7n;
  }
  bytes.push(Number(left));
  return bytes;
}
