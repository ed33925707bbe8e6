/**
 * The routes of one host that has path routes. A lookup walks the request path once, hashing as it goes, and asks
 * at the end of each segment whether a route ends there; nothing is allocated, however many routes there are.
 *
 *   /v2/carts/7?x      at each mark the hash so far is looked up: /v2, /v2/carts, /v2/carts/7
 *      ^     ^ ^
 */
import type { Route } from "./types.ts";

const SLASH = 0x2f;
const QUESTION_MARK = 0x3f;

// Random, so that nobody can register paths that all fall into one slot.
const SEED = Math.floor(Math.random() * 2 ** 32) | 0;
const next = (hash: number, code: number) => Math.imul(hash ^ code, 0x01000193);
/** ASCII upper case to lower case. */
const fold = (code: number) => (code >= 0x41 && code <= 0x5a ? code | 0x20 : code);

type Slot<A> = Route<A> | readonly Route<A>[];

export class HostRoutes<A> {
  /** The snapshot period it was made in; written in place only during that one. */
  readonly period: number;
  /** The route without path. */
  #root: Route<A> | null = null;
  readonly #byHash: Map<number, Slot<A>>;
  #pathCount = 0;
  /** Only ever grows; bounds the walk over a long request path. */
  #longestPath = 0;

  constructor(period: number, copied?: HostRoutes<A>) {
    this.period = period;
    if (copied === undefined) {
      this.#byHash = new Map();
      return;
    }
    this.#byHash = new Map(copied.#byHash);
    this.#root = copied.#root;
    this.#pathCount = copied.#pathCount;
    this.#longestPath = copied.#longestPath;
  }

  get root(): Route<A> | null {
    return this.#root;
  }
  get hasPaths(): boolean {
    return this.#pathCount > 0;
  }

  /**
   * The longest path by whole segments that somebody holds or that has endpoints. A classic pool that has run
   * empty is passed over for a shorter one, as upstream does; a held route never is.
   */
  match(path: string): Route<A> | null {
    let serving = this.#root;
    let empty: Route<A> | null = null;
    if (serving !== null && !isServing(serving)) {
      empty = serving;
      serving = null;
    }
    let hash = SEED;
    for (let i = 0; ; i++) {
      const code = i < path.length ? path.charCodeAt(i) : QUESTION_MARK;
      if (i > 0 && (code === SLASH || code === QUESTION_MARK)) {
        const route = this.#find(hash, path, i);
        if (route !== null) {
          if (isServing(route)) serving = route;
          else empty = route;
        }
      }
      if (code === QUESTION_MARK || i >= this.#longestPath) return serving ?? empty;
      hash = next(hash, fold(code));
    }
  }

  /** The route of exactly this path. */
  get(path: string): Route<A> | null {
    return path === "" ? this.#root : this.#find(hashOf(path), path, path.length);
  }

  put(route: Route<A>): void {
    if (route.path === "") {
      this.#root = route;
      return;
    }
    const hash = hashOf(route.path);
    const slot = slotRoutes(this.#byHash.get(hash));
    const others = slot.filter((other) => !isPath(other.path, route.path, route.path.length));
    if (others.length === slot.length) this.#pathCount++;
    this.#byHash.set(hash, others.length === 0 ? route : [...others, route]);
    this.#longestPath = Math.max(this.#longestPath, route.path.length);
  }

  remove(path: string): void {
    if (path === "") {
      this.#root = null;
      return;
    }
    const hash = hashOf(path);
    const slot = slotRoutes(this.#byHash.get(hash));
    const others = slot.filter((other) => !isPath(other.path, path, path.length));
    this.#pathCount -= slot.length - others.length;
    const [only] = others;
    if (only === undefined) this.#byHash.delete(hash);
    else this.#byHash.set(hash, others.length === 1 ? only : others);
  }

  *routes(): IterableIterator<Route<A>> {
    if (this.#root !== null) yield this.#root;
    for (const slot of this.#byHash.values()) yield* slotRoutes(slot);
  }

  /** The route whose path is the first `length` characters of `path`. */
  #find(hash: number, path: string, length: number): Route<A> | null {
    const slot = this.#byHash.get(hash);
    if (slot === undefined) return null;
    if (!isSeveral(slot)) return isPath(slot.path, path, length) ? slot : null;
    return slot.find((route) => isPath(route.path, path, length)) ?? null;
  }
}

const isServing = (route: Route<unknown>) => route.reservation !== null || route.endpoints.length > 0;

const isSeveral = <A>(slot: Slot<A>): slot is readonly Route<A>[] => Array.isArray(slot);

function slotRoutes<A>(slot: Slot<A> | undefined): readonly Route<A>[] {
  if (slot === undefined) return [];
  return isSeveral(slot) ? slot : [slot];
}

function hashOf(path: string): number {
  let hash = SEED;
  for (let i = 0; i < path.length; i++) hash = next(hash, fold(path.charCodeAt(i)));
  return hash;
}

function isPath(routePath: string, path: string, length: number): boolean {
  if (routePath.length !== length) return false;
  for (let i = 0; i < length; i++) {
    if (fold(routePath.charCodeAt(i)) !== fold(path.charCodeAt(i))) return false;
  }
  return true;
}
