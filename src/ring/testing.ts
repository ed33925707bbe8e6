/** Pairs of connected sockets of which nobody reads one end, and a listener that remembers. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { openSocketRing, type RingListener, type SocketRing } from "./index.ts";

/** The ring; null after skipping the test where there is none. */
export function ringFor(t: TestContext): SocketRing | null {
  const opened = openSocketRing();
  if (opened.ring === null) t.skip(opened.reason);
  return opened.ring;
}

export interface Pair {
  /** Not reading. */
  readonly ours: Socket;
  readonly fd: number;
  readonly peer: Socket;
}

export async function connectedPair(t: TestContext): Promise<Pair> {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const ours = connect({
    port: (server.address() as AddressInfo).port,
    host: "127.0.0.1",
    allowHalfOpen: true,
  });
  ours.pause();
  const [peer] = (await once(server, "connection")) as [Socket];
  if (ours.connecting) await once(ours, "connect");
  for (const socket of [ours, peer]) socket.on("error", () => {});
  t.after(() => {
    ours.destroy();
    peer.destroy();
    server.close();
  });
  const { fd } = (ours as unknown as { _handle: { fd: number } })._handle;
  return { ours, fd, peer };
}

/** What a socket's owner hears, as lines; bytes as text. */
export class Memo implements RingListener {
  readonly lines: string[] = [];
  /** All that was given back. */
  rest: Buffer = Buffer.alloc(0);
  #wake: () => void = () => {};

  received(bytes: Buffer, size: number): void {
    this.#note(`received ${bytes.toString("latin1", 0, size)}`);
  }

  ended(): void {
    this.#note("ended");
  }

  readable(): void {
    this.#note("readable");
  }

  writable(): void {
    this.#note("writable");
  }

  sent(rest: Buffer | null): void {
    if (rest !== null) this.rest = rest;
    this.#note(rest === null ? "sent" : "sent in part");
  }

  failed(call: "read" | "write", errno: number): void {
    this.#note(`${call} failed ${errno}`);
  }

  async until(count: number): Promise<readonly string[]> {
    while (this.lines.length < count) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.lines;
  }

  #note(line: string): void {
    this.lines.push(line);
    this.#wake();
  }
}

/** A socket of a ring, and its other end; null where there is no ring, which has been said. */
export async function addedSocket(t: TestContext) {
  const ring = ringFor(t);
  if (ring === null) return null;
  const { fd, peer } = await connectedPair(t);
  const memo = new Memo();
  const socket = ring.add(fd, memo);
  t.after(() => socket.close());
  return { peer, memo, socket };
}
