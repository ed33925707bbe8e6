import { SocketRing } from "./socket-ring.ts";
import { openSystem } from "./system.ts";

/** The ring, or why there is none: a sentence for the log. */
export type RingOrReason = { readonly ring: SocketRing } | { readonly ring: null; readonly reason: string };

let opened: RingOrReason | null = null;

/** The ring of this thread, which lasts as long as its event loop does. */
export function openSocketRing(): RingOrReason {
  opened ??= open();
  return opened;
}

function open(): RingOrReason {
  if (process.platform !== "linux") return { ring: null, reason: "io_uring is of Linux" };
  try {
    return { ring: new SocketRing(openSystem()) };
  } catch (error) {
    return { ring: null, reason: error instanceof Error ? error.message : String(error) };
  }
}
