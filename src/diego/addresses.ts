/** Ports and addresses for instances: each gets free host ports and, where the machine can, a loopback address of its own. */
import { createServer } from "node:net";
import { noFreePort } from "../kernel/errors/diego.ts";

/** 127.1.0.1 to 127.1.255.254. */
const ADDRESS_COUNT = 256 * 256 - 2;

export interface Ports {
  /** @throws noFreePort */
  take(count: number): Promise<readonly number[]>;
  giveBack(ports: readonly number[]): void;
}

export function createPorts(range: {
  first: number;
  last: number;
  /** Nobody else listens on it. Given in tests. */
  isFree?: (port: number) => Promise<boolean>;
}): Ports {
  const { first, last, isFree = isUnused } = range;
  const taken = new Set<number>();
  const count = last - first + 1;
  // A reader with an old table must not find another app's instance at a port it remembers, so a new life of this
  // process begins elsewhere and a port that was given back comes last.
  let cursor = Math.floor(Math.random() * count);

  const takeOne = async () => {
    for (let tries = 0; tries < count; tries++) {
      const port = first + (cursor++ % count);
      if (taken.has(port)) continue;
      taken.add(port);
      if (await isFree(port)) return port;
      taken.delete(port);
    }
    throw noFreePort({ first, last });
  };

  return {
    async take(wanted) {
      const ports: number[] = [];
      try {
        while (ports.length < wanted) ports.push(await takeOne());
      } catch (error) {
        for (const port of ports) taken.delete(port);
        throw error;
      }
      return ports;
    },
    giveBack(ports) {
      for (const port of ports) taken.delete(port);
    },
  };
}

/** Addresses for instances, in turn. Linux answers on all of 127/8; elsewhere every instance has 127.0.0.1. */
export async function createInstanceAddresses(): Promise<() => string> {
  if (!(await canListen({ host: "127.1.0.1", port: 0 }))) return () => "127.0.0.1";
  let next = 0;
  return () => {
    const number = 1 + (next++ % ADDRESS_COUNT);
    return `127.1.${number >> 8}.${number & 255}`;
  };
}

/** Nobody listens on the port, on any address. */
async function isUnused(port: number): Promise<boolean> {
  return (await canListen({ host: "0.0.0.0", port })) && (await canListen({ host: "127.0.0.1", port }));
}

function canListen(at: { host: string; port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ ...at, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
