/**
 * Messages between HTTP/2's fields and the text of HTTP/1.1 that exchanges read and write (RFC 9113 §8). What is in the
 * fields has been checked by `wire/http2`, what becomes of the text is read by `wire/http1`, so neither can make the
 * other mean something else.
 */
import { STATUS_CODES } from "node:http";
import type { FieldList } from "../../wire/http2/index.ts";
import {
  CONNECTION,
  CONTENT_LENGTH,
  HOST_NAME,
  KEEP_ALIVE,
  PROXY_CONNECTION,
  type RequestHead,
  type ResponseHead,
  TRANSFER_ENCODING,
  UPGRADE,
} from "../../wire/http1/index.ts";

/** A head as text, its empty line included. */
export interface HeadText {
  readonly text: string;
  /** Header lines in it. */
  readonly lineCount: number;
  /** The body that follows has to be put into chunks. */
  readonly isChunked: boolean;
}

/** A request that a client sent. Where it has no `:authority`, its own `host` stays what it is. */
export function requestText(fields: FieldList, endsStream: boolean): HeadText {
  let method = "";
  let path = "";
  let authority = "";
  let hasLength = false;
  let lines = "";
  let lineCount = 0;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    const value = fields[i + 1] as string;
    switch (name) {
      case ":method":
        method = value;
        continue;
      case ":path":
        path = value;
        continue;
      case ":authority":
        authority = value;
        continue;
      case ":scheme":
        // A client on TLS says https; what endpoints are told is what we know.
        continue;
      case "host":
        // The same as the authority, when there is one.
        if (authority !== "") continue;
        break;
      case "content-length":
        hasLength = true;
    }
    lines += name + ": " + value + "\r\n";
    lineCount++;
  }
  if (authority !== "") {
    lines = "Host: " + authority + "\r\n" + lines;
    lineCount++;
  }
  const isChunked = !endsStream && !hasLength;
  if (isChunked) {
    lines += "Transfer-Encoding: chunked\r\n";
    lineCount++;
  }
  // CONNECT has no path; it is refused like that of HTTP/1.1.
  const target = path === "" ? authority : path;
  return { text: method + " " + target + " HTTP/1.1\r\n" + lines + "\r\n", lineCount, isChunked };
}

/** The answer to a client. */
export function responseFields(head: ResponseHead): FieldList {
  return pushLines([":status", String(head.status)], head);
}

/** A request to an endpoint. */
export function requestFields(head: RequestHead, scheme: "http" | "https"): FieldList {
  const fields = [":method", head.method, ":scheme", scheme];
  if (head.hostLine !== -1) fields.push(":authority", head.value(head.hostLine));
  fields.push(":path", head.target);
  return pushLines(fields, head);
}

/** An endpoint's answer, or one of its interim answers. @param method  of the request */
export function responseText(fields: FieldList, endsStream: boolean, method: string): string {
  const status = Number(fields[1]);
  let lines = "";
  let length = "";
  let announcesTrailers = false;
  for (let i = 2; i < fields.length; i += 2) {
    const name = fields[i] as string;
    const line = name + ": " + (fields[i + 1] as string) + "\r\n";
    if (name === "content-length") length = line;
    else lines += line;
    announcesTrailers ||= name === "trailer";
  }
  const isBodyless = status < 200 || status === 204 || status === 304 || method === "HEAD";
  // A body of a length has no trailers in HTTP/1.1; one without is ended by the stream.
  if (announcesTrailers && !endsStream) length = "";
  // Said, so that an answer that is only a head stays one: gRPC tells such from a head with an empty body.
  else if (endsStream && length === "" && !isBodyless) length = "content-length: 0\r\n";
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines}${length}\r\n`;
}

/** Trailer fields as lines. */
export function trailerText(fields: FieldList): string {
  let text = "";
  for (let i = 0; i < fields.length; i += 2) text += `${fields[i]}: ${fields[i + 1]}\r\n`;
  return text;
}

/** @param text  lines, each with its CRLF, as `BodyReader` leaves them */
export function trailerFields(text: string): FieldList {
  const fields: FieldList = [];
  for (const line of text.split("\r\n")) {
    if (line === "") continue;
    const colon = line.indexOf(":");
    fields.push(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return fields;
}

/** What is about a connection of HTTP/1.1, or is said by a pseudo-header (RFC 9113 §8.2.2). */
const STAYS_BEHIND = new Set([
  HOST_NAME,
  CONNECTION,
  KEEP_ALIVE,
  PROXY_CONNECTION,
  TRANSFER_ENCODING,
  UPGRADE,
]);

function pushLines(fields: FieldList, head: RequestHead | ResponseHead): FieldList {
  let hasLength = false;
  for (let i = 0; i < head.lineCount; i++) {
    const id = head.nameId(i);
    if (id !== 0 && STAYS_BEHIND.has(id)) continue;
    if (id === CONTENT_LENGTH) {
      // In HTTP/1.1 a length may be repeated.
      if (hasLength) continue;
      hasLength = true;
    }
    fields.push(head.name(i), head.value(i));
  }
  return fields;
}
