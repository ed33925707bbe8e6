/**
 * Envelopes of Loggregator's first version, which its agents take as datagrams: protobuf of dropsonde-protocol's
 * envelope.proto, log.proto, http.proto and uuid.proto. Field numbers and enums are those files'.
 */

export type Tags = Readonly<Record<string, string>>;

const ORIGIN = "gorouter";
const SOURCE_TYPE = "RTR";
/** Envelope.EventType, and the field that has the event. */
const HTTP_START_STOP = { type: 4, field: 7 } as const;
const LOG_MESSAGE = { type: 5, field: 8 } as const;
/** LogMessage.MessageType.OUT */
const OUT = 1;
/** PeerType.Server: we were asked. */
const SERVER = 2;

/** Method, from 1 on. */
const METHODS: readonly string[] =
  `GET POST PUT DELETE HEAD ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT CONNECT COPY DEBUG LABEL LINK LOCK MERGE
  MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PATCH PRI PROPFIND PROPPATCH REBIND
  REPORT SEARCH SHOWMETHOD SPACEJUMP TEXTSEARCH TRACE TRACK UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE
  UPDATEREDIRECTREF VERSION-CONTROL`.split(/\s+/);

/** One line of an app's log. Times are UNIX milliseconds, here and below. */
export function logEnvelope(given: {
  readonly message: Buffer;
  readonly app: string;
  readonly sourceInstance: string;
  readonly nowMs: number;
  readonly tags: Tags;
}): Buffer {
  const event = Buffer.concat([
    bytesField(1, given.message),
    numberField(2, OUT),
    numberField(3, nanoseconds(given.nowMs)),
    textField(4, given.app),
    textField(5, SOURCE_TYPE),
    textField(6, given.sourceInstance),
  ]);
  return envelope(LOG_MESSAGE, event, given);
}

/** One request and its answer. "" is absent. */
export function httpEnvelope(given: {
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly requestId: string;
  readonly method: string;
  readonly uri: string;
  readonly remoteAddress: string;
  readonly userAgent: string;
  readonly status: number;
  readonly responseBytes: number;
  readonly app: string;
  readonly instanceIndex: string;
  readonly instanceId: string;
  readonly forwardedFor: readonly string[];
  readonly nowMs: number;
  readonly tags: Tags;
}): Buffer {
  const method = METHODS.indexOf(given.method) + 1;
  const event = Buffer.concat([
    numberField(1, nanoseconds(given.startedAtMs)),
    numberField(2, nanoseconds(given.endedAtMs)),
    uuidField(3, given.requestId),
    numberField(4, SERVER),
    // A method that it has no number for is said to be a GET: readers drop an event without one.
    numberField(5, Math.max(method, 1)),
    textField(6, given.uri),
    textField(7, given.remoteAddress),
    textField(8, given.userAgent),
    numberField(9, given.status),
    numberField(10, given.responseBytes),
    uuidField(12, given.app),
    /^\d+$/.test(given.instanceIndex) ? numberField(13, BigInt(given.instanceIndex)) : NOTHING,
    given.instanceId === "" ? NOTHING : textField(14, given.instanceId),
    ...given.forwardedFor.map((address) => textField(15, address)),
  ]);
  return envelope(HTTP_START_STOP, event, given);
}

function envelope(
  { type, field }: { readonly type: number; readonly field: number },
  event: Buffer,
  { nowMs, tags }: { readonly nowMs: number; readonly tags: Tags },
): Buffer {
  return Buffer.concat([
    textField(1, ORIGIN),
    numberField(2, type),
    numberField(6, nanoseconds(nowMs)),
    bytesField(field, event),
    ...Object.entries(tags).map(([key, value]) =>
      bytesField(17, Buffer.concat([textField(1, key), textField(2, value)])),
    ),
  ]);
}

const NOTHING = Buffer.alloc(0);
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Two numbers of eight bytes each, least byte first; nothing when it is no UUID. */
function uuidField(field: number, uuid: string): Buffer {
  if (!UUID.test(uuid)) return NOTHING;
  const bytes = Buffer.from(uuid.replaceAll("-", ""), "hex");
  return bytesField(
    field,
    Buffer.concat([numberField(1, bytes.readBigUInt64LE(0)), numberField(2, bytes.readBigUInt64LE(8))]),
  );
}

const nanoseconds = (ms: number) => BigInt(Math.floor(ms * 1_000)) * 1_000n;

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
