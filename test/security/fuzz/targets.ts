/** What is fuzzed: each target knows inputs that nearly fit, and what must hold for every one. */
import assert from "node:assert/strict";
import { createMemoryBus, SUBJECTS } from "../../../src/bus/index.ts";
import { createManualClock, loadConfig, silentLogger, ViaductError } from "../../../src/kernel/index.ts";
import {
  type AccessLogRecord,
  createAccessLogFormatter,
  CLASSIC_FEED_DEFAULTS,
  createClassicFeed,
  createRoutePrograms,
  routerConfigFrom,
  routerSection,
} from "../../../src/router/index.ts";
import { createTable } from "../../../src/table/index.ts";
import { BodyReader, HeaderNames, RequestHead, ResponseHead } from "../../../src/wire/http1/index.ts";
import { MARKER, REQUEST_FRAMINGS } from "../request-framings.ts";
import type { FuzzTarget } from "./fuzz.ts";
import { HEADER_TARGETS } from "./header-targets.ts";
import { HTTP2_TARGET } from "./http2-target.ts";
import { cut, mutate, type Random } from "./random.ts";
import { TLS_TARGET } from "./tls-target.ts";

const NAMES = new HeaderNames([]);
const LIMITS = { maxHeadBytes: 2_048, maxHeaders: 30 };

export const REQUESTS: readonly string[] = REQUEST_FRAMINGS.map(({ send }) =>
  (send.length > 4_096 ? send.slice(0, 512) : send).replaceAll("§", "shop.example.com"),
);
export const HTTP_WORDS: readonly string[] = [
  "\r\n",
  "\r\n\r\n",
  "\n",
  "\r",
  "\0",
  " ",
  "\t",
  ":",
  ";",
  ",",
  "0\r\n\r\n",
  "Content-Length: 5\r\n",
  "Content-Length: 0\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Transfer-Encoding: ",
  "chunked",
  "Connection: close\r\n",
  "Connection: Upgrade\r\nUpgrade: websocket\r\n",
  "Expect: 100-continue\r\n",
  "Host: shop.example.com\r\n",
  "HTTP/1.0",
  "HTTP/1.1 200 OK\r\n",
  "HTTP/1.1 100 Continue\r\n\r\n",
  "GET / HTTP/1.1\r\n",
  "POST /a HTTP/1.1\r\nHost: shop.example.com\r\n",
  "HEAD / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n",
  "5\r\nhello\r\n",
  "ffffffffffffffff",
  "X: y\r\n",
  MARKER.replaceAll("§", "shop.example.com"),
];
const RESPONSES: readonly string[] = [
  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
  "HTTP/1.0 404 Not Found\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
  "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
  "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
];

/** Requests: however they are cut, they are read the same, or refused with the same error of the catalogue. */
const requests: FuzzTarget = {
  name: "requests",
  run(random, say) {
    const text = mutate(random, random.pick(REQUESTS), HTTP_WORDS, REQUESTS);
    say(text);
    readSameInPieces(random, text, () => new RequestHead());
  },
};

const responses: FuzzTarget = {
  name: "responses",
  run(random, say) {
    const text = mutate(random, random.pick(RESPONSES), HTTP_WORDS, RESPONSES);
    say(text);
    readSameInPieces(random, text, () => new ResponseHead());
  },
};

/** NATS messages: none stops the feed, and none brings a line break into a head. */
const messages: FuzzTarget = {
  name: "messages",
  async run(random, say) {
    const clock = createManualClock();
    const log = silentLogger;
    const bus = createMemoryBus({ log, clock });
    const config = routerConfigFrom(loadConfig([routerSection], {}).get(routerSection));
    const table = createTable(createRoutePrograms({ config, log }));
    const feed = createClassicFeed({
      bus,
      table,
      log,
      clock,
      config: CLASSIC_FEED_DEFAULTS,
    });
    await feed.start();
    const sent: string[] = [];
    for (let n = 1 + random.below(4); n > 0; n--) {
      const body = anyMessage(random);
      sent.push(body);
      say(sent);
      bus.publish(
        random.oneIn(4) ? SUBJECTS.routerUnregister : SUBJECTS.routerRegister,
        Buffer.from(body, "latin1"),
      );
      await bus.flush();
    }
    const good = { host: "127.0.0.1", port: 1, uris: ["still-here.example.com"] };
    bus.publish(SUBJECTS.routerRegister, Buffer.from(JSON.stringify(good)));
    await bus.flush();
    for (const host of ["shop.example.com", "still-here.example.com", ""]) {
      for (const { headerLines } of table.lookup(host, "/")?.attachment.candidates ?? []) {
        assert.match(headerLines, /^(?:[A-Za-z-]+: [\x20-\x7e]*\r\n)*$/);
      }
    }
    assert.notEqual(table.lookup("still-here.example.com", "/"), null);
    await feed.stop();
    await bus.close();
  },
};

/** Access log: a line is one line of printable text, and reading its quoted fields gives the same number of them. */
const accessLog: FuzzTarget = {
  name: "access-log",
  run(random, say) {
    const format = createAccessLogFormatter({
      extraHeaders: ["x-one", "X-Two"],
      extraFields: ["backend_time", "local_address"],
      redactQueryParams: random.pick(["none", "all", "hash"] as const),
    });
    const text = () => anyText(random);
    const changes = {
      // Printed as it is, as upstream does; the parser lets nothing else through.
      host: text().replaceAll(/[^!$%&'()*+\-.:;=[\]_~0-9A-Za-z]/g, ""),
      method: random.pick(["GET", "POST"]),
      target: text(),
      referer: text(),
      userAgent: text(),
      forwardedFor: text(),
      forwardedProto: text(),
      instanceId: text(),
      routerError: text().replaceAll(/[^\x20-\x7e]/g, "?"),
    };
    say(changes);
    const plain = format({ ...RECORD, requestHeader: () => "x" });
    const line = format({ ...RECORD, ...changes, requestHeader: () => changes.userAgent });
    // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
    assert.doesNotMatch(line, /[\x00-\x1f\x7f]/);
    const names = (of: string) =>
      [...of.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""').matchAll(/ ([a-z0-9_]+):/g)].map((match) => match[1]);
    const withoutHost = (of: string, host: string) => of.slice(host.length);
    assert.deepEqual(
      names(withoutHost(line, changes.host)).filter((name) => name !== "x_cf_routererror"),
      names(withoutHost(plain, RECORD.host)).filter((name) => name !== "x_cf_routererror"),
    );
  },
};

export const TARGETS: readonly FuzzTarget[] = [
  requests,
  responses,
  messages,
  accessLog,
  HTTP2_TARGET,
  TLS_TARGET,
  ...HEADER_TARGETS,
];

// === readers ===

interface Reading {
  readonly seen: readonly string[];
  readonly error: string;
}

function readSameInPieces(random: Random, text: string, newHead: () => RequestHead | ResponseHead): void {
  const whole = readAll([text], newHead);
  assert.deepEqual(readAll(cut(random, text), newHead), whole);
  assert.deepEqual(readAll([...text], newHead), whole);
}

/** All messages of a connection, as a router would take them. */
function readAll(pieces: readonly string[], newHead: () => RequestHead | ResponseHead): Reading {
  const head = newHead();
  const body = new BodyReader();
  const seen: string[] = [];
  let inBody = false;
  let text = "";
  let data = "";
  try {
    for (const piece of pieces) {
      const isHeld = head.heldLength > 0;
      text += piece;
      for (let isFirst = true; ; isFirst = false) {
        if (!inBody) {
          if (text === "") break;
          const isComplete =
            isFirst && isHeld ? head.parseMore(piece, NAMES, LIMITS) : head.parse(text, 0, NAMES, LIMITS);
          if (!isComplete) break;
          assert.equal(head.text, text, "it is what has come");
          seen.push(text.slice(head.start, head.end));
          if (head instanceof ResponseHead && head.status < 200) body.startNone();
          else if (head.chunked) body.startChunked();
          else body.startLength(Math.max(head.contentLength, 0));
          text = text.slice(head.end);
          data = "";
          inBody = true;
        }
        const bytes = Buffer.from(text, "latin1");
        let at = 0;
        while (at < bytes.length && !body.done) {
          at = body.step(bytes, at, bytes.length);
          assert.ok(body.dataStart <= body.dataEnd && body.dataEnd <= at && at <= bytes.length);
          data += bytes.toString("latin1", body.dataStart, body.dataEnd);
        }
        text = text.slice(at);
        if (!body.done) break;
        seen.push(`[${data}]${body.trailers}`);
        inBody = false;
      }
    }
    return { seen, error: "" };
  } catch (error) {
    assert.ok(error instanceof ViaductError, `outside the catalogue: ${String(error)}`);
    assert.equal(error.source, "client");
    return { seen, error: error.code };
  }
}

// === inputs ===

const MESSAGE = {
  host: "10.0.0.1",
  port: 61_001,
  tls_port: 0,
  uris: ["shop.example.com", "shop.example.com/a"],
  app: "11111111-2222-3333-4444-555555555555",
  private_instance_id: "instance-0",
  private_instance_index: "0",
  server_cert_domain_san: "",
  protocol: "http1",
  tags: { component: "app" },
  stale_threshold_in_seconds: 120,
  route_service_url: "",
  isolation_segment: "",
  availability_zone: "z1",
  endpoint_updated_at_ns: 1_700_000_000_000_000_000,
  options: { loadbalancing: "least-connection" },
};
const MESSAGE_WORDS: readonly string[] = [
  '"',
  "{",
  "}",
  "[",
  "]",
  "null",
  "-1",
  "1e999",
  "99999999999999999999",
  "\\r\\n",
  "\\u010d\\u010a",
  "\\ud800",
  "\0",
  "__proto__",
  "constructor",
  '"uris":["/","*","","//","*.*"],',
  '"options":{"loadbalancing":{}},',
  "https://",
  "é",
];
const VALUES: readonly unknown[] = [
  "",
  "a\r\nX-Evil: 1",
  "\u010d\u010aX-Evil: 1",
  "*.example.com",
  "/",
  "x".repeat(2_000),
  0,
  -1,
  65_536,
  1.5,
  1e300,
  null,
  true,
  [],
  {},
  [null],
  { a: { b: [] } },
];

function anyMessage(random: Random): string {
  const fields: Record<string, unknown> = { ...MESSAGE };
  for (let n = random.below(4); n > 0; n--) fields[random.pick(Object.keys(fields))] = random.pick(VALUES);
  const text = Buffer.from(JSON.stringify(fields)).toString("latin1");
  return random.oneIn(2) ? text : mutate(random, text, MESSAGE_WORDS, [text]);
}

function anyText(random: Random): string {
  let out = "";
  for (let n = random.below(20); n > 0; n--) {
    out += random.oneIn(3)
      ? random.pick(['"', "\\", "\r", "\n", " ", "-", "é", "\xc3\xa9", "\xe2\x80\xa8", "a:b", ' x:"y"'])
      : String.fromCharCode(random.below(256));
  }
  return out;
}

const RECORD: AccessLogRecord = {
  host: "shop.example.com",
  startedAtMs: 0,
  method: "GET",
  target: "/",
  protocol: "HTTP/1.1",
  status: 200,
  requestBodyBytes: 0,
  responseBodyBytes: 0,
  referer: "",
  userAgent: "",
  clientAddress: "10.0.0.9:51842",
  endpointAddress: "10.0.1.5:61001",
  forwardedFor: "",
  forwardedProto: "",
  requestId: "645e4784-879d-4068-761d-a9942fdc40c0",
  responseTimeMs: 1,
  routerTimeMs: 1,
  appGuid: "",
  instanceIndex: "0",
  instanceId: "",
  routerError: "",
  backendTimeMs: 1,
  dialTimeMs: 1,
  dnsTimeMs: 1,
  tlsTimeMs: 1,
  localAddress: "",
  failedAttempts: 0,
  failedAttemptsTimeMs: 0,
  requestHeader: () => undefined,
};
