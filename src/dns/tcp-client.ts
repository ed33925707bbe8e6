/**
 * One TCP client (RFC 7766): many queries on one connection, in any number of pieces, answered in order. It is closed
 * when it sends no whole query in time, and not read further while it does not take its answers.
 */
import type { Socket } from "node:net";
import type { Clock, Timer } from "../kernel/index.ts";
import { FrameReader, frameMessage } from "../wire/dns/index.ts";
import type { Exchange } from "./exchange.ts";

export function serveTcpClient(
  socket: Socket,
  { exchange, clock, idleTimeoutMs }: { exchange: Exchange; clock: Clock; idleTimeoutMs: number },
): void {
  const frames = new FrameReader();
  let hasEnded = false;
  let deadline: Timer | null = null;
  const restartDeadline = () => {
    deadline?.clear();
    deadline = clock.setTimeout(() => socket.destroy(), idleTimeoutMs);
  };

  const answerAll = () => {
    // One chunk may ask for a thousand times its size in answers, so they are made only as fast as they are taken.
    while (!socket.writableNeedDrain) {
      const message = frames.next();
      if (message === "invalid") {
        socket.destroy();
        return;
      }
      if (message === null) {
        socket.resume();
        // The client has said all it has to say, and has its answers; it may still be reading them.
        if (hasEnded) socket.end();
        return;
      }
      restartDeadline();
      const answer = exchange(message, "tcp");
      if (answer !== null) socket.write(frameMessage(answer));
    }
    socket.pause();
  };

  restartDeadline();
  socket.setNoDelay(true);
  socket.on("data", (bytes: Buffer) => {
    // A message gets its full time from its first byte; further bytes do not prolong it.
    if (frames.isEmpty) restartDeadline();
    frames.push(bytes);
    answerAll();
  });
  socket.on("drain", answerAll);
  socket.on("end", () => {
    hasEnded = true;
    answerAll();
  });
  // A reset is how some clients leave.
  socket.on("error", () => socket.destroy());
  socket.on("close", () => deadline?.clear());
}
