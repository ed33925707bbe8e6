/**
 * The Huffman code of RFC 7541 appendix B, read four bits at a time. The code is canonical: codes of one length are
 * consecutive, in the order of the symbols, so that the lengths alone say all of them.
 *
 *   state × nibble ──► next state, and the symbol that these four bits complete, if they do
 *
 * The shortest code has five bits, so a nibble completes one symbol at most. Sending is not compressed: fields that
 * repeat are one byte each by their index, and what remains is not worth the processor's time behind a load balancer.
 */

const END_OF_STRING = 256;
/** Length of each symbol's code in bits: 0 … 255, and the end of the string, which never stands in one. */
const LENGTHS: readonly number[] = [
  // 0x00
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28,
  28, 28, 28, 28, 28,
  // 0x20
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  // 0x40
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  // 0x60
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  // 0x80
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22,
  23, 22, 23, 23, 24,
  // 0xa0
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22,
  22, 23, 22, 22, 23,
  // 0xc0
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26,
  26, 28, 27, 27, 27,
  // 0xe0
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27,
  27, 27, 27, 27, 26,
  // the end
  30,
];

const NIBBLES = 16;
/** Bits of an entry: the next state (there are 256, one for each inner node), the symbol, and three marks. */
const SYMBOL_SHIFT = 8;
const EMITS = 1 << 16;
/** The next state is the root, or on the way to the end of the string by fewer than 8 bits: a text may stop here. */
const MAY_STOP = 1 << 17;
const FAILS = 1 << 18;

const TRANSITIONS = buildTransitions();

/** What is decoded goes here before it becomes a string; larger texts get a buffer of their own. */
const scratch = Buffer.allocUnsafeSlow(8 * 1024);

/**
 * @returns the text of `bytes[from, to)`; null when it holds the end of the string, or is not padded with fewer than
 * eight of its first bits.
 */
export function decodeHuffman(bytes: Uint8Array, from: number, to: number): string | null {
  const most = ((to - from) * 8) / 5;
  const out = most <= scratch.length ? scratch : Buffer.allocUnsafeSlow(Math.ceil(most));
  let size = 0;
  let entry = MAY_STOP;
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number;
    entry = TRANSITIONS[((entry & 0xff) << 4) | (byte >> 4)] as number;
    if ((entry & EMITS) !== 0) out[size++] = (entry >> SYMBOL_SHIFT) & 0xff;
    if ((entry & FAILS) !== 0) return null;
    entry = TRANSITIONS[((entry & 0xff) << 4) | (byte & 15)] as number;
    if ((entry & EMITS) !== 0) out[size++] = (entry >> SYMBOL_SHIFT) & 0xff;
    if ((entry & FAILS) !== 0) return null;
  }
  return (entry & MAY_STOP) === 0 ? null : out.toString("latin1", 0, size);
}

/** A node's children by bit: another node, or a symbol as its complement (−1 − symbol). */
interface Tree {
  readonly zero: number[];
  readonly one: number[];
}

function buildTree(): Tree {
  const tree: Tree = { zero: [0], one: [0] };
  const symbols = LENGTHS.map((_, symbol) => symbol).sort(
    (a, b) => (LENGTHS[a] as number) - (LENGTHS[b] as number) || a - b,
  );
  let code = 0;
  let codeLength = 0;
  for (const symbol of symbols) {
    const length = LENGTHS[symbol] as number;
    code *= 2 ** (length - codeLength);
    codeLength = length;
    let node = 0;
    for (let bit = length - 1; bit >= 0; bit--) {
      const side = Math.floor(code / 2 ** bit) % 2 === 0 ? tree.zero : tree.one;
      if (bit === 0) side[node] = -1 - symbol;
      else {
        if (side[node] === 0) {
          side[node] = tree.zero.length;
          tree.zero.push(0);
          tree.one.push(0);
        }
        node = side[node] as number;
      }
    }
    code++;
  }
  return tree;
}

function buildTransitions(): Int32Array {
  const tree = buildTree();
  const stops = new Set<number>([0]);
  for (let node = 0, depth = 1; depth < 8; depth++) {
    node = tree.one[node] as number;
    stops.add(node);
  }
  const transitions = new Int32Array(tree.zero.length * NIBBLES);
  for (let state = 0; state < tree.zero.length; state++) {
    for (let nibble = 0; nibble < NIBBLES; nibble++) {
      let node = state;
      let entry = 0;
      for (let bit = 3; bit >= 0; bit--) {
        node = ((nibble >> bit) & 1 ? tree.one[node] : tree.zero[node]) as number;
        if (node >= 0) continue;
        const symbol = -1 - node;
        entry |= symbol === END_OF_STRING ? FAILS : EMITS | (symbol << SYMBOL_SHIFT);
        node = 0;
      }
      if (stops.has(node)) entry |= MAY_STOP;
      transitions[state * NIBBLES + nibble] = entry | node;
    }
  }
  return transitions;
}
