import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import * as fc from "fast-check";
import { logRecord as record } from "./access-log-samples.ts";
import { createAccessLogFormatter, formatAccessLogLine, quote } from "./access-log.ts";

const GUID = "645e4784-879d-4068-761d-a9942fdc40c0";

/** The nanoseconds of a double are not those one writes; the rest of the line is compared exactly. */
const withoutSubMillisecond = (line: string) => line.replace(/(\.\d{3})\d{6}Z\]/, "$1…]");

test("the line has gorouter's fields in gorouter's order", () => {
  assert.equal(
    withoutSubMillisecond(formatAccessLogLine(record())),
    'shop.example.com - [2026-11-21T10:15:30.123…] "GET /a?b=c HTTP/1.1" 200 0 51 "-" "curl/8.5.0" ' +
      '"10.0.0.9:51842" "10.0.1.5:61001" x_forwarded_for:"10.0.0.9" x_forwarded_proto:"http" ' +
      `vcap_request_id:"${GUID}" response_time:0.001234 gorouter_time:0.000210 app_id:"c1b0" app_index:"0" ` +
      'instance_id:"9a2f" x_cf_routererror:"-"',
  );
});

test("the timestamp has nine fractional digits and differs from the true time by less than a microsecond", () => {
  const second = Date.parse("2026-11-21T10:15:30Z");
  const cases: [number, string][] = [
    [second, "2026-11-21T10:15:30.000000000Z"],
    [second + 999, "2026-11-21T10:15:30.999000000Z"],
    [second + 1_000, "2026-11-21T10:15:31.000000000Z"],
    [second + 0.5, "2026-11-21T10:15:30.000500000Z"],
    [second - 1, "2026-11-21T10:15:29.999000000Z"],
  ];
  for (const [startedAtMs, want] of cases) {
    assert.ok(formatAccessLogLine(record({ startedAtMs })).includes(`[${want}]`), want);
  }
  const digits = /30\.(\d{9})Z/.exec(formatAccessLogLine(record()))?.[1];
  assert.ok(Math.abs(Number(digits) - 123_456_789) < 1_000, String(digits));
});

test("what is unknown is a dash in quotes, and the host is not", () => {
  assert.equal(
    formatAccessLogLine(
      record({
        host: "",
        startedAtMs: 0,
        status: 0,
        referer: "",
        userAgent: "",
        clientAddress: "",
        endpointAddress: "",
        forwardedFor: "",
        forwardedProto: "",
        requestId: "",
        responseTimeMs: -1,
        routerTimeMs: Number.NaN,
        appGuid: "",
        instanceIndex: "",
        instanceId: "",
      }),
    ),
    ' - [1970-01-01T00:00:00.000000000Z] "GET /a?b=c HTTP/1.1" "-" 0 51 "-" "-" "-" "-" ' +
      'x_forwarded_for:"-" x_forwarded_proto:"-" vcap_request_id:"-" response_time:"-" gorouter_time:"-" ' +
      'app_id:"-" app_index:"-" instance_id:"-" x_cf_routererror:"-"',
  );
});

for (const [ms, want] of [
  [0, "0.000000"],
  [0.0004, "0.000000"],
  [0.0006, "0.000001"],
  [999.9999, "1.000000"],
  [59_999.999, "59.999999"],
  [86_400_000, "86400.000000"],
] as const) {
  test(`${ms} ms are ${want} s`, () => {
    assert.ok(formatAccessLogLine(record({ responseTimeMs: ms })).includes(` response_time:${want} `));
  });
}

test("optional fields come in the order of the list, once, before the router error", () => {
  const format = createAccessLogFormatter({
    extraFields: [
      "tls_time",
      "failed_attempts",
      "tls_time",
      "failed_attempts_time",
      "backend_time",
      "dial_time",
      "dns_time",
      "local_address",
    ],
  });
  assert.match(
    format(record({ routerError: "unknown_route" })),
    / instance_id:"9a2f" tls_time:"-" failed_attempts:2 failed_attempts_time:0\.012500 backend_time:0\.001024 dial_time:0\.000400 dns_time:"-" local_address:"10\.0\.0\.1:40000" x_cf_routererror:"unknown_route"$/,
  );
});

test("extra headers come last, in lower snake case, with a dash when absent", () => {
  const format = createAccessLogFormatter({ extraHeaders: ["X-B3-TraceId", "accept", "Accept"] });
  const sent: Record<string, string> = { "x-b3-traceid": 'a"b' };
  assert.match(
    format(record({ requestHeader: (name) => sent[name] })),
    / x_cf_routererror:"-" x_b3_traceid:"a\\"b" accept:"-"$/,
  );
});

test("addresses of clients can be kept out of the log", () => {
  const line = createAccessLogFormatter({ hideForwardedFor: true, hideSourceIp: true })(record());
  assert.match(line, / "curl\/8\.5\.0" "-" "10\.0\.1\.5:61001" x_forwarded_for:"-" /);
  assert.ok(!line.includes("10.0.0.9"));
});

test("the query of a GET can be dropped or hashed, that of other methods stays", () => {
  const target = (redactQueryParams: "all" | "hash", method: string, sent: string) =>
    /\] "(.*) HTTP/.exec(
      createAccessLogFormatter({ redactQueryParams })(record({ method, target: sent })),
    )?.[1];
  const sha1 = createHash("sha1").update("token=1?2").digest("hex");
  assert.equal(target("all", "GET", "/a?token=1?2"), "GET /a");
  assert.equal(target("hash", "GET", "/a?token=1?2"), `GET /a?hash=${sha1}`);
  assert.equal(target("hash", "GET", "/a"), "GET /a");
  assert.equal(target("all", "POST", "/a?token=1"), "POST /a?token=1");
});

for (const { sent, logged } of [
  { sent: "/%zz", logged: "/%zz" },
  { sent: '/"%41%2f!?{"', logged: '/%22A/%21?{\\"' },
  { sent: "/caf\u00c3\u00a9|", logged: "/caf%C3%A9%7C" },
  { sent: "/a%2fb;c=(d)'[e]!*~", logged: "/a%2fb;c=(d)'[e]!*~" },
  { sent: "/a%20b?c=<d>^`", logged: "/a%20b?c=<d>^`" },
  { sent: "*", logged: "*" },
]) {
  test(`the target ${sent} is logged as Go says it`, () => {
    const line = formatAccessLogLine(record({ target: sent }));
    assert.equal(/\] "GET (.*) HTTP\/1\.1" /.exec(line)?.[1], logged);
  });
}

const latin1 = (text: string) => Buffer.from(text, "utf8").toString("latin1");

for (const { name, bytes, want } of [
  { name: "a quote and a backslash", bytes: '"\\', want: '"\\"\\\\"' },
  { name: "the short escapes", bytes: "\x07\b\f\n\r\t\v", want: '"\\a\\b\\f\\n\\r\\t\\v"' },
  { name: "other control characters", bytes: "\0\x1b\x7f", want: '"\\x00\\x1b\\x7f"' },
  { name: "printable UTF-8", bytes: latin1("é€😀"), want: `"${latin1("é€😀")}"` },
  { name: "a no-break space", bytes: latin1("\u00a0"), want: '"\\u00a0"' },
  { name: "a byte order mark", bytes: latin1("\ufeff"), want: '"\\ufeff"' },
  { name: "an unassigned plane", bytes: latin1("\u{e0001}"), want: '"\\U000e0001"' },
  { name: "U+FFFD itself", bytes: latin1("\ufffd"), want: `"${latin1("\ufffd")}"` },
  { name: "a lone byte", bytes: "\xff", want: '"\\xff"' },
  { name: "a cut sequence", bytes: "\xe2\x82", want: '"\\xe2\\x82"' },
  { name: "an overlong slash", bytes: "\xc0\xaf", want: '"\\xc0\\xaf"' },
  { name: "a surrogate", bytes: "\xed\xa0\x80", want: '"\\xed\\xa0\\x80"' },
  { name: "beyond the last code point", bytes: "\xf4\x90\x80\x80", want: '"\\xf4\\x90\\x80\\x80"' },
]) {
  test(`quoting follows Go for ${name}`, () => assert.equal(quote(bytes), want));
}

/** The definition of strconv.Quote, character by character, with the platform's UTF-8 decoder as the judge. */
function quoteOracle(text: string): string {
  if (text === "") return '"-"';
  const bytes = Buffer.from(text, "latin1");
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let out = "";
  for (let i = 0; i < bytes.length; ) {
    let taken = 0;
    for (let length = 1; length <= 4 && taken === 0 && i + length <= bytes.length; length++) {
      try {
        const rune = decoder.decode(bytes.subarray(i, i + length));
        taken = length;
        const code = rune.codePointAt(0) ?? 0;
        const short = ['\\"', "\\\\", "\\a", "\\b", "\\f", "\\n", "\\r", "\\t", "\\v"][
          ['"', "\\", "\x07", "\b", "\f", "\n", "\r", "\t", "\v"].indexOf(rune)
        ];
        if (short !== undefined) out += short;
        else if (/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(rune)) out += latin1(rune);
        else if (code < 0x80) out += `\\x${code.toString(16).padStart(2, "0")}`;
        else if (code < 0x10000) out += `\\u${code.toString(16).padStart(4, "0")}`;
        else out += `\\U${code.toString(16).padStart(8, "0")}`;
      } catch {
        // Not a whole sequence of this length; a longer one may be.
      }
    }
    if (taken === 0) {
      out += `\\x${(bytes[i] ?? 0).toString(16).padStart(2, "0")}`;
      taken = 1;
    }
    i += taken;
  }
  return `"${out}"`;
}

test("quoting equals the slow definition for any bytes", () => {
  const text = fc.oneof(
    fc.uint8Array({ maxLength: 24 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
    fc.string({ unit: "binary" }).map(latin1),
    fc.string(),
  );
  fc.assert(fc.property(text, (value) => assert.equal(quote(value), quoteOracle(value))));
});

test("a line is one line, whatever a client sends", () => {
  const text = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString("latin1"));
  fc.assert(
    fc.property(text, text, text, (target, referer, userAgent) => {
      const line = formatAccessLogLine(record({ target, referer, userAgent }));
      assert.ok(!/[\r\n]/.test(line));
    }),
  );
});
