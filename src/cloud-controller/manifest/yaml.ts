/**
 * The YAML of a manifest → plain values. The text is a stranger's: a few lines with aliases can stand for gigabytes, and a
 * map of many keys takes the library's own checks minutes. So the library only parses, and what it found is turned into
 * values here, in one pass that counts what it makes.
 */
import { type Alias, isAlias, isMap, isScalar, isSeq, parseDocument, type Scalar, type YAMLMap } from "yaml";

/** A hundred apps with half a page of settings each. The library takes a quarter of a second for the worst of that size. */
const MAX_BYTES = 128 * 1024;
/** Characters of all texts and keys, and one for each value, with every alias written out. */
const MAX_EXPANDED = 1024 * 1024;

interface Made {
  readonly value: unknown;
  readonly size: number;
}

/**
 * @returns plain objects, lists, texts, numbers; what aliases name is shared, not copied.
 * @throws Error with a first line that says what is wrong
 */
export function readYaml(text: string): unknown {
  if (Buffer.byteLength(text) > MAX_BYTES) throw new Error(`it is larger than ${MAX_BYTES / 1024} KiB`);
  const document = parseDocument(text, { uniqueKeys: false, logLevel: "error" });
  const [error] = document.errors;
  if (error !== undefined) throw error;
  return new Maker().make(document.contents).value;
}

class Maker {
  /** What each anchor names; null while it is being made. */
  readonly #anchors = new Map<string, Made | null>();

  make(node: unknown): Made {
    if (isAlias(node)) return this.#named(node);
    const { anchor } = (node ?? {}) as { readonly anchor?: string };
    if (anchor !== undefined) this.#anchors.set(anchor, null);
    const made = this.#makeNew(node);
    if (made.size > MAX_EXPANDED) throw new Error("with its aliases written out it is too large");
    if (anchor !== undefined) this.#anchors.set(anchor, made);
    return made;
  }

  #named({ source }: Alias): Made {
    const made = this.#anchors.get(source);
    if (made === undefined) throw new Error(`Unresolved alias: ${source}`);
    if (made === null) throw new Error(`the alias ${source} is a part of what it names`);
    return made;
  }

  #makeNew(node: unknown): Made {
    if (isMap(node)) return this.#makeMap(node);
    if (isSeq(node)) {
      const items: unknown[] = [];
      let size = 1;
      for (const item of node.items) {
        const made = this.make(item);
        items.push(made.value);
        size = grown(size, made.size);
      }
      return { value: items, size };
    }
    const value = isScalar(node) ? valueOf(node) : null;
    if (typeof value !== "string") return { value, size: 1 };
    // PostgreSQL has no such character, and YAML can write it without one being in the text.
    if (value.includes("\0")) throw new Error("it holds a NUL character");
    return { value, size: 1 + value.length };
  }

  #makeMap({ items }: YAMLMap): Made {
    const own = new Map<string, unknown>();
    const merged = new Map<string, unknown>();
    let size = 1;
    for (const { key, value } of items) {
      const name = this.make(key);
      const made = this.make(value);
      size = grown(size, name.size + made.size);
      if (name.value === "<<") for (const [each, its] of mergedFrom(made.value)) merged.set(each, its);
      else {
        const text = String(name.value ?? "");
        if (own.has(text)) throw new Error(`Map keys must be unique, and '${text}' is there twice`);
        own.set(text, made.value);
      }
    }
    // What a map says itself counts more than what it takes over, wherever that stands.
    return { value: Object.fromEntries([...merged, ...own]), size };
  }
}

/** A number that is too long to be one keeps its digits: account numbers are written so. */
function valueOf({ value, source }: Scalar): unknown {
  if (typeof value === "object" && value !== null) throw new Error("it holds bytes; write text");
  const isInexact = Number.isInteger(value) && !Number.isSafeInteger(value);
  return isInexact && source !== undefined ? source : value;
}

/** Refuses early: what is too large in the middle need not be made to its end. */
function grown(size: number, by: number): number {
  if (size + by > MAX_EXPANDED) throw new Error("with its aliases written out it is too large");
  return size + by;
}

/** Of several maps the first that says something counts: `<<: [*near, *far]`. */
function mergedFrom(value: unknown): readonly (readonly [string, unknown])[] {
  const maps = Array.isArray(value) ? value.toReversed() : [value];
  return maps.flatMap((map: unknown) => {
    if (typeof map !== "object" || map === null || Array.isArray(map)) {
      throw new Error("Merge sources must be maps or map aliases");
    }
    return Object.entries(map);
  });
}
