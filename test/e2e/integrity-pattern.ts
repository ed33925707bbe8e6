/** Bytes that say whose they are, and where they belong. */

const WORD_BYTES = 8;

/** `bytes` of them: the seed and the offset, four bytes each, again and again. */
export function pattern(seed: number, bytes: number): Buffer {
  const memory = Buffer.alloc(Math.ceil(bytes / WORD_BYTES) * WORD_BYTES);
  for (let at = 0; at < memory.length; at += WORD_BYTES) {
    memory.writeUInt32LE(seed, at);
    memory.writeUInt32LE(at, at + 4);
  }
  return memory.subarray(0, bytes);
}

export const isPatternOf = (seed: number, found: Buffer, bytes = found.length): boolean =>
  found.length === bytes && found.equals(pattern(seed, bytes));

/** The same in pieces of odd sizes, which the seed decides. */
export function* patternPieces(seed: number, bytes: number) {
  const whole = pattern(seed, bytes);
  let size = 1 + (seed % 1_000);
  for (let at = 0; at < bytes; ) {
    const end = Math.min(at + size, bytes);
    yield { bytes: whole.subarray(at, end), end };
    at = end;
    size = (size * 5 + 1) % 40_000 || 1;
  }
}

/** Numbers below `limit`, the same for the same seed (a linear congruential generator; quality does not matter here). */
export function createDice(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}
