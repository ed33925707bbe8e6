/**
 * Which endpoint of a pool a key belongs to: a ring of points, many per endpoint, on which a key looks from several
 * places and takes the nearest point behind any of them.
 *
 *     0 ──a──c────b──a────────c─b───a──► 2³²      points of the endpoints a, b, c
 *          ▲ 1           ▲ 2      ▲ 3             places a key looks from: 3 is nearest to its next point, so «b»
 *
 * An endpoint that joins takes only the keys it is now nearest to; one that leaves gives away only its own. The table
 * grows with the pool, and nothing in it depends on its size: a Maglev table would move nearly every key when
 * its size changes (`bench/balancing/`). Looking from several places evens out what plain rings share unevenly.
 *
 * Made of the endpoints' identities alone, whatever their order: routers that never talk agree.
 */
import { endpointAddress } from "../table/index.ts";
import type { Candidate } from "./define.ts";

/** With these two the shares differ by some 5 % (standard deviation); more points cost memory, more looks time. */
const POINTS_PER_ENDPOINT = 32;
const LOOKS_PER_KEY = 8;
/** 2³² by the golden ratio: spreads consecutive numbers far apart before they are mixed. */
const STEP = 0x9e3779b9;

export class HashTable {
  /** Instance GUIDs where they are known, so that an instance keeps its keys when only its address changes. */
  readonly #identities: readonly string[];
  /** Sorted; `#owners` says whose. */
  readonly #positions: Uint32Array;
  /** Places in the pool. */
  readonly #owners: Uint32Array;
  /** First point of each equal part of the ring. */
  readonly #firsts: Uint32Array;
  readonly #partShift: number;
  /** Behind each endpoint, the one that takes its excess. */
  readonly #nexts: Uint32Array;

  constructor(pool: readonly Candidate[]) {
    this.#identities = pool.map(identityOf);
    // In the order of identities, so that even points at the same position fall to the same endpoint everywhere.
    const members = pool
      .map((candidate, place) => {
        const identity = this.#identities[place] as string;
        const order = `${identity} ${endpointAddress(candidate.endpoint)}`;
        return { place, order, hash: hashText(identity) };
      })
      .sort((a, b) => (a.order < b.order ? -1 : 1));
    const size = members.length;
    const count = size * POINTS_PER_ENDPOINT;
    // Position and owner in one double each: a typed array sorts many times faster than objects.
    const points = new Float64Array(count);
    for (let rank = 0, at = 0; rank < size; rank++) {
      const { hash } = members[rank] as { hash: number };
      for (let i = 0; i < POINTS_PER_ENDPOINT; i++)
        points[at++] = mix(hash + Math.imul(i, STEP)) * size + rank;
    }
    points.sort();
    this.#positions = new Uint32Array(count);
    this.#owners = new Uint32Array(count);
    for (let at = 0; at < count; at++) {
      const point = points[at] as number;
      const position = Math.floor(point / size);
      this.#positions[at] = position;
      this.#owners[at] = (members[point - position * size] as { place: number }).place;
    }

    const partBits = Math.max(1, Math.ceil(Math.log2(count || 1)));
    this.#partShift = 32 - partBits;
    this.#firsts = new Uint32Array(2 ** partBits);
    for (let part = 0, at = 0; part < this.#firsts.length; part++) {
      while (at < count && (this.#positions[at] as number) >>> this.#partShift < part) at++;
      this.#firsts[part] = at;
    }

    this.#nexts = new Uint32Array(size);
    members.sort((a, b) => a.hash - b.hash);
    members.forEach(({ place }, i) => {
      this.#nexts[place] = (members[(i + 1) % size] as { place: number }).place;
    });
  }

  /** True when a table for this pool would be the same. */
  fits(pool: readonly Candidate[]): boolean {
    return (
      pool.length === this.#identities.length &&
      pool.every((each, i) => identityOf(each) === this.#identities[i])
    );
  }

  /** The endpoint that takes what this one must not. Following it leads through the whole pool. */
  next(place: number): number {
    return this.#nexts[place] as number;
  }

  /**
   * Place in the pool, which must not be empty, of the endpoint that `hash` belongs to.
   * @param flags  As if the endpoints whose flag is 0 were not in the pool; at least one must be.
   */
  owner(hash: number, flags: Uint8Array | null = null): number {
    const count = this.#positions.length;
    let owner = 0;
    let nearest = Number.POSITIVE_INFINITY;
    for (let look = 0; look < LOOKS_PER_KEY; look++) {
      const from = mix(hash + Math.imul(look, STEP));
      let at = this.#behind(from);
      if (flags !== null) while (flags[this.#owners[at] as number] === 0) at = (at + 1) % count;
      const distance = ((this.#positions[at] as number) - from) >>> 0;
      if (distance >= nearest) continue;
      nearest = distance;
      owner = this.#owners[at] as number;
    }
    return owner;
  }

  /** The first point at or behind a position. */
  #behind(position: number): number {
    const positions = this.#positions;
    let at = this.#firsts[position >>> this.#partShift] as number;
    while (at < positions.length && (positions[at] as number) < position) at++;
    return at === positions.length ? 0 : at;
  }
}

/** 32 bits of a text of any length, the same on every machine (FNV-1a, then {@link mix}). */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mix(hash);
}

/** Every bit of the result depends on every bit of the number (the finalizer of MurmurHash3). */
function mix(number: number): number {
  let hash = number | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

const identityOf = ({ endpoint }: Candidate): string =>
  endpoint.instanceId === "" ? endpointAddress(endpoint) : endpoint.instanceId;
