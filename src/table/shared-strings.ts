/**
 * One string object for equal strings. Messages repeat the same GUIDs, zones and tag values over and over, each
 * time as a string of its own, and a table that keeps them is half strings. Remembers recent strings only, so it
 * never grows; a string that comes back after being pushed out costs its memory once more, nothing else.
 */
import type { Endpoint } from "./types.ts";

const SLOTS = 8192;
/** Of each end: texts that differ nearly always do there, and those that do not push each other out, nothing else. */
const HASHED_LENGTH = 8;

export class SharedStrings {
  readonly #recent: string[] = Array.from({ length: SLOTS }, () => "");
  /** Of the recent ones: a text is looked at, somewhere else in memory, only if it may be the same. */
  readonly #hashes = new Int32Array(SLOTS);

  share(text: string): string {
    const { length } = text;
    let hash = length;
    for (let i = 0; i < length; i++) {
      if (i === HASHED_LENGTH) i = Math.max(i, length - HASHED_LENGTH);
      hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    }
    const slot = (hash ^ (hash >>> 13)) & (SLOTS - 1);
    if (this.#hashes[slot] === hash && this.#recent[slot] === text) return this.#recent[slot];
    this.#hashes[slot] = hash;
    this.#recent[slot] = text;
    return text;
  }

  /** An equal endpoint over shared strings. */
  shareEndpoint(endpoint: Endpoint): Endpoint {
    const tags: Record<string, string> = { ...endpoint.tags };
    for (const key in tags) tags[key] = this.share(tags[key] as string);
    return {
      processGuid: this.share(endpoint.processGuid),
      instanceId: this.share(endpoint.instanceId),
      instanceIndex: this.share(endpoint.instanceIndex),
      appGuid: this.share(endpoint.appGuid),
      host: this.share(endpoint.host),
      port: endpoint.port,
      tls: endpoint.tls,
      serverCertDomainSan: this.share(endpoint.serverCertDomainSan),
      appPort: endpoint.appPort,
      instanceAddress: this.share(endpoint.instanceAddress),
      protocol: endpoint.protocol,
      availabilityZone: this.share(endpoint.availabilityZone),
      isolationSegment: this.share(endpoint.isolationSegment),
      tags,
      updatedAtNs: endpoint.updatedAtNs,
    };
  }
}
