import type { Socket } from "node:net";

/** What a peer has received when it has so many bytes, or the end. */
export async function readAll(peer: Socket, bytes = Number.POSITIVE_INFINITY): Promise<string> {
  let text = "";
  for await (const chunk of peer.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    text += chunk.toString("latin1");
    if (text.length >= bytes) break;
  }
  return text;
}
