/**
 * A JSON list that comes in pieces, each item decoded by itself, so that no turn is as long as the list.
 *
 *   [ ──► item ──,──► item ──,──► … ──► ] ──► nothing but blanks
 */
import { inTurns } from "./in-turns.ts";

const QUOTE = 34;
const COMMA = 44;
const OPENING_BRACKET = 91;
const BACKSLASH = 92;
const CLOSING_BRACKET = 93;
const OPENING_BRACE = 123;
const CLOSING_BRACE = 125;

/** @returns null when it is no list, or not a whole one. Rejects when the bytes do. */
export async function readJsonList(bytes: AsyncIterable<Uint8Array>): Promise<readonly unknown[] | null> {
  const splitter = new ListSplitter();
  const utf8 = new TextDecoder();
  const items: unknown[] = [];
  let isList = true;
  for await (const piece of inTurns(bytes)) {
    // To its end, so that the connection ends as it should.
    if (!isList) continue;
    try {
      for (const item of splitter.push(utf8.decode(piece, { stream: true }))) items.push(JSON.parse(item));
    } catch {
      isList = false;
    }
  }
  return isList && splitter.isWhole ? items : null;
}

/** Finds where items end, and leaves it to `JSON.parse` what they are. */
class ListSplitter {
  /** Brackets and braces that are open, the list's own included. */
  #depth = 0;
  #isInText = false;
  #isEscaped = false;
  /** What has come of an item that is not over. */
  #begun = "";
  #items = 0;
  isWhole = false;

  /** @throws SyntaxError when it is no list */
  push(text: string): string[] {
    const items: string[] = [];
    let from = 0;
    const endItem = (at: number) => {
      items.push(this.#begun + text.slice(from, at));
      this.#items++;
      this.#begun = "";
      from = at + 1;
    };
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (this.#isInText) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (code === BACKSLASH) this.#isEscaped = true;
        else if (code === QUOTE) this.#isInText = false;
        continue;
      }
      if (this.#depth === 0) {
        if (/\s/.test(text.charAt(at))) continue;
        if (code !== OPENING_BRACKET || this.isWhole) throw new SyntaxError("no list");
        from = at + 1;
      }
      switch (code) {
        case QUOTE:
          this.#isInText = true;
          break;
        case OPENING_BRACKET:
        case OPENING_BRACE:
          this.#depth++;
          break;
        case COMMA:
          if (this.#depth === 1) endItem(at);
          break;
        case CLOSING_BRACKET:
        case CLOSING_BRACE:
          if (--this.#depth > 0) break;
          this.isWhole = true;
          if (this.#items > 0 || (this.#begun + text.slice(from, at)).trim() !== "") endItem(at);
          break;
      }
    }
    if (this.#depth > 0) this.#begun += text.slice(from);
    return items;
  }
}
