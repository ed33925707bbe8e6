/**
 * Requests that two servers might read differently, and what becomes of each: refused by us, with which status, or
 * passed on so that no server can read it in another way. A client that gets a second reading past us reaches
 * other people's connections (request smuggling).
 *
 * `§` stands for the route's host. Behind each the same client sends `MARKER` at once.
 */

export const MARKER = "GET /marker HTTP/1.1\r\nHost: §\r\n\r\n";
export const MARKER_SEEN = "GET /marker []";

export interface Framing {
  readonly name: string;
  readonly send: string;
  /** In order: a message that the origin sees, as `METHOD /target [body]`; or the status of our own answer. */
  readonly want: readonly (string | number)[];
  /** The connection ends behind that, and the marker reaches nobody. */
  readonly ends: boolean;
  /** Origins that have an answer of their own to it. */
  readonly refusedBy: readonly string[];
}

const H = "Host: §\r\n";
const CHUNKED = "Transfer-Encoding: chunked\r\n";
const UPGRADE =
  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
/** A request that hides in a body. */
const HIDDEN = "GET /hidden HTTP/1.1\r\nHost: §\r\n\r\n";
const LAST = "0\r\n\r\n";

const post = (lines: string, body: string, version = "1.1") =>
  `POST /a HTTP/${version}\r\n${H}${lines}\r\n${body}`;
const get = (lines: string, version = "1.1") => `GET /a HTTP/${version}\r\n${H}${lines}\r\n`;

function refused(name: string, send: string, status = 400, before: readonly string[] = []): Framing {
  return { name, send, want: [...before, status], ends: true, refusedBy: [] };
}
function passed(
  name: string,
  send: string,
  want: string | readonly string[],
  refusedBy: readonly string[] = [],
) {
  return {
    name,
    send,
    want: typeof want === "string" ? [want] : want,
    ends: false,
    refusedBy,
  } satisfies Framing;
}
const closed = (name: string, send: string, want: string): Framing => ({
  ...passed(name, send, want),
  ends: true,
});
const answered = (name: string, send: string, status: number): Framing => ({
  ...refused(name, send, status),
  ends: false,
});

/** `JSON.stringify` without the quotes: control characters become visible. */
const shown = (text: string) => JSON.stringify(text).slice(1, -1);

const TRANSFER_ENCODING: readonly Framing[] = [
  ...[
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked, gzip",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: identity, chunked",
    "Transfer-Encoding: ",
    "Transfer-Encoding:",
    "Transfer-Encoding: ,",
    "Transfer-Encoding: chunked,",
    "Transfer-Encoding: , chunked",
    'Transfer-Encoding: "chunked"',
    "Transfer-Encoding: 'chunked'",
    "Transfer-Encoding: chunked;q=1",
    "Transfer-Encoding: chunked x",
    "Transfer-Encoding: x chunked",
    "Transfer-Encoding: \x85chunked",
    "Transfer-Encoding: chunked\xa0",
    "Transfer-Encoding: chunKE\xcc\xb2D",
    "Transfer-Encoding: cow",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nTransfer-encoding: cow",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding:",
    "Transfer-Encoding: chunked/1",
    "Transfer-Encoding: chunked\xad",
    "Transfer-Encoding: trailers, chunked",
    "Transfer-Encoding:\r\n chunked",
    "Transfer-Encoding:\r\n\tchunked",
  ].map((lines) => refused(`«${shown(lines)}»`, post(`${lines}\r\n`, LAST), 501)),
  ...[
    "Transfer-Encoding : chunked",
    "Transfer-Encoding\t: chunked",
    "Transfer-Encoding\x0b: chunked",
    "Transfer-Encoding:\x0bchunked",
    "Transfer-Encoding: chunked\x0c",
    "Transfer-Encoding: chunked\0",
    "Transfer-Encoding: chunk\0ed",
    "Transfer\0-Encoding: chunked",
    "Transfer-Encoding; chunked",
    "Transfer-Encoding chunked",
    "\x0bTransfer-Encoding: chunked",
    "\xa0Transfer-Encoding: chunked",
    " Transfer-Encoding: chunked",
    "\tTransfer-Encoding: chunked",
    "X: a\nTransfer-Encoding: chunked",
    "X: a\rTransfer-Encoding: chunked",
    "X: a\r\rTransfer-Encoding: chunked",
    "X: a\n\rTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\n",
    "Transfer-Encoding: chunked\rX: b",
    "Transfer-Encoding: chunked\r\n ",
    "Transfer-Encoding: chunked\r\n , identity",
    "Transfer-Encoding: chunked\r\nX: a\r\n b",
    "Content-Length: 5\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: 5",
    "Transfer-Encoding: chunked\r\nContent-Length: 0",
    "Content-Length: 0\r\nTransfer-Encoding: chunked",
    "Content-Length: 5\r\nX: a\r\ntransfer-encoding:chunked",
  ].map((lines) => refused(`«${shown(lines)}»`, post(`${lines}\r\n`, LAST))),
  refused("chunked in HTTP/1.0", post(CHUNKED, LAST, "1.0"), 501),
  refused(
    "chunked in HTTP/1.0 that persists",
    post(`Connection: keep-alive\r\n${CHUNKED}`, LAST, "1.0"),
    501,
  ),
  passed(
    "chunked in odd case",
    post("tRANSFER-eNCODING:ChUnKeD\r\n", `5\r\nhello\r\n${LAST}`),
    "POST /a [hello]",
  ),
  passed("chunked among blanks", post("Transfer-Encoding: \t chunked \t\r\n", LAST), "POST /a []"),
  passed(
    "names that only resemble Transfer-Encoding",
    get(
      "Transfer_Encoding: chunked\r\nX-Transfer-Encoding: chunked\r\nTransfer-Encodin: chunked\r\nTransferEncoding: chunked\r\n",
    ),
    "GET /a []",
  ),
];

const CONTENT_LENGTH: readonly Framing[] = [
  ...[
    "Content-Length: +5",
    "Content-Length: -5",
    "Content-Length: -0",
    "Content-Length: 0x5",
    "Content-Length: 5,5",
    "Content-Length: 5, 5",
    "Content-Length: 5, 6",
    "Content-Length: ,5",
    "Content-Length: 5,",
    "Content-Length: 5;",
    "Content-Length: 5 5",
    "Content-Length: 5.0",
    "Content-Length: 5e0",
    "Content-Length: 1_0",
    'Content-Length: "5"',
    "Content-Length: \xb5",
    "Content-Length: five",
    "Content-Length:",
    "Content-Length: 18446744073709551621",
    "Content-Length: 9223372036854775813",
    "Content-Length: 99999999999999999999999999999999",
    "Content-Length: 0000000000000005",
    "Content-Length: 5\0",
    "Content-Length: 5\x0b",
    "Content-Length: \x0c5",
    "Content-Length : 5",
    "Content-Length\t: 5",
    " Content-Length: 5",
    "Content-Length:\r\n 5",
    "Content-Length: 5\r\n 0",
    "Content-Length: 5\n",
    "Content-Length: 5;q=1",
    "Content-Length: 0b101",
    "Content-Length: \xd9\xa5",
    "Content-Length: 5\r\nContent-Length: 5, 5",
    "Content-Length: 5\r\nContent-Length\t: 6",
    "X: a\nContent-Length: 5",
    "X: a\rContent-Length: 5",
    "Content-Length: 5\r\nContent-Length: 6",
    "Content-Length: 6\r\nContent-Length: 5",
    "Content-Length: 5\r\nContent-Length: 5\r\nContent-Length: 0",
    "Content-Length: 5\r\nContent-Length: ",
    "Content-Length: 5\r\nContent-Length: +5",
    "Content-Length: 5\r\ncontent-length:0",
  ].map((lines) => refused(`«${shown(lines)}»`, post(`${lines}\r\n`, "hello"))),
  passed(
    "the same Content-Length twice",
    post("Content-Length: 5\r\ncontent-length: 5\r\n", "hello"),
    "POST /a [hello]",
  ),
  passed(
    "a Content-Length with zeros before it",
    post("Content-Length: 010\r\n", "0123456789"),
    "POST /a [0123456789]",
  ),
  passed("a Content-Length among blanks", post("cOnTeNt-LeNgTh:\t 5 \t\r\n", "hello"), "POST /a [hello]", [
    "nginx",
  ]),
  passed(
    "a request inside a body by length",
    post("Content-Length: 33\r\n", HIDDEN.replace("§", "x")),
    "POST /a [GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n]",
  ),
  passed("a GET with a body", get("Content-Length: 5\r\n") + "hello", "GET /a [hello]", ["lighttpd"]),
  passed(
    "a DELETE with chunks",
    `DELETE /a HTTP/1.1\r\n${H}${CHUNKED}\r\n5\r\nhello\r\n${LAST}`,
    "DELETE /a [hello]",
  ),
  passed("a POST without any length", post("", ""), "POST /a []", ["lighttpd"]),
  passed(
    "names that only resemble Content-Length",
    get("Content_Length: 50\r\nContent-Lengt: 50\r\nX-Content-Length: 50\r\nContentLength: 50\r\n"),
    "GET /a []",
  ),
];

const CHUNKS: readonly Framing[] = [
  ...[
    "x",
    "",
    " ",
    "-5",
    "+5",
    "0x5",
    "5_0",
    "5 ",
    "5\t",
    " 5",
    "5,",
    "5.0",
    "5h",
    "g",
    '"5"',
    "\xb5",
    "5\0",
    "5\r",
    "5\n",
    "5;a\n",
    "5;a\r",
    "5;a\0",
    "5;a\x7f",
    '5;a="\n"',
    "0\n",
    "0;a\n",
    "0 ",
    "00000000000000",
    "00000000000005",
    "10000000000000005",
    "fffffffffffffffb",
    "FFFFFFFFFFFFFFFFFFFFFFFB",
  ].map((size) => refused(`the chunk size «${shown(size)}»`, post(CHUNKED, `${size}\r\nhello\r\n${LAST}`))),
  ...[
    "5\r\nhello!\r\n0\r\n\r\n",
    "5\r\nhell\r\n0\r\n\r\n",
    "5\r\nhello0\r\n\r\n",
    "5\r\nhello\n0\r\n\r\n",
    "5\r\nhello\r0\r\n\r\n",
    "5\r\nhello\r\r\n0\r\n\r\n",
    "5\r\nhelloXX0\r\n\r\n",
    "5\r\nhello\rX0\r\n\r\n",
    "5\r\nhello\n\r0\r\n\r\n",
    "5\r\nhello\r\n\r\n0\r\n\r\n",
    "5\nhello\r\n0\r\n\r\n",
    "5\rhello\r\n0\r\n\r\n",
    "0\r\n\n",
    "0\r\n\r\r\n",
    "0\n\n",
    "0\r\rX\r\n\r\n",
  ].map((body) => refused(`the chunked body «${shown(body)}»`, post(CHUNKED, body))),
  refused(
    "more chunk extension than anybody needs",
    post(CHUNKED, `5;${"x".repeat(20_000)}\r\nhello\r\n${LAST}`),
  ),
  ...["5;a=b", '5;a="b"', "5;", "5;;;", "5;a\t=b", '5;a="\\""', "5;\xff", "05", "0000000000005"].map((size) =>
    passed(
      `the chunk line «${shown(size)}»`,
      post(CHUNKED, `${size}\r\nhello\r\n${LAST}`),
      "POST /a [hello]",
    ),
  ),
  passed(
    "a chunk extension whose quotes do not end in their line",
    post(CHUNKED, `5;a="\r\nhello\r\n2;"\r\n!!\r\n${LAST}`),
    "POST /a [hello!!]",
  ),
  passed(
    "an extension of the last chunk that looks like a chunk",
    post(CHUNKED, `5\r\nhello\r\n0;1\r\n\r\n`),
    "POST /a [hello]",
  ),
  passed(
    "chunk sizes in both cases",
    post(CHUNKED, `a\r\n0123456789\r\nA\r\n0123456789\r\n${LAST}`),
    "POST /a [01234567890123456789]",
  ),
  passed(
    "chunks of one byte",
    post(CHUNKED, `${[..."hello"].map((char) => `1\r\n${char}\r\n`).join("")}${LAST}`),
    "POST /a [hello]",
  ),
  passed(
    "a last chunk of many zeros with an extension",
    post(CHUNKED, "5\r\nhello\r\n000;x=y\r\n\r\n"),
    "POST /a [hello]",
  ),
  passed("a last chunk inside a chunk", post(CHUNKED, `5\r\n0\r\n\r\n\r\n${LAST}`), "POST /a [0\r\n\r\n]"),
  passed(
    "a request inside a chunk",
    post(CHUNKED, `21\r\n${HIDDEN.replace("§", "x")}\r\n${LAST}`),
    "POST /a [GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n]",
  ),
];

const TRAILERS: readonly Framing[] = [
  ...[
    "Content-Length: 50",
    "content-length:50",
    "Transfer-Encoding: chunked",
    "Host: other.example.com",
    "Connection: keep-alive",
    "Keep-Alive: timeout=5",
    "Upgrade: websocket",
    "TE: trailers",
    "Trailer: X",
    "Expect: 100-continue",
    "Authorization: Basic eDp4",
    "Cookie: __VCAP_ID__=1",
    "X-Forwarded-For: 10.0.0.1",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Client-Cert: x",
    "X-CF-ApplicationID: x",
    "X-Vcap-Request-Id: x",
    "X : a",
    "X\0: a",
    "X: a\0",
    "X: a\rb",
    "X: a\nb: c",
    ": a",
    "no colon",
    "X: a\r\n folded",
    " X: a",
    HIDDEN.slice(0, -4),
  ].map((lines) =>
    refused(`the trailer «${shown(lines)}»`, post(CHUNKED, `5\r\nhello\r\n0\r\n${lines}\r\n\r\n`)),
  ),
  refused("trailers without end", post(CHUNKED, `0\r\n${"X: y\r\n".repeat(12_000)}\r\n`), 431),
  passed(
    "a trailer that says nothing about framing",
    post(CHUNKED, "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"),
    "POST /a [hello]",
  ),
  passed(
    "a Trailer header that announces what it may not",
    post(`Trailer: Content-Length\r\n${CHUNKED}`, LAST),
    "POST /a []",
  ),
];

const LINES: readonly Framing[] = [
  ...[
    "GET /a HTTP/1.1\nHost: §\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: §\n\r\n",
    "GET /a HTTP/1.1\r\nHost: §\n\n",
    "GET /a HTTP/1.1\r\nHost: §\r\n\n",
    "GET /a HTTP/1.1\rHost: §\r\r",
    "GET /a HTTP/1.1\r\r\nHost: §\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: §\r\r\n\r\n",
    "\nGET /a HTTP/1.1\r\nHost: §\r\n\r\n",
    "\rGET /a HTTP/1.1\r\nHost: §\r\n\r\n",
    "\r\n\r\nGET /a HTTP/1.1\r\nHost: §\r\n\r\n",
    " GET /a HTTP/1.1\r\nHost: §\r\n\r\n",
    "\tGET /a HTTP/1.1\r\nHost: §\r\n\r\n",
    "\0GET /a HTTP/1.1\r\nHost: §\r\n\r\n",
    "\xef\xbb\xbfGET /a HTTP/1.1\r\nHost: §\r\n\r\n",
    "G\0T /a HTTP/1.1\r\nHost: §\r\n\r\n",
    "GET\t/a HTTP/1.1\r\nHost: §\r\n\r\n",
    "GET  /a HTTP/1.1\r\nHost: §\r\n\r\n",
    "GET /a  HTTP/1.1\r\nHost: §\r\n\r\n",
    "GET /a\tHTTP/1.1\r\nHost: §\r\n\r\n",
    "GET /a\0 HTTP/1.1\r\nHost: §\r\n\r\n",
    "GET /a\x0b HTTP/1.1\r\nHost: §\r\n\r\n",
    "GET /a\x7f HTTP/1.1\r\nHost: §\r\n\r\n",
    "GET /a b HTTP/1.1\r\nHost: §\r\n\r\n",
    "GET /a#b HTTP/1.1\r\nHost: §\r\n\r\n",
    "GET a HTTP/1.1\r\nHost: §\r\n\r\n",
    "GET * HTTP/1.1\r\nHost: §\r\n\r\n",
    "GET  HTTP/1.1\r\nHost: §\r\n\r\n",
    "GET HTTP/1.1\r\nHost: §\r\n\r\n",
    "/a HTTP/1.1\r\nHost: §\r\n\r\n",
    "GET /a\r\n",
    "GET /a\r\nHost: §\r\n\r\n",
    "GET\r\n\r\n",
    "GET /a HTTP/1.1 \r\nHost: §\r\n\r\n",
    "GET /a HTTP/1.1\x0b\r\nHost: §\r\n\r\n",
    "GET /a HTTP/1.1\0\r\nHost: §\r\n\r\n",
    "GET /a HTTP/1.1\t\r\nHost: §\r\n\r\n",
    "GET /a HTTP/1.1.1\r\nHost: §\r\n\r\n",
    "GET /a HTTP/+1.1\r\nHost: §\r\n\r\n",
    "GET /a HTTPS/1.1\r\nHost: §\r\n\r\n",
    "GET,POST /a HTTP/1.1\r\nHost: §\r\n\r\n",
    "GET\xa0/a HTTP/1.1\r\nHost: §\r\n\r\n",
    "GET /a\x85HTTP/1.1\r\nHost: §\r\n\r\n",
    "PROXY TCP4 203.0.113.7 203.0.113.8 1 2\r\nGET /a HTTP/1.1\r\nHost: §\r\n\r\n",
    "\r\n\r\n\0\r\nQUIT\n!\x11\0\x0cGET /a HTTP/1.1\r\nHost: §\r\n\r\n",
    "HTTP/1.1 200 OK\r\nHost: §\r\n\r\n",
    "GET /a HTTP/ 1.1\r\nHost: §\r\n\r\n",
    "GET /a HTTP /1.1\r\nHost: §\r\n\r\n",
    "GET /a http/1.1\r\nHost: §\r\n\r\n",
    "GET /a HTTP/1.x\r\nHost: §\r\n\r\n",
    "GET /a HTTP/1,1\r\nHost: §\r\n\r\n",
    "GET /a HTTP/11\r\nHost: §\r\n\r\n",
    "GET /a HTTP/1.1 GET /hidden HTTP/1.1\r\nHost: §\r\n\r\n",
    "GET /a HTTP/0.9\r\nHost: §\r\n\r\n",
    "GET /a HTTP/1.2\r\nHost: §\r\n\r\n",
    "GET /a HTTP/1.10\r\nHost: §\r\n\r\n",
    "GET /a HTTP/01.1\r\nHost: §\r\n\r\n",
    "GET /a HTTP/2.0\r\nHost: §\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: §\r\nX(y): a\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: §\r\nX y: a\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: §\r\nX\x80: a\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: §\r\n: a\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: §\r\nno colon\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: §\r\nX: a\r\n b\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: §\r\nX: a\r\n\r\tb\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: §\r\nX: a\0b\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: §\r\nX: a\x01b\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: §\r\nX: a\x7fb\r\n\r\n",
    "GET /a HTTP/1.1\r\n Host: §\r\nX: a\r\n\r\n",
  ].map((send) => refused(`«${shown(send)}»`, send)),
  passed("one empty line before a request", `\r\n${get("")}`, "GET /a []"),
  passed("an empty line behind a body", `${post("Content-Length: 5\r\n", "hello")}\r\n`, "POST /a [hello]"),
  refused("two empty lines behind a body", `${post("Content-Length: 5\r\n", "hello")}\r\n\r\n`, 400, [
    "POST /a [hello]",
  ]),
  refused("garbage behind a body", `${post("Content-Length: 5\r\n", "hello")}\0\x01`, 400, [
    "POST /a [hello]",
  ]),
  refused("a body longer than its length", `${post("Content-Length: 5\r\n", "hello")}!?{}`, 400, [
    "POST /a [hello]",
  ]),
  refused("garbage behind the last chunk", `${post(CHUNKED, LAST)}{}`, 400, ["POST /a []"]),
  refused("a second last chunk", `${post(CHUNKED, LAST)}${LAST}`, 400, ["POST /a []"]),
  passed("bytes from 0x80 in a value", get("X: \x80\xff\xa0\r\n"), "GET /a []"),
  passed("a header without a value", get("X:\r\nY: \t \r\n"), "GET /a []"),
];

const TARGETS: readonly Framing[] = [
  ...[
    "GET /a HTTP/1.1\r\nHost: §\r\nHost: §\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: §\r\nHost: other.example.com\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: other.example.com\r\nhost: §\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: §, other.example.com\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: § other.example.com\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: §\r\n other.example.com\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: other@§\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: §/a\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: §?a\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: §#a\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: §\\a\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: §\0\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: §\x85\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost : §\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: http://§\r\n\r\n",
    "GET http://other@§/a HTTP/1.1\r\nHost: §\r\n\r\n",
    "GET http:///a HTTP/1.1\r\nHost: §\r\n\r\n",
    "GET http:/a HTTP/1.1\r\nHost: §\r\n\r\n",
    "GET ftp://§/a HTTP/1.1\r\nHost: §\r\n\r\n",
    "GET http://§\\/a HTTP/1.1\r\nHost: §\r\n\r\n",
    "GET http://§\xff/a HTTP/1.1\r\nHost: §\r\n\r\n",
    "GET http://§/a HTTP/1.1\r\nHost: §\r\nHost: §\r\n\r\n",
    "connect §:80 HTTP/1.1\r\nHost: §\r\n\r\n",
  ].map((send) => refused(`«${shown(send)}»`, send)),
  ...["CONNECT §:80 HTTP/1.1\r\nHost: §:80\r\n\r\n", "CONNECT / HTTP/1.1\r\nHost: §\r\n\r\n"].map((send) =>
    refused(`«${shown(send)}»`, send, 501),
  ),
  answered("no Host", "GET /a HTTP/1.1\r\n\r\n", 400),
  answered("an empty Host", "GET /a HTTP/1.1\r\nHost:\r\n\r\n", 400),
  answered("a Host that nobody has", "GET /a HTTP/1.1\r\nHost: other.example.com\r\n\r\n", 404),
  answered(
    "an unknown authority over a known Host",
    `GET http://other.example.com/a HTTP/1.1\r\n${H}\r\n`,
    404,
  ),
  answered("an authority that is escaped", `GET http://§%2fa/ HTTP/1.1\r\n${H}\r\n`, 404),
  answered(
    "a body to a Host that nobody has",
    "POST /a HTTP/1.1\r\nHost: other.example.com\r\nContent-Length: 5\r\n\r\nhello",
    404,
  ),
  ...[
    [
      "a known authority over another Host",
      "GET http://§/a HTTP/1.1\r\nHost: other.example.com\r\n\r\n",
      "GET /a []",
    ],
    ["an authority without a Host", "GET http://§/a HTTP/1.1\r\n\r\n", "GET /a []"],
    ["an authority of https", `GET HTTPS://§/a HTTP/1.1\r\n${H}\r\n`, "GET /a []"],
    ["an authority without a path", `GET http://§ HTTP/1.1\r\n${H}\r\n`, "GET / []"],
    ["an authority before a query", `GET http://§?a HTTP/1.1\r\n${H}\r\n`, "GET /?a []"],
    [
      "an authority over two others in Connection",
      `GET http://§/a HTTP/1.1\r\nConnection: Host\r\nHost: x\r\n\r\n`,
      "GET /a []",
    ],
    ["a Host in odd case", "GET /a HTTP/1.1\r\nhOST:§  \r\n\r\n", "GET /a []"],
    [
      "a URL inside the query",
      `GET /a?http://other.example.com/ HTTP/1.1\r\n${H}\r\n`,
      "GET /a?http://other.example.com/ []",
    ],
  ].map(([name, send, want]) => passed(name as string, send as string, want as string)),
];

const FLOWS: readonly Framing[] = [
  passed("an upgrade that is answered with 200, then a plain request", get(UPGRADE), "GET /a []"),
  passed(
    "an upgrade of a version that nobody speaks (CVE-2018-1221)",
    get(`${UPGRADE}Sec-WebSocket-Version: 777\r\n`),
    "GET /a []",
  ),
  passed(
    "an upgrade with a request as its body",
    post(`${UPGRADE}Content-Length: 5\r\n`, "hello"),
    "POST /a [hello]",
  ),
  passed("an upgrade with chunks", post(`${UPGRADE}${CHUNKED}`, `5\r\nhello\r\n${LAST}`), "POST /a [hello]"),
  passed(
    "an upgrade to h2c",
    get(
      "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
    ),
    "GET /a []",
  ),
  passed(
    "an upgrade to two protocols",
    get("Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n"),
    "GET /a []",
  ),
  passed("Upgrade without Connection", get("Upgrade: websocket\r\n"), "GET /a []"),
  passed(
    "Connection names Transfer-Encoding",
    post(`Connection: Transfer-Encoding\r\n${CHUNKED}`, `5\r\nhello\r\n${LAST}`),
    "POST /a [hello]",
  ),
  passed(
    "Connection names Content-Length",
    post("Connection: Content-Length\r\nContent-Length: 5\r\n", "hello"),
    "POST /a [hello]",
  ),
  passed("Connection names Host", get("Connection: Host\r\n"), "GET /a []"),
  passed("Connection names nothing", get("Connection: ,, ,\r\nConnection:\r\n"), "GET /a []"),
  passed(
    "Proxy-Connection says close",
    get("Proxy-Connection: close\r\nKeep-Alive: timeout=0\r\n"),
    "GET /a []",
  ),
  closed("Connection: close, with a request behind it", get("Connection: close\r\n"), "GET /a []"),
  closed("Connection: close in a list", get("Connection: keep-alive, CLOSE\r\n"), "GET /a []"),
  closed("HTTP/1.0, with a request behind it", get("", "1.0"), "GET /a []"),
  closed("HTTP/1.0 with a body", post("Content-Length: 5\r\n", "hello", "1.0"), "POST /a [hello]"),
  passed(
    "HTTP/1.0 that persists",
    post("Connection: keep-alive\r\nContent-Length: 5\r\n", "hello", "1.0"),
    "POST /a [hello]",
  ),
  passed("TE: chunked", get("TE: chunked, trailers\r\n"), "GET /a []"),
  passed(
    "Expect with the body at once",
    post("Expect: 100-continue\r\nContent-Length: 5\r\n", "hello"),
    "POST /a [hello]",
  ),
  passed(
    "Expect with chunks at once",
    post(`eXPECT: 100-CONTINUE\r\n${CHUNKED}`, `5\r\nhello\r\n${LAST}`),
    "POST /a [hello]",
  ),
  passed("Expect without a body", get("Expect: 100-continue\r\n"), "GET /a []"),
  passed(
    "Expect with an empty body",
    post("Expect: 100-continue\r\nContent-Length: 0\r\n", ""),
    "POST /a []",
  ),
  passed(
    "Expect behind another word",
    post("Expect: y 100-continue\r\nContent-Length: 5\r\n", "hello"),
    "POST /a [hello]",
    ["Apache httpd"],
  ),
  passed(
    "Expect twice",
    post("Expect: 100-continue\r\nExpect: \r\nContent-Length: 5\r\n", "hello"),
    "POST /a [hello]",
    ["nginx", "Apache httpd"],
  ),
  passed(
    "Expect in a list",
    post(`Expect: 100-continue, x=y\r\n${CHUNKED}`, `5\r\nhello\r\n${LAST}`),
    "POST /a [hello]",
    ["Apache httpd"],
  ),
  passed(
    "Expect with a GET that has a body",
    get("Expect: 100-continue\r\nContent-Length: 5\r\n") + "hello",
    "GET /a [hello]",
    ["lighttpd"],
  ),
  passed(
    "Expect in HTTP/1.0",
    post("Expect: 100-continue\r\nConnection: keep-alive\r\nContent-Length: 5\r\n", "hello", "1.0"),
    "POST /a [hello]",
  ),
  passed("a HEAD with a body", `HEAD /a HTTP/1.1\r\n${H}Content-Length: 5\r\n\r\nhello`, "HEAD /a [hello]", [
    "lighttpd",
  ]),
  passed(
    "a HEAD with chunks",
    `HEAD /a HTTP/1.1\r\n${H}${CHUNKED}\r\n5\r\nhello\r\n${LAST}`,
    "HEAD /a [hello]",
    ["lighttpd"],
  ),
  passed(
    "an OPTIONS with a body",
    `OPTIONS /a HTTP/1.1\r\n${H}Content-Length: 5\r\n\r\nhello`,
    "OPTIONS /a [hello]",
  ),
  passed(
    "Connection names all that frames, beside an upgrade with a body",
    post(
      "Connection: Upgrade, Host, Content-Length, Transfer-Encoding\r\nUpgrade: websocket\r\nContent-Length: 5\r\n",
      "hello",
    ),
    "POST /a [hello]",
  ),
  passed(
    "an upgrade to several protocols in one line",
    get("Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n"),
    "GET /a []",
  ),
  passed("a HEAD between two", `HEAD /a HTTP/1.1\r\n${H}\r\n`, "HEAD /a []"),
  passed("three requests in one write", get("") + post("Content-Length: 5\r\n", "hello") + get(""), [
    "GET /a []",
    "POST /a [hello]",
    "GET /a []",
  ]),
  passed("a chunked request between two others", get("") + post(CHUNKED, `5\r\nhello\r\n${LAST}`) + get(""), [
    "GET /a []",
    "POST /a [hello]",
    "GET /a []",
  ]),
  refused(
    "a refused request behind a good one",
    get("") + post(`Content-Length: 5\r\n${CHUNKED}`, LAST),
    400,
    ["GET /a []"],
  ),
];

export const REQUEST_FRAMINGS: readonly Framing[] = [
  ...TRANSFER_ENCODING,
  ...CONTENT_LENGTH,
  ...CHUNKS,
  ...TRAILERS,
  ...LINES,
  ...TARGETS,
  ...FLOWS,
];
