/**
 * A map that grows without a pause. A JavaScript map doubles by putting all its entries into a new one: at the 65,537th
 * that takes 3 to 13 ms, and maps of the same things do so at the same moment. This one becomes many small maps.
 *
 *   few:   one map
 *   many:  key ──hash──► one of 64 maps        each write moves some of the first map's entries, until it is empty
 *
 * Not for what requests look up: among 100,000 keys that takes half as long again. A map without entries is not asked:
 * V8 puts each text that a map is asked for into a table of its own.
 */
const SHARDS = 64;
/** Doubling up to here takes half a millisecond. */
const MOST_TOGETHER = 8_192;
const MOVED_PER_WRITE = 8;
/** Names that differ at all nearly always do within these, and in every second character of them. */
const HASHED_LENGTH = 40;

export class ShardedMap<V> {
  /** All entries, or those that have not been moved yet. */
  readonly #first = new Map<string, V>();
  #shards: readonly Map<string, V>[] | null = null;
  /** Goes through the first map; null when nothing is to be moved. */
  #moving: Iterator<[string, V]> | null = null;
  #sizeOfShards = 0;

  get size(): number {
    return this.#first.size + this.#sizeOfShards;
  }

  get(key: string): V | undefined {
    if (this.#shards === null) return this.#first.size === 0 ? undefined : this.#first.get(key);
    const value = shardOf(this.#shards, key).get(key);
    return value !== undefined || this.#moving === null ? value : this.#first.get(key);
  }

  has(key: string): boolean {
    return this.#first.has(key) || (this.#shards !== null && shardOf(this.#shards, key).has(key));
  }

  set(key: string, value: V): void {
    if (this.#shards === null) {
      this.#first.set(key, value);
      if (this.#first.size >= MOST_TOGETHER) this.#split();
      return;
    }
    if (this.#moving !== null) this.#move(this.#shards, this.#moving);
    if (this.#moving !== null && this.#first.has(key)) this.#first.set(key, value);
    else this.#put(this.#shards, key, value);
  }

  delete(key: string): void {
    if (this.#first.size > 0 && this.#first.delete(key)) return;
    if (this.#shards === null) return;
    if (shardOf(this.#shards, key).delete(key)) this.#sizeOfShards--;
  }

  /**
   * In no order. Not copied: what is written while one iterates shows or does not, as in any map, and what is moved
   * meanwhile may come twice.
   */
  *entries(): IterableIterator<[string, V]> {
    yield* this.#first.entries();
    for (const shard of this.#shards ?? []) yield* shard.entries();
  }

  *keys(): IterableIterator<string> {
    for (const [key] of this.entries()) yield key;
  }

  #split(): void {
    this.#shards = Array.from({ length: SHARDS }, () => new Map());
    this.#moving = this.#first.entries();
  }

  #move(shards: readonly Map<string, V>[], moving: Iterator<[string, V]>): void {
    for (let moved = 0; moved < MOVED_PER_WRITE; moved++) {
      const next = moving.next();
      if (next.done === true) {
        this.#moving = null;
        return;
      }
      const [key, value] = next.value;
      this.#first.delete(key);
      this.#put(shards, key, value);
    }
  }

  #put(shards: readonly Map<string, V>[], key: string, value: V): void {
    const shard = shardOf(shards, key);
    this.#sizeOfShards -= shard.size;
    shard.set(key, value);
    this.#sizeOfShards += shard.size;
  }
}

function shardOf<V>(shards: readonly Map<string, V>[], key: string): Map<string, V> {
  const length = Math.min(key.length, HASHED_LENGTH);
  let hash = length;
  for (let i = 0; i < length; i += 2) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return shards[(hash ^ (hash >>> 15)) & (SHARDS - 1)] as Map<string, V>;
}
