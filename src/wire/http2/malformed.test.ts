/**
 * The wall: messages that would mean something else, or several things, once they are written as HTTP/1.1. None of
 * them may reach the handler; each breaks its own stream and leaves the next one alone.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { DATA, END_STREAM } from "./codes.ts";
import { frame, GET, headers, POST, resetsOf, startPeer } from "./testing.ts";

const METHOD = [":method", "GET"];
const SCHEME = [":scheme", "https"];
const AUTHORITY = [":authority", "shop.example.com"];
const PATH = [":path", "/"];

const REQUESTS: readonly { readonly name: string; readonly fields: readonly string[] }[] = [
  { name: "a line break in a value", fields: [...GET, "x", "a\r\nContent-Length: 5"] },
  { name: "a bare CR in a value", fields: [...GET, "x", "a\rb"] },
  { name: "a bare LF in a value", fields: [...GET, "x", "a\nb"] },
  { name: "a NUL in a value", fields: [...GET, "x", "a\0b"] },
  { name: "a DEL in a value", fields: [...GET, "x", "a\x7fb"] },
  { name: "a space before a value", fields: [...GET, "x", " a"] },
  { name: "a tab behind a value", fields: [...GET, "x", "a\t"] },
  { name: "a value of white space", fields: [...GET, "x", " "] },
  { name: "a line break in a cookie", fields: [...GET, "cookie", "a=1\r\nx: y"] },
  { name: "a line break in a second cookie", fields: [...GET, "cookie", "a=1", "cookie", "b\r\n\r\n"] },
  { name: "a line break in a name", fields: [...GET, "x\r\ny", "a"] },
  { name: "a colon in a name", fields: [...GET, "content-length: 5\r\nx", "a"] },
  { name: "a colon behind a name", fields: [...GET, "transfer-encoding:", "chunked"] },
  { name: "a space behind a name", fields: [...GET, "transfer-encoding ", "chunked"] },
  { name: "a space before a name", fields: [...GET, " x", "a"] },
  { name: "an empty name", fields: [...GET, "", "a"] },
  { name: "a name in upper case", fields: [...GET, "Content-Length", "5"] },
  { name: "a name with one letter in upper case", fields: [...GET, "transfer-encodinG", "chunked"] },
  { name: "a name beyond ASCII", fields: [...GET, "h\xf6st", "a"] },
  { name: "Transfer-Encoding", fields: [...GET, "transfer-encoding", "chunked"] },
  { name: "an empty Transfer-Encoding", fields: [...GET, "transfer-encoding", ""] },
  { name: "Connection", fields: [...GET, "connection", "close"] },
  { name: "Keep-Alive", fields: [...GET, "keep-alive", "1"] },
  { name: "Proxy-Connection", fields: [...GET, "proxy-connection", "close"] },
  { name: "Upgrade", fields: [...GET, "upgrade", "websocket"] },
  { name: "te that is not trailers", fields: [...GET, "te", "gzip"] },
  { name: "te that is trailers and more", fields: [...GET, "te", "trailers, chunked"] },
  { name: "a Content-Length that is no number", fields: [...POST, "content-length", "5a"] },
  { name: "a Content-Length with a sign", fields: [...POST, "content-length", "+5"] },
  { name: "a negative Content-Length", fields: [...POST, "content-length", "-1"] },
  { name: "a list of Content-Lengths", fields: [...POST, "content-length", "5, 5"] },
  { name: "an empty Content-Length", fields: [...POST, "content-length", ""] },
  { name: "a Content-Length of 16 digits", fields: [...POST, "content-length", "1000000000000000"] },
  { name: "two Content-Lengths", fields: [...POST, "content-length", "5", "content-length", "6"] },
  { name: "the same Content-Length twice", fields: [...POST, "content-length", "5", "content-length", "5"] },
  { name: "no :method", fields: [...SCHEME, ...AUTHORITY, ...PATH] },
  { name: "no :scheme", fields: [...METHOD, ...AUTHORITY, ...PATH] },
  { name: "no :path", fields: [...METHOD, ...SCHEME, ...AUTHORITY] },
  { name: "neither :authority nor host", fields: [...METHOD, ...SCHEME, ...PATH] },
  { name: "an empty :method", fields: [":method", "", ...SCHEME, ...AUTHORITY, ...PATH] },
  {
    name: "a :method with a space",
    fields: [":method", "GET /x HTTP/1.1", ...SCHEME, ...AUTHORITY, ...PATH],
  },
  { name: "a :method with a line break", fields: [":method", "GET\r\n", ...SCHEME, ...AUTHORITY, ...PATH] },
  { name: "an empty :scheme", fields: [...METHOD, ":scheme", "", ...AUTHORITY, ...PATH] },
  {
    name: "a :scheme that is an address",
    fields: [...METHOD, ":scheme", "https://evil/x?", ...AUTHORITY, ...PATH],
  },
  { name: "a :scheme of another protocol", fields: [...METHOD, ":scheme", "ftp", ...AUTHORITY, ...PATH] },
  { name: "an empty :path", fields: [...METHOD, ...SCHEME, ...AUTHORITY, ":path", ""] },
  { name: "a :path without /", fields: [...METHOD, ...SCHEME, ...AUTHORITY, ":path", "a"] },
  {
    name: "a :path that is an address",
    fields: [...METHOD, ...SCHEME, ...AUTHORITY, ":path", "http://evil/"],
  },
  { name: "a :path with a space", fields: [...METHOD, ...SCHEME, ...AUTHORITY, ":path", "/ HTTP/1.1"] },
  { name: "a :path with a line break", fields: [...METHOD, ...SCHEME, ...AUTHORITY, ":path", "/\r\nx: y"] },
  { name: "a :path with a fragment", fields: [...METHOD, ...SCHEME, ...AUTHORITY, ":path", "/#x"] },
  { name: "a :path of * for another method", fields: [...METHOD, ...SCHEME, ...AUTHORITY, ":path", "*"] },
  { name: "an empty :authority", fields: [...METHOD, ...SCHEME, ":authority", "", ...PATH] },
  {
    name: "an :authority with a user",
    fields: [...METHOD, ...SCHEME, ":authority", "a@shop.example.com", ...PATH],
  },
  {
    name: "an :authority with a path",
    fields: [...METHOD, ...SCHEME, ":authority", "shop.example.com/x", ...PATH],
  },
  {
    name: "an :authority with a line break",
    fields: [...METHOD, ...SCHEME, ":authority", "a\r\nx: y", ...PATH],
  },
  { name: "a host that is another", fields: [...GET, "host", "other.example.com"] },
  { name: "a host with a port that :authority has not", fields: [...GET, "host", "shop.example.com:8443"] },
  { name: "two hosts", fields: [...GET, "host", "shop.example.com", "host", "shop.example.com"] },
  { name: "an empty host", fields: [...METHOD, ...SCHEME, ...PATH, "host", ""] },
  { name: "a pseudo-header twice", fields: [...GET, ":path", "/b"] },
  { name: "a pseudo-header behind a field", fields: [...METHOD, ...SCHEME, ...AUTHORITY, "x", "y", ...PATH] },
  {
    name: "a pseudo-header behind a host",
    fields: [...METHOD, ...SCHEME, ...PATH, "host", "a", ...AUTHORITY],
  },
  { name: "a pseudo-header nobody knows", fields: [...GET, ":protocol", "websocket"] },
  { name: "a pseudo-header without a name", fields: [...GET, ":", "a"] },
  { name: "a pseudo-header in upper case", fields: [":METHOD", "GET", ...SCHEME, ...AUTHORITY, ...PATH] },
  { name: "a :status", fields: [...GET, ":status", "200"] },
  { name: "CONNECT with a path", fields: [":method", "CONNECT", ...SCHEME, ...AUTHORITY, ...PATH] },
  { name: "CONNECT without an authority", fields: [":method", "CONNECT"] },
];

for (const { name, fields } of REQUESTS) {
  test(`a request with ${name} is refused, and the next is not`, () => {
    const peer = startPeer("server");
    peer.send(headers(1, END_STREAM, ...fields), headers(3, END_STREAM, ...GET));
    assert.equal(peer.events[0], "refused 1 http2_message_malformed");
    assert.equal(peer.events.length, 2);
    assert.match(peer.events[1] as string, /^head 3 /);
    assert.deepEqual(resetsOf(peer.sent()), ["1:1"]);
  });
}

const REQUESTS_THAT_PASS: readonly { readonly name: string; readonly fields: readonly string[] }[] = [
  { name: "te: trailers", fields: [...GET, "te", "trailers"] },
  { name: "a host that is the authority in other letters", fields: [...GET, "host", "SHOP.example.com"] },
  { name: "a host alone", fields: [...METHOD, ...SCHEME, ...PATH, "host", "[::1]:8080"] },
  { name: "OPTIONS *", fields: [":method", "OPTIONS", ...SCHEME, ...AUTHORITY, ":path", "*"] },
  { name: "an empty value", fields: [...GET, "x", ""] },
  {
    name: "bytes beyond ASCII in a value and a path",
    fields: [...GET.slice(0, 6), ":path", "/\xe9", "x", "\xff"],
  },
  { name: "a tab within a value", fields: [...GET, "x", "a\tb"] },
  { name: "Content-Length: 0 and no body", fields: [...GET, "content-length", "0"] },
];

for (const { name, fields } of REQUESTS_THAT_PASS) {
  test(`a request with ${name} is handed on as it is`, () => {
    const peer = startPeer("server");
    peer.send(headers(1, END_STREAM, ...fields));
    assert.deepEqual(peer.events, [`head 1 ${JSON.stringify(fields)} end`]);
  });
}

test("CONNECT is well-formed, and not offered", () => {
  const peer = startPeer("server");
  peer.send(headers(1, 0, ":method", "CONNECT", ":authority", "db.internal:5432"));
  assert.deepEqual(peer.events, ["refused 1 connect_unsupported"]);
});

test("a refused request may be answered before its stream is reset", () => {
  const peer = startPeer("server");
  peer.recorder.onRefused = (id) => peer.connection.sendHead(id, [":status", "400"], true);
  const connect = [":method", "CONNECT", ":authority", "db.internal:5432"];
  peer.send(headers(1, 0, ...GET, "Bad", "x"), headers(3, END_STREAM, ...GET, "Bad", "x"));
  peer.send(headers(5, 0, ...connect), headers(7, END_STREAM, ...connect));
  const sent = peer.sent();
  assert.deepEqual(
    sent.map((each) => `${each.type}:${each.streamId}`),
    ["1:1", "3:1", "1:3", "3:3", "1:5", "3:5", "1:7"],
  );
  // Malformed is an error of the stream, said or not; of the others one had more to say, and one had ended.
  assert.deepEqual(resetsOf(sent), ["1:1", "3:1", "5:0"]);
  peer.send(frame(DATA, END_STREAM, 1, "late"), frame(DATA, END_STREAM, 5, "late"));
  assert.equal(peer.connection.activeStreams, 0);
  assert.ok(!peer.events.some((event) => event.startsWith("failed")), "what was on its way is forgiven");
});

test("what is refused once is refused again when the table repeats it", () => {
  // With incremental indexing: `x: a LF b`, then the same by its index.
  const bad = Buffer.concat([Buffer.from([0x40, 1, 0x78, 3]), Buffer.from("a\nb")]);
  const start = headers(1, 0, ...GET).subarray(9);
  const peer = startPeer("server");
  peer.send(
    frame(1, 5, 1, Buffer.concat([start, bad])),
    frame(1, 5, 3, Buffer.concat([start, Buffer.from([0xbe])])),
  );
  assert.deepEqual(peer.events, ["refused 1 http2_message_malformed", "refused 3 http2_message_malformed"]);
});

// === bodies that are not as long as they say ===

const BODIES: readonly {
  readonly name: string;
  readonly length: string;
  readonly frames: readonly Buffer[];
}[] = [
  { name: "less than it says", length: "5", frames: [frame(DATA, END_STREAM, 1, "abcd")] },
  { name: "more than it says", length: "5", frames: [frame(DATA, END_STREAM, 1, "abcdef")] },
  {
    name: "more than it says, in a second frame",
    length: "3",
    frames: [frame(DATA, 0, 1, "abc"), frame(DATA, 0, 1, "d")],
  },
  {
    name: "less than it says and trailers",
    length: "5",
    frames: [frame(DATA, 0, 1, "abcd"), headers(1, END_STREAM, "x", "y")],
  },
  { name: "nothing, in a frame of its own", length: "5", frames: [frame(DATA, END_STREAM, 1)] },
];

for (const { name, length, frames } of BODIES) {
  test(`a request whose body has ${name} never ends`, () => {
    const peer = startPeer("server");
    peer.send(headers(1, 0, ...POST, "content-length", length), ...frames);
    assert.equal(peer.events.at(-1), "reset 1 1 http2_message_malformed");
    assert.ok(!peer.events.some((each) => each.startsWith("end") || each.startsWith("trailers")));
    assert.deepEqual(resetsOf(peer.sent()), ["1:1"]);
  });
}

test("a head that says there is a body, and ends the stream, is refused", () => {
  const peer = startPeer("server");
  peer.send(headers(1, END_STREAM, ...POST, "content-length", "5"));
  assert.deepEqual(peer.events, ["refused 1 http2_message_malformed"]);
});

test("padding does not count as body", () => {
  const peer = startPeer("server");
  peer.send(headers(1, 0, ...POST, "content-length", "5"), frame(DATA, END_STREAM | 8, 1, "\x03hello\0\0\0"));
  assert.deepEqual(peer.events.slice(1), ["data 1 hello", "end 1"]);
});

// === trailers ===

const TRAILERS: readonly {
  readonly name: string;
  readonly fields: readonly string[];
  readonly flags?: number;
}[] = [
  { name: "that do not end the stream", fields: ["x", "y"], flags: 0 },
  { name: "with a pseudo-header", fields: [":path", "/"] },
  { name: "with an unknown pseudo-header", fields: [":x", "y"] },
  { name: "with Content-Length", fields: ["content-length", "5"] },
  { name: "with Transfer-Encoding", fields: ["transfer-encoding", "chunked"] },
  { name: "with Host", fields: ["host", "a"] },
  { name: "with a header that servers trust", fields: ["x-forwarded-for", "127.0.0.1"] },
  { name: "with Cookie", fields: ["cookie", "a=1"] },
  { name: "with a line break", fields: ["x", "a\r\n\r\nGET / HTTP/1.1"] },
];

for (const { name, fields, flags = END_STREAM } of TRAILERS) {
  test(`trailers ${name} are refused`, () => {
    const peer = startPeer("server");
    peer.send(headers(1, 0, ...POST), headers(1, flags, ...fields));
    assert.deepEqual(peer.events.slice(1), ["reset 1 1 http2_message_malformed"]);
  });
}

// === responses ===

const RESPONSES: readonly { readonly name: string; readonly frames: readonly Buffer[] }[] = [
  { name: "no :status", frames: [headers(1, 0, "x", "y")] },
  { name: "a :status of two digits", frames: [headers(1, 0, ":status", "99")] },
  { name: "a :status with a reason", frames: [headers(1, 0, ":status", "200 OK")] },
  { name: "a :status below 100", frames: [headers(1, 0, ":status", "042")] },
  { name: "a :status twice", frames: [headers(1, 0, ":status", "200", ":status", "200")] },
  { name: "a :status of 101", frames: [headers(1, 0, ":status", "101")] },
  { name: "a :path", frames: [headers(1, 0, ":status", "200", ":path", "/")] },
  { name: "Transfer-Encoding", frames: [headers(1, 0, ":status", "200", "transfer-encoding", "chunked")] },
  { name: "a line break in a value", frames: [headers(1, 0, ":status", "200", "x", "a\r\n\r\n")] },
  {
    name: "two Content-Lengths",
    frames: [headers(1, 0, ":status", "200", "content-length", "1", "content-length", "2")],
  },
  { name: "an interim head that ends it", frames: [headers(1, END_STREAM, ":status", "103")] },
  { name: "data before its head", frames: [frame(DATA, 0, 1, "x")] },
  { name: "data behind an interim head", frames: [headers(1, 0, ":status", "103"), frame(DATA, 0, 1, "x")] },
  { name: "a length and no data", frames: [headers(1, END_STREAM, ":status", "200", "content-length", "5")] },
  {
    name: "data although it is 204",
    frames: [headers(1, 0, ":status", "204"), frame(DATA, END_STREAM, 1, "x")],
  },
];

for (const { name, frames } of RESPONSES) {
  test(`a response with ${name} is refused`, () => {
    const peer = startPeer("client");
    peer.connection.openStream([...GET], true);
    peer.sent();
    peer.send(...frames);
    assert.equal(peer.events.at(-1), "reset 1 1 http2_message_malformed");
    assert.ok(!peer.events.some((each) => each.startsWith("data") || each.endsWith(" end")));
    assert.deepEqual(resetsOf(peer.sent()), ["1:1"]);
  });
}

test("a response to HEAD may say a length without having it, and so may 304", () => {
  const peer = startPeer("client");
  peer.connection.openStream([":method", "HEAD", ...GET.slice(2)], true);
  peer.connection.openStream([...GET], true);
  peer.send(
    headers(1, END_STREAM, ":status", "200", "content-length", "5"),
    headers(3, END_STREAM, ":status", "304", "content-length", "5"),
  );
  assert.ok(peer.events.every((each) => each.endsWith(" end")));
  assert.equal(peer.connection.activeStreams, 0);
});
