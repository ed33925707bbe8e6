import assert from "node:assert/strict";
import { createServer, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { once } from "node:events";
import test from "node:test";
import * as fc from "fast-check";
import { ViaductError } from "../../kernel/index.ts";
import {
  absoluteForm,
  HeaderNames,
  type HeadLimits,
  RequestHead,
  ResponseHead,
  SAID_CLOSE,
  SAID_KEEP_ALIVE,
  SAID_OTHERS,
  SAID_UPGRADE,
} from "./index.ts";

const NAMES = new HeaderNames(["x-known"]);
const LIMITS: HeadLimits = { maxHeadBytes: 4_096, maxHeaders: 20 };

type Outcome = { readonly [field: string]: unknown } | "more" | `error ${string}`;

/** What one parse, or a parse of growing pieces, comes to. */
function parseInPieces(pieces: readonly string[], limits = LIMITS): Outcome {
  const head = new RequestHead();
  let text = "";
  try {
    for (const piece of pieces) {
      text += piece;
      const isComplete =
        head.heldLength > 0 ? head.parseMore(piece, NAMES, limits) : head.parse(text, 0, NAMES, limits);
      if (isComplete) return describe(head, text);
      assert.equal(head.heldLength, text.length);
    }
    return "more";
  } catch (error) {
    assert.ok(error instanceof ViaductError, `outside the catalogue: ${String(error)}`);
    assert.equal(error.source, "client");
    assert.equal(error.retry, "never");
    return `error ${error.code}`;
  }
}

function describe(head: RequestHead, text: string) {
  return {
    method: head.method,
    target: head.target,
    minorVersion: head.minorVersion,
    lines: Array.from({ length: head.lineCount }, (_, i) => [head.name(i), head.value(i)]),
    linesAsSent: Array.from({ length: head.lineCount }, (_, i) =>
      text.slice(head.nameStart(i), head.lineEnd(i)),
    ),
    contentLength: head.contentLength,
    chunked: head.chunked,
    connection: head.connection,
    expectsContinue: head.expectsContinue,
    host: head.hostLine === -1 ? null : head.value(head.hostLine),
    end: head.end,
  };
}

test("a head is read into offsets that give back every byte of it", () => {
  const text =
    "GET /a?b HTTP/1.1\r\nHost: shop.example.com:80\r\nX-Known:\t two words \r\nEmpty:\r\n" +
    "Connection: keep-alive, Upgrade, X-Q\r\nContent-Length: 007\r\nExpect: 100-Continue\r\n\r\nbody";
  assert.deepEqual(parseInPieces([text]), {
    method: "GET",
    target: "/a?b",
    minorVersion: 1,
    lines: [
      ["Host", "shop.example.com:80"],
      ["X-Known", "two words"],
      ["Empty", ""],
      ["Connection", "keep-alive, Upgrade, X-Q"],
      ["Content-Length", "007"],
      ["Expect", "100-Continue"],
    ],
    linesAsSent: [
      "Host: shop.example.com:80\r\n",
      "X-Known:\t two words \r\n",
      "Empty:\r\n",
      "Connection: keep-alive, Upgrade, X-Q\r\n",
      "Content-Length: 007\r\n",
      "Expect: 100-Continue\r\n",
    ],
    contentLength: 7,
    chunked: false,
    connection: SAID_KEEP_ALIVE | SAID_UPGRADE | SAID_OTHERS,
    expectsContinue: true,
    host: "shop.example.com:80",
    end: text.length - "body".length,
  });
});

test("names are recognised in any case, and only whole", () => {
  const head = new RequestHead();
  head.parse("GET / HTTP/1.1\r\nX-KNOWN: 1\r\nx-known2: 2\r\nX-Knowm: 3\r\n\r\n", 0, NAMES, LIMITS);
  assert.deepEqual([head.nameId(0), head.nameId(1), head.nameId(2)], [NAMES.id("x-known"), 0, 0]);
  assert.equal(NAMES.id("never-heard-of"), 0);
});

test("several lines of one name are one list; an absent name is undefined", () => {
  const head = new RequestHead();
  head.parse("GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\na: 3\r\n\r\n", 0, NAMES, LIMITS);
  assert.equal(head.get("a"), "1, 3");
  assert.equal(head.get("c"), undefined);
});

test("a head object forgets the message before", () => {
  const head = new RequestHead();
  head.parse(
    "POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n",
    0,
    NAMES,
    LIMITS,
  );
  head.parse("GET /x HTTP/1.1\r\n\r\n", 0, NAMES, LIMITS);
  assert.deepEqual(describe(head, head.text), {
    method: "GET",
    target: "/x",
    minorVersion: 1,
    lines: [],
    linesAsSent: [],
    contentLength: -1,
    chunked: false,
    connection: 0,
    expectsContinue: false,
    host: null,
    end: 19,
  });
});

for (const { name, text, want } of [
  { name: "one empty line before the request is skipped", text: "\r\nGET / HTTP/1.1\r\n\r\n", want: /^\{/ },
  {
    name: "two empty lines are not",
    text: "\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    want: "error request_line_invalid",
  },
  {
    name: "LF alone is refused at once, without waiting for the end",
    text: "GET / HTTP/1.1\n",
    want: "error bare_line_feed",
  },
  {
    name: "LF in place of the version's last digit is what is refused, also when more has come",
    text: "GET / HTTP/1.\n\r\nGET / HTTP/1.1\r\n\r\n",
    want: "error bare_line_feed",
  },
  { name: "a head of exactly the limit is read", text: headOf(4_096), want: /^\{/ },
  { name: "one byte more is refused", text: headOf(4_097), want: "error head_too_large" },
  {
    name: "so is a head that has no end within the limit",
    text: "x".repeat(4_097),
    want: "error head_too_large",
  },
  {
    name: "as many lines as allowed are read",
    text: `GET / HTTP/1.1\r\n${"a: b\r\n".repeat(20)}\r\n`,
    want: /^\{/,
  },
  {
    name: "one more is refused",
    text: `GET / HTTP/1.1\r\n${"a: b\r\n".repeat(21)}\r\n`,
    want: "error too_many_headers",
  },
  {
    name: "a repeated equal length is one length",
    text: "GET / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
    want: /^\{/,
  },
  {
    name: "an HTTP/2 preface names its version",
    text: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    want: "error version_unsupported",
  },
  {
    name: "bytes from 0x80 may stand in targets and values",
    text: "GET /\xe4 HTTP/1.1\r\nA: \xff\r\n\r\n",
    want: /^\{/,
  },
]) {
  test(name, () => {
    const outcome = parseInPieces([text]);
    if (typeof want === "string") assert.equal(outcome, want);
    else assert.match(JSON.stringify(outcome), want);
  });
}

for (const { target, want } of [
  { target: "http://a.example.com", want: { authority: "a.example.com", path: "/" } },
  { target: "HTTPS://a.example.com:8443/x?y", want: { authority: "a.example.com:8443", path: "/x?y" } },
  { target: "http://a.example.com?q", want: { authority: "a.example.com", path: "/?q" } },
  { target: "http://user@a.example.com/", want: null },
  { target: "http:///x", want: null },
  { target: "ftp://a.example.com/", want: null },
]) {
  test(`the absolute target ${target} is ${JSON.stringify(want)}`, () =>
    assert.deepEqual(absoluteForm(target), want));
}

for (const { line, status } of [
  { line: "HTTP/1.1 200 OK", status: 200 },
  { line: "HTTP/1.0 404", status: 404 },
  { line: "HTTP/1.1 999 \xff odd", status: 999 },
  { line: "HTTP/1.1 099 low", status: null },
  { line: "HTTP/1.1 20 short", status: null },
  { line: "HTTP/1.1 2000 long", status: null },
  { line: "HTTP/1.1  200 two spaces", status: null },
  { line: "HTTP/2 200 OK", status: null },
  { line: "ICY 200 OK", status: null },
]) {
  test(`the status line «${line}» is ${status ?? "refused"}`, () => {
    const head = new ResponseHead();
    const parse = () => head.parse(`${line}\r\nA: b\r\n\r\n`, 0, NAMES, LIMITS);
    if (status === null) assert.throws(parse, ViaductError);
    else {
      assert.equal(parse(), true);
      assert.equal(head.status, status);
    }
  });
}

test("an answer of HTTP/1.0 persists only when it says so", () => {
  const head = new ResponseHead();
  for (const [lines, want] of [
    ["HTTP/1.1 200 OK", true],
    ["HTTP/1.1 200 OK\r\nConnection: Close", false],
    ["HTTP/1.0 200 OK", false],
    ["HTTP/1.0 200 OK\r\nConnection: keep-alive", true],
  ] as const) {
    head.parse(`${lines}\r\n\r\n`, 0, NAMES, LIMITS);
    assert.equal(head.keepsAlive, want, lines);
  }
  assert.equal(head.connection & SAID_CLOSE, 0);
});

// === properties ===

/** Heads that are mostly right, with a chance of something odd at every place. */
const oddities = fc.oneof(
  { weight: 25, arbitrary: fc.constant("") },
  {
    weight: 1,
    arbitrary: fc.constantFrom(" ", "\t", "\0", "\r", "\n", "\r\n", ":", "\x7f", "\xe9", "#", "@", ","),
  },
);
const names = fc.constantFrom(
  "Host",
  "Content-Length",
  "Transfer-Encoding",
  "Connection",
  "X-Known",
  "Accept",
  "Upgrade",
);
const values = fc.constantFrom(
  "a.example.com",
  "5",
  "5",
  "6",
  "chunked",
  "gzip",
  "close",
  "keep-alive, upgrade",
  "",
  "x y",
);
const line = fc
  .tuple(names, oddities, fc.constantFrom(":", ": ", ":\t"), oddities, values, oddities)
  .map((parts) => parts.join(""));
const requestText = fc
  .tuple(
    fc.constantFrom("GET", "POST", "OPTIONS", "CONNECT", "G"),
    oddities,
    fc.constantFrom("/", "/a?b", "*", "http://a/b", "x"),
    oddities,
    fc.constantFrom("HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/1.10"),
    fc.array(line, { maxLength: 6 }),
    fc.constantFrom("\r\n\r\n", "\r\n\r\n", "\r\n", "\n\n", ""),
    fc.constantFrom("", "body", "\r\n\r\n"),
  )
  .map(
    ([method, odd, target, odd2, version, lines, end, rest]) =>
      `${[`${method} ${odd}${target}${odd2} ${version}`, ...lines].join("\r\n")}${end}${rest}`,
  );

test("however the bytes are cut, the result is the same, and nothing is thrown outside the catalogue", () => {
  fc.assert(
    fc.property(
      requestText,
      fc.array(fc.nat(60), { maxLength: 8 }),
      fc.constantFrom(40, 4_096),
      (text, cuts, maxHeadBytes) => {
        const limits = { maxHeadBytes, maxHeaders: 4 };
        const whole = parseInPieces([text], limits);
        assert.deepEqual(parseInPieces(cut(text, cuts), limits), whole);
        assert.deepEqual(parseInPieces([...text], limits), whole);
      },
    ),
    { numRuns: 500 },
  );
});

test("each line of a head in pieces is read once, and a wrong one refused without waiting for the end", () => {
  let reads = 0;
  const names = new (class extends HeaderNames {
    override find(bytes: Uint8Array, start: number, end: number): number {
      reads++;
      return super.find(bytes, start, end);
    }
  })(["x-known"]);
  const lines = Array.from({ length: 500 }, (_, i) => `X-Known: ${i}\r\n`);
  const limits = { maxHeadBytes: 1 << 20, maxHeaders: 0 };
  const head = new RequestHead();
  head.parse("GET / HTTP/1.1\r\n", 0, names, limits);
  for (const each of lines) assert.equal(head.parseMore(each, names, limits), false);
  assert.equal(head.parseMore("\r\nbody", names, limits), true);
  assert.equal(reads, lines.length);
  assert.equal(head.value(499), "499");
  assert.equal(head.text.slice(head.end), "body");
  assert.equal(head.heldLength, 0);

  head.parse("GET / HTTP/1.1\r\nA: b\r\nWro", 0, names, limits);
  assert.throws(
    () => head.parseMore("ng line\r\nC: d\r\n", names, limits),
    (error: ViaductError) => error.code === "header_name_invalid",
  );
});

test("a long line in short pieces is held in one", () => {
  const head = new RequestHead();
  const limits = { maxHeadBytes: 1 << 20, maxHeaders: 0 };
  head.parse("GET / HTTP/1.1\r\nX: ", 0, NAMES, limits);
  for (let i = 0; i < 20_000; i++) head.parseMore("xy", NAMES, limits);
  assert.equal(head.heldLength, 40_019);
  assert.equal(head.parseMore("\r\n\r\n", NAMES, limits), true);
  assert.equal(head.value(0), "xy".repeat(20_000));
});

for (const { name, pieces, want } of [
  {
    name: "a long value in pieces is good up to its end, white space cut off",
    pieces: ["GET / HTTP/1.1\r\nA", ": \tb", "cd", "e f ", " \r", "\n\r\n"],
    want: "bcde f",
  },
  {
    name: "a control character in a later piece is refused when the line has come",
    pieces: ["GET / HTTP/1.1\r\nA: b", "c\0", "d", "\r\n\r\n"],
    want: "error header_value_invalid",
  },
  {
    name: "a CR in a later piece is no end",
    pieces: ["GET / HTTP/1.1\r\nA: b", "c\r", "d", "\r\n\r\n"],
    want: "error header_value_invalid",
  },
  {
    name: "a second space behind a target in pieces is refused",
    pieces: ["GET /", "a", "b c", "d", " HTTP/1.1\r\n\r\n"],
    want: "error request_line_invalid",
  },
  {
    name: "more names in Connection than anybody needs are refused",
    pieces: [`GET / HTTP/1.1\r\nConnection: ${"a,".repeat(1_001)}`, "\r\n\r\n"],
    want: "error connection_names_too_many",
  },
]) {
  test(name, () => {
    const outcome = parseInPieces(pieces);
    assert.equal(typeof outcome === "string" ? outcome : (outcome["lines"] as string[][])[0]?.[1], want);
    assert.deepEqual(parseInPieces([pieces.join("")]), outcome);
  });
}

test("a head that is cut short has the lines that have ended", () => {
  const head = new RequestHead();
  head.parse("GET /a HTTP/1.1\r\nHost: shop.exa", 0, NAMES, LIMITS);
  head.parseMore("mple.com\r\nX-Known: 1\r\nCooki", NAMES, LIMITS);
  head.cutShort();
  const { method, target, host, lines } = describe(head, head.text) as Record<string, unknown>;
  assert.deepEqual(
    { method, target, host, lines },
    {
      method: "GET",
      target: "/a",
      host: "shop.example.com",
      lines: [
        ["Host", "shop.example.com"],
        ["X-Known", "1"],
      ],
    },
  );
  assert.equal(head.heldLength, 0);
});

test("a released head keeps an ordinary message and lets go of an unusual one", () => {
  const head = new RequestHead();
  const ordinary = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
  head.parse(ordinary, 0, NAMES, LIMITS);
  assert.equal(head.release(), false);
  assert.equal(head.target, "/a");
  const unusual = `GET /a HTTP/1.1\r\n${"X: y\r\n".repeat(5_000)}\r\n`;
  head.parse(unusual, 0, NAMES, { maxHeadBytes: 100_000, maxHeaders: 0 });
  assert.equal(head.release(), true);
  assert.deepEqual([head.text, head.method, head.target, head.lineCount], ["", "", "", 0]);
  assert.equal(head.parse(ordinary, 0, NAMES, LIMITS), true);
  assert.equal(head.value(0), "a");
});

test("random bytes are refused or waited for, never misread", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const text = Buffer.from(bytes).toString("latin1");
      const outcome = parseInPieces([text]);
      assert.equal(typeof outcome, "string");
    }),
  );
});

test("agrees with a slow and obvious reader of the same grammar", () => {
  let agreed = 0;
  fc.assert(
    fc.property(requestText, (text) => {
      const outcome = parseInPieces([text], { maxHeadBytes: 4_096, maxHeaders: 0 });
      const want = readSlowly(text);
      if (want === null) assert.equal(typeof outcome, "string", JSON.stringify(text));
      else {
        assert.equal(typeof outcome, "object", `${String(outcome)} for ${JSON.stringify(text)}`);
        const { method, target, lines, contentLength, chunked } = outcome as Record<string, unknown>;
        assert.deepEqual({ method, target, lines, contentLength, chunked }, want);
        agreed++;
      }
    }),
    { numRuns: 1_000 },
  );
  assert.ok(agreed > 20, `only ${agreed} valid heads were made: the property says nothing`);
});

/** The judge: regular expressions over split lines. Null when it is no valid head, or not all of one. */
function readSlowly(given: string) {
  const text = given.startsWith("\r\n") ? given.slice(2) : given;
  const end = text.indexOf("\r\n\r\n");
  if (end === -1) return null;
  const [requestLine, ...lines] = text.slice(0, end).split("\r\n");
  const request = /^([!#$%&'*+\-.^_`|~\w]+) ([^\0-\x20\x7f#]+) HTTP\/1\.([01])$/.exec(requestLine ?? "");
  if (request === null) return null;
  const [, method = "", target = "", minor] = request;
  if (method === "CONNECT") return null;
  if (!target.startsWith("/") && !(target === "*" && method === "OPTIONS") && absoluteForm(target) === null)
    return null;
  const fields: [string, string][] = [];
  for (const each of lines) {
    // oxlint-disable-next-line no-control-regex
    const field = /^([!#$%&'*+\-.^_`|~\w]+):([\t\x20-\x7e\x80-\xff]*)$/.exec(each);
    if (field === null) return null;
    fields.push([field[1] ?? "", (field[2] ?? "").replaceAll(/^[ \t]+|[ \t]+$/g, "")]);
  }
  const all = (name: string) => fields.filter(([n]) => n.toLowerCase() === name).map(([, value]) => value);
  const hosts = all("host");
  if (hosts.length > 1 || hosts.some((host) => !/^[!$%&'()*+\-.:;=[\]_~0-9A-Za-z]*$/.test(host))) return null;
  const lengths = all("content-length");
  if (lengths.some((length) => !/^\d{1,15}$/.test(length)) || new Set(lengths.map(Number)).size > 1)
    return null;
  const codings = all("transfer-encoding");
  if (
    codings.length > 1 ||
    (codings.length === 1 && (minor === "0" || codings[0]?.toLowerCase() !== "chunked"))
  )
    return null;
  if (codings.length > 0 && lengths.length > 0) return null;
  return {
    method,
    target,
    lines: fields,
    contentLength: lengths.length === 0 ? -1 : Number(lengths[0]),
    chunked: codings.length === 1,
  };
}

test("reads valid requests as node:http does", async (t) => {
  const seen: IncomingMessage[] = [];
  const server = createServer({ keepAliveTimeout: 0 }, (request, response) => {
    seen.push(request);
    request.resume();
    response.end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const socket = connect(address.port, "127.0.0.1");
  socket.resume();
  t.after(() => {
    socket.destroy();
    server.close();
  });

  const token = fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,12}$/);
  const value = fc.stringMatching(/^(?:[!-~](?:[ -~]{0,20}[!-~])?)?$/);
  const requests = fc.sample(
    fc
      .tuple(
        fc.constantFrom("GET", "POST", "DELETE", "OPTIONS"),
        fc.stringMatching(/^\/[a-zA-Z0-9%?&=./_~-]{0,30}$/),
        fc.array(
          fc.tuple(
            token.map((name) => `x-${name}`),
            value,
          ),
          { maxLength: 8 },
        ),
        fc.nat(20),
      )
      .map(([method, target, fields, length]) => ({ method, target, fields, length })),
    100,
  );
  const texts = requests.map(
    ({ method, target, fields, length }) =>
      `${[`${method} ${target} HTTP/1.1`, "Host: a", ...fields.map(([n, v]) => `${n}:${v}`), `Content-Length: ${length}`].join("\r\n")}\r\n\r\n`,
  );
  socket.write(texts.map((text, i) => text + "b".repeat(requests[i]?.length ?? 0)).join(""), "latin1");
  while (seen.length < texts.length) await once(server, "request");

  for (const [i, text] of texts.entries()) {
    const theirs = seen[i];
    const head = new RequestHead();
    assert.equal(head.parse(text, 0, NAMES, { maxHeadBytes: 1 << 20, maxHeaders: 0 }), true);
    assert.ok(theirs !== undefined);
    assert.equal(head.method, theirs.method);
    assert.equal(head.target, theirs.url);
    assert.deepEqual(
      Array.from({ length: head.lineCount }, (_, line) => [head.name(line), head.value(line)]).flat(),
      theirs.rawHeaders,
    );
    assert.equal(String(head.contentLength), theirs.headers["content-length"]);
  }
});

function headOf(bytes: number): string {
  const frame = "GET / HTTP/1.1\r\nA: \r\n\r\n";
  return frame.replace("A: ", `A: ${"x".repeat(bytes - frame.length)}`);
}

function cut(text: string, steps: readonly number[]): string[] {
  const pieces: string[] = [];
  let at = 0;
  for (const step of steps) {
    pieces.push(text.slice(at, at + step));
    at += step;
  }
  return [...pieces, text.slice(at)];
}
