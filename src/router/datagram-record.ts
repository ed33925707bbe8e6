/**
 * An exchange as the access log of a datagram has it: texts that a client may make as long as a whole head are cut, by
 * gorouter's measures, so that the line fits.
 */
import type { ExplainedLogRecord } from "./access-record.ts";

/** Longer lines are made anew of cut texts. */
export const MAX_DATAGRAM_LINE_BYTES = 65_400;
/** `maxExtraHeaderBytes` for such lines. */
export const MAX_DATAGRAM_EXTRA_HEADER_BYTES = 20_000;
const MAX_TARGET_BYTES = 20_000;
const MAX_HEADER_BYTES = 5_000;
const TARGET_CUT = "...REQUEST-URI-TOO-LONG-TO-LOG--TRUNCATED";

/** The same record with its long texts cut; it is read at once, like the other. */
export function cutForDatagram(record: ExplainedLogRecord): ExplainedLogRecord {
  // Most fields are left as they are, whatever they will be; what asks the exchange keeps asking it.
  return new Proxy(record, { get: cutField });
}

function cutField(record: ExplainedLogRecord, name: string | symbol): unknown {
  switch (name) {
    case "target":
      return cutTarget(record.target);
    case "host":
    case "method":
    case "referer":
    case "userAgent":
    case "forwardedFor":
    case "forwardedProto":
    case "routerError":
      return cutHeader(record[name]);
    case "requestHeader":
      return (header: string) => {
        const value = record.requestHeader(header);
        return value === undefined ? undefined : cutHeader(value);
      };
    default:
      return Reflect.get(record, name, record);
  }
}

function cutTarget(target: string): string {
  return target.length > MAX_TARGET_BYTES ? target.slice(0, MAX_TARGET_BYTES) + TARGET_CUT : target;
}

/** By halving, as gorouter does it. */
function cutHeader(value: string): string {
  let { length } = value;
  while (length > MAX_HEADER_BYTES) length = Math.floor(length / 2);
  return value.slice(0, length);
}
