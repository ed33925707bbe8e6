/** Who wants a bus to wait; it waits until nobody does. */
export function createPauses(on: { readonly pause: () => void; readonly resume: () => void }) {
  let count = 0;
  return {
    get isPaused() {
      return count > 0;
    },
    /** Returns how to go on; calling that again does nothing. */
    pause(): () => void {
      if (count++ === 0) on.pause();
      let isOver = false;
      return () => {
        if (isOver) return;
        isOver = true;
        if (--count === 0) on.resume();
      };
    },
  };
}
