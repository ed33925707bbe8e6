/**
 * Heads of every shape, mostly right, at every limit and cut at every byte, against a reader that only splits lines:
 * slow, obvious, and of another hand than the parser.
 */
import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { ViaductError } from "../../kernel/index.ts";
import { HeaderNames, type HeadLimits, RequestHead, ResponseHead, SAID_CLOSE } from "./index.ts";

const NAMES = new HeaderNames(["x-known"]);
const RUNS = 1_500;

// === the judge ===

interface Facts {
  readonly startLine: readonly (string | number)[];
  readonly fields: readonly (readonly [string, string])[];
  readonly end: number;
  readonly contentLength: number;
  readonly chunked: boolean;
  readonly keepsAlive: boolean;
  readonly isWebsocket: boolean;
  readonly isContinueExpected: boolean;
}

const FIELD = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[\t ]*([\t\x20-\x7e\x80-\xff]*?)[\t ]*$/;
const TARGET =
  /^(?:\/[!"$-~\x80-\xff]*|\*|https?:\/\/[!$%&'()*+\-.:;=[\]_~0-9A-Za-z]+(?:[/?][!"$-~\x80-\xff]*)?)$/i;

/** Null when this is no head, not a whole one, or one beyond the limits. */
function judge(text: string, kind: "request" | "response", limits: HeadLimits): Facts | null {
  const skipped = kind === "request" && text.startsWith("\r\n") ? 2 : 0;
  const end = text.indexOf("\r\n\r\n", skipped) + 4;
  if (end === 3 || end - skipped > limits.maxHeadBytes) return null;
  const [startLine = "", ...lines] = text.slice(skipped, end - 4).split("\r\n");
  if (limits.maxHeaders !== 0 && lines.length > limits.maxHeaders) return null;
  const read = kind === "request" ? judgeRequestLine(startLine) : judgeStatusLine(startLine);
  if (read === null) return null;
  const fields: [string, string][] = [];
  for (const line of lines) {
    const [, name, value] = FIELD.exec(line) ?? [];
    if (name === undefined || value === undefined) return null;
    fields.push([name, value]);
  }
  const valuesOf = (wanted: string) =>
    fields.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => value);
  const lengths = valuesOf("content-length");
  const codings = valuesOf("transfer-encoding");
  const isOld = read.at(-1) === 0;
  if (lengths.some((value) => !/^[0-9]{1,15}$/.test(value)) || new Set(lengths.map(Number)).size > 1)
    return null;
  if (codings.length > 1 || (codings.length === 1 && (isOld || codings[0]?.toLowerCase() !== "chunked")))
    return null;
  if (codings.length > 0 && lengths.length > 0) return null;
  const hosts = valuesOf("host");
  if (
    kind === "request" &&
    (hosts.length > 1 || !/^[!$%&'()*+\-.:;=[\]_~0-9A-Za-z]*$/.test(hosts[0] ?? ""))
  ) {
    return null;
  }
  const said = valuesOf("connection").flatMap((value) =>
    value.split(",").map((name) => name.replaceAll(/^[\t ]+|[\t ]+$/g, "").toLowerCase()),
  );
  return {
    startLine: read,
    fields,
    end,
    contentLength: lengths.length === 0 ? -1 : Number(lengths[0]),
    chunked: codings.length === 1,
    keepsAlive: !said.includes("close") && (!isOld || said.includes("keep-alive")),
    isWebsocket: valuesOf("upgrade").at(-1)?.toLowerCase() === "websocket",
    isContinueExpected:
      kind === "request" && !isOld && valuesOf("expect").at(-1)?.toLowerCase() === "100-continue",
  };
}

function judgeRequestLine(line: string): (string | number)[] | null {
  const parts = line.split(" ");
  const [method = "", target = "", version = ""] = parts;
  if (parts.length !== 3 || !/^HTTP\/1\.[01]$/.test(version)) return null;
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(method) || method === "CONNECT") return null;
  if (!TARGET.test(target) || (target === "*" && method !== "OPTIONS")) return null;
  return [method, target, Number(version.at(-1))];
}

function judgeStatusLine(line: string): (string | number)[] | null {
  const [, minor, status] =
    /^HTTP\/1\.([01]) ([1-9][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?$/.exec(line) ?? [];
  return status === undefined ? null : [Number(status), Number(minor)];
}

// === what is made ===

const often = <T>(usual: fc.Arbitrary<T>, unusual: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 12, arbitrary: usual }, { weight: 1, arbitrary: unusual });
const visible = fc.string({
  unit: fc.constantFrom(..."abcXYZ019-._~!$&'()*+;=:@/?%[]\xe9".split("")),
  maxLength: 90,
});
const inAnyCase = (text: string) =>
  fc.array(fc.boolean(), { minLength: text.length, maxLength: text.length }).map((upper) =>
    text
      .split("")
      .map((char, i) => (upper[i] === true ? char.toUpperCase() : char))
      .join(""),
  );
const known: readonly (readonly [string, fc.Arbitrary<string>])[] = [
  ["host", often(fc.constantFrom("a.example.com", "[::1]:80", ""), visible)],
  [
    "content-length",
    often(
      fc.constantFrom("0", "5", "05", "123456789012345"),
      fc.constantFrom("", "+5", "5,5", "1234567890123456"),
    ),
  ],
  ["transfer-encoding", often(inAnyCase("chunked"), fc.constantFrom("gzip", "gzip, chunked", "chunked,"))],
  [
    "connection",
    fc
      .array(fc.constantFrom("close", "Keep-Alive", " upgrade", "x-a ", "", "\t"), { maxLength: 4 })
      .map((names) => names.join(",")),
  ],
  ["upgrade", fc.constantFrom("websocket", "WebSocket", "h2c", "websocket, h2c")],
  ["expect", fc.constantFrom("100-continue", "100-Continue", "200-ok")],
  ["x-known", visible],
];
const field = fc
  .oneof(
    ...known.map(([name, value]) => fc.tuple(inAnyCase(name), value)),
    fc.tuple(
      fc.string({ unit: fc.constantFrom(..."abX9-_".split("")), minLength: 1, maxLength: 20 }),
      visible,
    ),
  )
  .chain(([name, value]) =>
    fc
      .tuple(fc.constantFrom("", " ", "\t "), fc.constantFrom("", " ", " \t"))
      .map(([before, after]) => `${name}:${before}${value}${after}`),
  );
const requestLine = fc
  .tuple(
    fc.constantFrom("", "", "", "\r\n"),
    often(
      fc.constantFrom("GET", "POST", "OPTIONS", "PUT", "HEAD"),
      fc.constantFrom("CONNECT", "", "G", "m|x"),
    ),
    often(
      visible.map((text) => `/${text.replaceAll("#", "")}`),
      fc.constantFrom("*", "http://a", "HTTPS://a:1?b", "http://a@b/", "x", ""),
    ),
    often(
      fc.constantFrom("HTTP/1.1", "HTTP/1.0"),
      fc.constantFrom("HTTP/2.0", "HTTP/1.10", "http/1.1", "HTTP/1."),
    ),
  )
  .map(([before, ...parts]) => before + parts.join(" "));
const statusLine = fc
  .tuple(
    often(fc.constantFrom("HTTP/1.1 ", "HTTP/1.0 "), fc.constantFrom("HTTP/1.2 ", "HTTP/1.1", " HTTP/1.1 ")),
    often(fc.constantFrom("200", "304", "101", "999"), fc.constantFrom("099", "20", "2000", "")),
    fc.constantFrom("", " ", " OK", " Not  Found\t"),
  )
  .map((parts) => parts.join(""));

/** One byte of it may be another one, or missing: where a parser that jumps ahead would not look. */
const spoiled = (whole: fc.Arbitrary<string>) =>
  fc
    .tuple(
      whole,
      fc.nat(),
      fc.constantFrom<string | null>(
        ...Array.from({ length: 12 }, () => null),
        "",
        "\r",
        "\n",
        "\0",
        " ",
        "\t",
        ":",
        "\x7f",
        "\xff",
        "#",
      ),
    )
    .map(([text, at, odd]) => {
      const place = at % text.length;
      return odd === null ? text : text.slice(0, place) + odd + text.slice(place + 1);
    });
const message = (startLine: fc.Arbitrary<string>) =>
  spoiled(
    fc
      .tuple(
        startLine,
        fc.array(field, { maxLength: 5 }),
        fc.constantFrom("", "body", "\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"),
      )
      .map(([first, lines, rest]) => `${[first, ...lines].join("\r\n")}\r\n\r\n${rest}`),
  );
/** Around the exact size of the head, and of the number of its lines. */
const limitsOf = (text: string) => {
  const end = text.indexOf("\r\n\r\n", 2) + 4;
  const lines = text.slice(0, end - 4).split("\r\n").length - 1;
  const near = (exact: number) => fc.constantFrom(1_000_000, exact - 1, exact, exact + 1, exact - 2);
  return fc.record({ maxHeadBytes: near(end), maxHeaders: near(lines).map((count) => Math.max(count, 0)) });
};

// === the parser ===

type Outcome = Facts | "more" | "refused";

function parse(head: RequestHead | ResponseHead, pieces: readonly string[], limits: HeadLimits): Outcome {
  head.forget();
  try {
    for (const piece of pieces) {
      const isWhole =
        head.heldLength > 0 ? head.parseMore(piece, NAMES, limits) : head.parse(piece, 0, NAMES, limits);
      if (isWhole) return factsOf(head);
    }
    return "more";
  } catch (error) {
    assert.ok(error instanceof ViaductError && error.source === "client", String(error));
    return "refused";
  }
}

function factsOf(head: RequestHead | ResponseHead): Facts {
  const isRequest = head instanceof RequestHead;
  assert.equal((head.connection & SAID_CLOSE) !== 0 && head.keepsAlive, false);
  return {
    startLine: isRequest ? [head.method, head.target, head.minorVersion] : [head.status, head.minorVersion],
    fields: Array.from({ length: head.lineCount }, (_, i) => [head.name(i), head.value(i)] as const),
    end: head.end,
    contentLength: head.contentLength,
    chunked: head.chunked,
    keepsAlive: head.keepsAlive,
    isWebsocket: head.upgradesToWebsocket,
    isContinueExpected: isRequest && head.expectsContinue,
  };
}

for (const { kind, startLine, create } of [
  { kind: "request", startLine: requestLine, create: () => new RequestHead() },
  { kind: "response", startLine: statusLine, create: () => new ResponseHead() },
] as const) {
  test(`a ${kind} is read as an obvious reader reads it, at every limit and wherever it is cut`, () => {
    // One object for all, as on a connection.
    const head = create();
    let good = 0;
    const given = message(startLine).chain((text) => fc.tuple(fc.constant(text), limitsOf(text)));
    fc.assert(
      fc.property(given, ([text, limits]) => {
        const want = judge(text, kind, limits);
        const whole = parse(head, [text], limits);
        if (want === null) assert.equal(typeof whole, "string", JSON.stringify(text));
        else {
          assert.deepEqual(whole, want);
          good++;
        }
        for (let at = 1; at < text.length; at++) {
          assert.deepEqual(parse(head, [text.slice(0, at), text.slice(at)], limits), whole, `cut at ${at}`);
        }
        assert.deepEqual(parse(head, text.split(""), limits), whole, "cut at every byte");
      }),
      { numRuns: RUNS },
    );
    assert.ok(good > RUNS / 10, `only ${good} valid heads were made: the property says little`);
  });
}
