import type { BusStatus } from "./types.ts";

/** Who wants to know of status changes; tells them once per change. */
export function createStatusListeners(initial: BusStatus) {
  let status = initial;
  const handlers = new Set<(status: BusStatus) => void>();
  return {
    get status() {
      return status;
    },
    set(next: BusStatus) {
      if (next === status) return;
      status = next;
      for (const handler of Array.from(handlers)) handler(next);
    },
    add(handler: (status: BusStatus) => void) {
      // Wrapped, so that the same function added twice is called twice and removed once.
      const own = (next: BusStatus) => handler(next);
      handlers.add(own);
      return () => void handlers.delete(own);
    },
    clear: () => handlers.clear(),
  };
}
