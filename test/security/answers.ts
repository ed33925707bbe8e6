/** A strict client: reads answers off a connection exactly as RFC 9112 frames them, and refuses anything else. */
import type { Peer } from "../wire/support.ts";

export interface Answer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
  /** The end of the body was the end of the connection. */
  readonly endedByClose: boolean;
}

/** Framing and hop-by-hop lines have no place in an interim answer (RFC 9110 §15.2, RFC 9112 §6). */
const NEVER_INTERIM = /^(?:content-length|transfer-encoding|trailer|connection|keep-alive) *:/im;

/** The next final answer; interim ones are checked and passed over. */
export async function readAnswer(peer: Peer, method = "GET"): Promise<Answer> {
  for (;;) {
    const head = await peer.until("\r\n\r\n");
    const line = /^HTTP\/1\.[01] ([1-9]\d\d) [\t\x20-\x7e\x80-\xff]*\r\n/.exec(head);
    if (line === null) throw new Error(`no status line: ${JSON.stringify(head)}`);
    if (!/^[^\r\n]+\r\n(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n)*\r\n$/.test(head)) {
      throw new Error(`no head: ${JSON.stringify(head)}`);
    }
    const status = Number(line[1]);
    if (status >= 200) return { status, head, ...(await readBody(peer, head, method, status)) };
    if (NEVER_INTERIM.test(head)) throw new Error(`framing in an interim answer: ${JSON.stringify(head)}`);
    if (status === 101) throw new Error("101 without an upgrade");
  }
}

async function readBody(peer: Peer, head: string, method: string, status: number) {
  const lengths = [...head.matchAll(/^content-length: *(.*?)\r$/gim)].map((match) => match[1] as string);
  const codings = [...head.matchAll(/^transfer-encoding: *(.*?)\r$/gim)].map((match) => match[1] as string);
  if (lengths.length + codings.length > 1) throw new Error(`framed twice: ${JSON.stringify(head)}`);
  if (method === "HEAD" || status === 204 || status === 304) return { body: "", endedByClose: false };
  const [length] = lengths;
  if (length !== undefined) {
    if (!/^\d+$/.test(length)) throw new Error(`no length: ${length}`);
    return { body: await peer.bytes(Number(length)), endedByClose: false };
  }
  if (codings.length === 0) return { body: await peer.rest(), endedByClose: true };
  if (codings[0] !== "chunked") throw new Error(`unknown coding: ${codings[0]}`);
  let body = "";
  for (;;) {
    const size = /^([0-9a-f]+)\r\n$/.exec(await peer.until("\n"))?.[1];
    if (size === undefined) throw new Error("no chunk size");
    if (/^0+$/.test(size)) break;
    body += await peer.bytes(Number.parseInt(size, 16));
    if ((await peer.bytes(2)) !== "\r\n") throw new Error("a chunk without an end");
  }
  while ((await peer.until("\r\n")) !== "\r\n");
  return { body, endedByClose: false };
}
