/** What can be measured: same-shaped entries, one per case. */

export type Generator = "wrk" | "h2load" | "websocket" | "resumed-tls";

export interface Case {
  readonly name: string;
  readonly generator: Generator;
  /** At the origin. */
  readonly path: string;
  /** Clients come over TLS. */
  readonly isTls: boolean;
  /** Body of each request; 0 is a GET. */
  readonly uploadBytes: number;
  /** Requests at the same time on one connection. */
  readonly streams: number;
  /** Each request comes on a connection of its own, and says so. */
  readonly closes: boolean;
}

const plain = { generator: "wrk", isTls: false, uploadBytes: 0, streams: 1, closes: false } as const;
const SIZES: readonly (readonly [name: string, bytes: number])[] = [
  ["10k", 10 * 1024],
  ["1m", 1024 * 1024],
];
const small: Case = { ...plain, name: "small-get", path: "small-get" };

export const CASES: readonly Case[] = [
  small,
  { ...small, name: "close-get", closes: true },
  ...SIZES.map(([name]) => ({ ...plain, name, path: name })),
  ...SIZES.map(([name, uploadBytes]) => ({ ...plain, name: `${name}-up`, path: "upload", uploadBytes })),
  { ...small, name: "tls-small-get", isTls: true },
  ...SIZES.map(([name]) => ({ ...plain, name: `tls-${name}`, path: name, isTls: true })),
  { ...small, name: "tls-resumed-get", isTls: true, generator: "resumed-tls", closes: true },
  { ...small, name: "h2-small-get", isTls: true, generator: "h2load", streams: 8 },
  { ...plain, name: "h2-10k", path: "10k", isTls: true, generator: "h2load", streams: 8 },
  { ...plain, name: "websocket-echo", path: "echo", generator: "websocket" },
];
