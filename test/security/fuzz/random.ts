/** Randomness that a number repeats, and ways to spoil a text. Texts have one character per byte. */

export interface Random {
  /** 0 … limit − 1. */
  below(limit: number): number;
  /** True once in `n`. */
  oneIn(n: number): boolean;
  pick<T>(list: readonly T[]): T;
}

/** mulberry32: small, and the same everywhere. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const below = (limit: number) => next() % limit;
  return {
    below,
    oneIn: (n) => below(n) === 0,
    pick: <T>(list: readonly T[]) => list[below(list.length)] as T,
  };
}

/** One to five changes: bytes, whole lines, numbers, words of the grammar, pieces of another text. */
export function mutate(
  random: Random,
  text: string,
  words: readonly string[],
  others: readonly string[],
): string {
  let out = text;
  for (let changes = 1 + random.below(5); changes > 0; changes--)
    out = mutateOnce(random, out, words, others);
  return out.slice(0, MAX_LENGTH);
}

const MAX_LENGTH = 8 * 1024;

function mutateOnce(
  random: Random,
  text: string,
  words: readonly string[],
  others: readonly string[],
): string {
  const at = random.below(text.length + 1);
  const end = Math.min(text.length, at + 1 + random.below(8));
  switch (random.below(9)) {
    case 0:
      return text.slice(0, at) + String.fromCharCode(random.below(256)) + text.slice(at + 1);
    case 1:
      return text.slice(0, at) + String.fromCharCode(random.below(256)) + text.slice(at);
    case 2:
      return text.slice(0, at) + text.slice(end);
    case 3:
      return text.slice(0, end) + text.slice(at);
    case 4:
      return text.slice(0, at) + random.pick(words) + text.slice(at);
    case 5: {
      const other = random.pick(others);
      return text.slice(0, at) + other.slice(random.below(other.length + 1));
    }
    case 6: {
      const lines = text.split("\r\n");
      lines.splice(random.below(lines.length + 1), 0, random.pick(lines));
      return lines.join("\r\n");
    }
    case 7: {
      const lines = text.split("\r\n");
      const [line = ""] = lines.splice(random.below(lines.length), 1);
      lines.splice(random.below(lines.length + 1), 0, line);
      return lines.join("\r\n");
    }
    default:
      return text.replace(/\d+/g, (number) =>
        random.oneIn(2) ? number : String(Number(number) + random.below(5) - 2),
      );
  }
}

/** Cuts a text into pieces, most of them short. */
export function cut(random: Random, text: string): string[] {
  const pieces: string[] = [];
  for (let at = 0; at < text.length; ) {
    const size = 1 + random.below(random.oneIn(3) ? 200 : 12);
    pieces.push(text.slice(at, at + size));
    at += size;
  }
  return pieces;
}
