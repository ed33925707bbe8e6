/**
 * A map with snapshots in constant time. Keys are spread over shards; a snapshot shares every shard, and the
 * first write to a shard afterwards copies that shard alone.
 *
 *   live ──► [ s0 │ s1'│ s2 │ … ]      s1 was written after the snapshot: the live map has its own copy
 *   snap ──► [ s0 │ s1 │ s2 │ … ]      all others are shared and never written again before being copied
 */

/**
 * With a million keys a shard holds about a thousand, which is 20–40 µs to copy; with few keys the shards that
 * are never used cost one empty slot each.
 */
const SHARDS = 1024;

/** What a snapshot may do. */
export interface ReadonlyShardedMap<V> {
  readonly size: number;
  get(key: string): V | undefined;
  /** Safe against writes to the live map only on a snapshot. */
  values(): IterableIterator<V>;
}

export class ShardedMap<V> implements ReadonlyShardedMap<V> {
  #shards: (Map<string, V> | undefined)[];
  #ownsShardList = true;
  /** 1 where the shard is ours alone and may be written in place. */
  readonly #owned: Uint8Array;
  #size = 0;

  constructor(copied?: ShardedMap<V>) {
    this.#owned = new Uint8Array(SHARDS);
    if (copied === undefined) {
      this.#shards = Array.from({ length: SHARDS }, () => undefined);
      return;
    }
    this.#shards = copied.#shards;
    this.#ownsShardList = false;
    this.#size = copied.#size;
  }

  get size(): number {
    return this.#size;
  }

  get(key: string): V | undefined {
    return this.#shards[shardOf(key)]?.get(key);
  }

  set(key: string, value: V): void {
    const shard = this.#writable(shardOf(key));
    const before = shard.size;
    shard.set(key, value);
    this.#size += shard.size - before;
  }

  delete(key: string): void {
    const at = shardOf(key);
    if (this.#shards[at]?.has(key) !== true) return;
    this.#writable(at).delete(key);
    this.#size--;
  }

  /** Never changes, whatever is written to this map later. */
  snapshot(): ReadonlyShardedMap<V> {
    this.#ownsShardList = false;
    this.#owned.fill(0);
    return new ShardedMap(this);
  }

  *values(): IterableIterator<V> {
    for (const shard of this.#shards) {
      if (shard !== undefined) yield* shard.values();
    }
  }

  #writable(at: number): Map<string, V> {
    const shard = this.#shards[at];
    if (shard !== undefined && this.#owned[at] === 1) return shard;
    if (!this.#ownsShardList) {
      this.#shards = this.#shards.slice();
      this.#ownsShardList = true;
    }
    const own = new Map(shard);
    this.#shards[at] = own;
    this.#owned[at] = 1;
    return own;
  }
}

/** FNV-1a over the UTF-16 units, as in {@link import("./host-routes.ts")}; all of them, since hosts differ anywhere. */
function shardOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 15)) & (SHARDS - 1);
}
