import assert from "node:assert/strict";
import test from "node:test";
import { RequestHead, ResponseHead } from "../../wire/http1/index.ts";
import { NAMES } from "../header-names.ts";
import {
  requestFields,
  requestText,
  responseFields,
  responseText,
  trailerFields,
  trailerText,
} from "./messages.ts";

const LIMITS = { maxHeadBytes: 4_096, maxHeaders: 0 };
const GET = [":method", "GET", ":scheme", "https", ":authority", "a.example.com", ":path", "/x?y"];

for (const { name, fields, endsStream, want, lineCount } of [
  {
    name: "the authority becomes Host, in front",
    fields: [...GET, "accept", "*/*"],
    endsStream: true,
    want: "GET /x?y HTTP/1.1\r\nHost: a.example.com\r\naccept: */*\r\n\r\n",
    lineCount: 2,
  },
  {
    name: "a host beside the authority is said once",
    fields: [...GET, "host", "a.example.com"],
    endsStream: true,
    want: "GET /x?y HTTP/1.1\r\nHost: a.example.com\r\n\r\n",
    lineCount: 1,
  },
  {
    name: "a host without an authority is the host",
    fields: [":method", "GET", ":scheme", "https", ":path", "/", "host", "b.example.com"],
    endsStream: true,
    want: "GET / HTTP/1.1\r\nhost: b.example.com\r\n\r\n",
    lineCount: 1,
  },
  {
    name: "a body of a length keeps it",
    fields: [...GET, "content-length", "3"],
    endsStream: false,
    want: "GET /x?y HTTP/1.1\r\nHost: a.example.com\r\ncontent-length: 3\r\n\r\n",
    lineCount: 2,
  },
  {
    name: "a body without one is chunked",
    fields: GET,
    endsStream: false,
    want: "GET /x?y HTTP/1.1\r\nHost: a.example.com\r\nTransfer-Encoding: chunked\r\n\r\n",
    lineCount: 2,
  },
]) {
  test(`of a request's fields, ${name}`, () => {
    const head = requestText(fields, endsStream);
    assert.deepEqual(head, { text: want, lineCount, isChunked: want.includes("chunked") });
    const parsed = new RequestHead();
    assert.ok(parsed.parse(head.text, 0, NAMES, LIMITS));
    assert.deepEqual([parsed.lineCount, parsed.end], [lineCount, want.length]);
  });
}

for (const { name, fields, endsStream, method, want } of [
  {
    name: "a length stays",
    fields: [":status", "200", "content-length", "2", "x-own", "1"],
    endsStream: false,
    method: "GET",
    want: "HTTP/1.1 200 OK\r\nx-own: 1\r\ncontent-length: 2\r\n\r\n",
  },
  {
    name: "a head alone has an empty body, and says so",
    fields: [":status", "404"],
    endsStream: true,
    method: "GET",
    want: "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
  },
  {
    name: "the answer to HEAD says nothing that the endpoint did not",
    fields: [":status", "200"],
    endsStream: true,
    method: "HEAD",
    want: "HTTP/1.1 200 OK\r\n\r\n",
  },
  {
    name: "a 304 has no length of ours",
    fields: [":status", "304"],
    endsStream: true,
    method: "GET",
    want: "HTTP/1.1 304 Not Modified\r\n\r\n",
  },
  {
    name: "an interim answer has none either",
    fields: [":status", "103", "link", "</a>"],
    endsStream: false,
    method: "GET",
    want: "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n",
  },
  {
    name: "announced trailers take the length's place, which HTTP/1.1 could not have beside them",
    fields: [":status", "200", "content-length", "2", "trailer", "x-sum"],
    endsStream: false,
    method: "GET",
    want: "HTTP/1.1 200 OK\r\ntrailer: x-sum\r\n\r\n",
  },
  {
    name: "an unknown status has no reason",
    fields: [":status", "599"],
    endsStream: false,
    method: "GET",
    want: "HTTP/1.1 599 \r\n\r\n",
  },
]) {
  test(`of an answer's fields, ${name}`, () => {
    const text = responseText(fields, endsStream, method);
    assert.equal(text, want);
    assert.ok(new ResponseHead().parse(text, 0, NAMES, LIMITS));
  });
}

test("a head for HTTP/2 has pseudo-headers first, and nothing that is about a connection", () => {
  const lines =
    "Host: a.example.com\r\nConnection: x\r\nKeep-Alive: 5\r\nTransfer-Encoding: chunked\r\nX-Own: 1\r\nTE: trailers\r\n";
  const request = new RequestHead();
  request.parse(`POST /x HTTP/1.1\r\n${lines}\r\n`, 0, NAMES, LIMITS);
  assert.deepEqual(requestFields(request, "http"), [
    ":method",
    "POST",
    ":scheme",
    "http",
    ":authority",
    "a.example.com",
    ":path",
    "/x",
    "X-Own",
    "1",
    "TE",
    "trailers",
  ]);
  const response = new ResponseHead();
  const repeated = "Content-Length: 2\r\nContent-Length: 2\r\nConnection: close\r\n";
  response.parse(`HTTP/1.0 200 Fine\r\n${repeated}\r\n`, 0, NAMES, LIMITS);
  assert.deepEqual(responseFields(response), [":status", "200", "Content-Length", "2"]);
});

test("trailers are the same both ways", () => {
  const fields = ["grpc-status", "0", "x-empty", ""];
  assert.equal(trailerText(fields), "grpc-status: 0\r\nx-empty: \r\n");
  assert.deepEqual(trailerFields(trailerText(fields)), fields);
  assert.deepEqual(trailerFields("X-Sum:\t1 \r\n"), ["X-Sum", "1"]);
});
