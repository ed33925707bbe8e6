/**
 * What does one access-log line cost, when nothing needs escaping and when the user agent does?
 * Run: `node scripts/pinned.mjs bench/router/access-log.bench.ts`.
 */
import type { AccessLogRecord } from "../../src/router/access-record.ts";
import { formatAccessLogLine } from "../../src/router/access-log.ts";

const LINES = 200_000;
const ROUNDS = 7;

const plain: AccessLogRecord = {
  host: "shop.example.com",
  startedAtMs: Date.parse("2026-11-21T10:15:30Z") + 123.456789,
  method: "GET",
  target: "/catalogue/items?page=2&sort=price",
  protocol: "HTTP/1.1",
  status: 200,
  requestBodyBytes: 0,
  responseBodyBytes: 5_120,
  referer: "https://shop.example.com/",
  userAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
  clientAddress: "10.0.0.9:51842",
  endpointAddress: "10.0.1.5:61001",
  forwardedFor: "10.0.0.9",
  forwardedProto: "http",
  requestId: "645e4784-879d-4068-761d-a9942fdc40c0",
  responseTimeMs: 1.234,
  routerTimeMs: 0.21,
  appGuid: "c1b0a1b2-3c4d-4e5f-8a9b-0c1d2e3f4a5b",
  instanceIndex: "0",
  instanceId: "9a2f4784-879d-4068-761d-a994",
  routerError: "",
  backendTimeMs: 1,
  dialTimeMs: -1,
  dnsTimeMs: -1,
  tlsTimeMs: -1,
  localAddress: "10.0.0.1:40000",
  failedAttempts: 0,
  failedAttemptsTimeMs: 0,
  requestHeader: () => undefined,
};
const escaped = { ...plain, userAgent: 'agent "with quotes" and caf\xc3\xa9' };

function nanosecondsPerLine(record: AccessLogRecord): number {
  let bytes = 0;
  const startedAt = process.cpuUsage();
  for (let n = 0; n < LINES; n++) {
    // A different time each line, as in life, so that nothing of it is a constant; flattened as a write does.
    const line = formatAccessLogLine({ ...record, startedAtMs: record.startedAtMs + n / 64 });
    bytes += line.charCodeAt(n % 40);
  }
  const { user, system } = process.cpuUsage(startedAt);
  if (bytes === 0) throw new Error("the loop was optimised away");
  return ((user + system) * 1_000) / LINES;
}

for (const [name, record] of Object.entries({ plain, escaped })) {
  const rounds = Array.from({ length: ROUNDS }, () => nanosecondsPerLine(record)).sort((a, b) => a - b);
  const median = rounds[ROUNDS >> 1] ?? 0;
  const spread = (rounds.at(-1) ?? 0) - (rounds[0] ?? 0);
  console.log(`${name}: median ${median.toFixed(0)} ns CPU per line, spread ${spread.toFixed(0)}`);
}
