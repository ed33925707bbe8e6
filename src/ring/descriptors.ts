/** What is done with the descriptor of a socket at once, past the ring: for each it happens once, or never. */
import { getSystemErrorName } from "node:util";
import {
  AF_INET,
  AF_INET6,
  F_DUPFD_CLOEXEC,
  IPPROTO_TCP,
  RESETTING_LINGER,
  SHUT_WR,
  SO_LINGER,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOL_SOCKET,
  TCP_NODELAY,
  TCP_NOTSENT_LOWAT,
} from "./abi.ts";
import type { System } from "./system.ts";

/** One end of a connection. */
export interface SocketAddress {
  /** An IPv4 address never in its IPv6 form; "" when it is not known. */
  readonly address: string;
  readonly port: number;
}

/**
 * Of what a client does not take, in the kernel and beyond what is on its way. Whoever asks for much and reads little
 * would otherwise have 4 MiB of it filled at once, at the cost of all others and of memory that nobody sees here. An
 * eighth of this made 1 MiB on TLS a third more expensive, because answers no longer went out in one piece.
 */
const MAX_UNSENT_BYTES = 1024 * 1024;
const UNKNOWN: SocketAddress = Object.freeze({ address: "", port: 0 });
/** `struct sockaddr_in6`, the longer one. */
const ADDRESS_BYTES = 28;
const IPV6_FROM = 8;
const SCOPE_FROM = 24;
/** Of addresses that are IPv4 ones: ten bytes of zeros and two of ones. */
const MAPPED = Buffer.from("00000000000000000000ffff", "hex");
const INT = Buffer.alloc(4);
const NAME = Buffer.alloc(64);
const ADDRESS = Buffer.alloc(ADDRESS_BYTES);
const LENGTH = Buffer.alloc(4);

/**
 * Lets a bound socket listen; its connections send what they are given at once, and let no more than so much wait for
 * it (TCP_NODELAY and TCP_NOTSENT_LOWAT, which they inherit).
 * @throws Error with the `code` of the system, as Node's servers do
 */
export function listen(system: System, fd: number, backlog: number): void {
  INT.writeInt32LE(1);
  check(system, "setsockopt", system.calls.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, INT, INT.length));
  INT.writeInt32LE(MAX_UNSENT_BYTES);
  check(system, "setsockopt", system.calls.setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, INT, INT.length));
  check(system, "listen", system.calls.listen(fd, backlog));
}

/** @returns the descriptor of a connection that waits; -1 when there is none */
export function acceptNow(system: System, fd: number): number {
  return system.calls.accept4(fd, null, null, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

/** Says to the other end that no more comes. */
export function endWriting(system: System, fd: number): void {
  // What can fail is that the other end has gone, which a receive will tell.
  system.calls.shutdown(fd, SHUT_WR);
}

/** Closing it will reset the connection. */
export function resetOnClose(system: System, fd: number): void {
  const linger = Buffer.alloc(8);
  RESETTING_LINGER.forEach((word, i) => linger.writeInt32LE(word, i * 4));
  system.calls.setsockopt(fd, SOL_SOCKET, SO_LINGER, linger, linger.length);
}

/** @returns another descriptor of the same connection, which lives until both are closed; -1 without descriptors */
export function duplicate(system: System, fd: number): number {
  return system.calls.fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

export function closeNow(system: System, fd: number): void {
  system.calls.close(fd);
}

/** The other end. */
export function peerOf(system: System, fd: number): SocketAddress {
  LENGTH.writeInt32LE(ADDRESS_BYTES);
  return system.calls.getpeername(fd, ADDRESS, LENGTH) === 0 ? readAddress(system) : UNKNOWN;
}

/** Ours. */
export function nameOf(system: System, fd: number): SocketAddress {
  LENGTH.writeInt32LE(ADDRESS_BYTES);
  return system.calls.getsockname(fd, ADDRESS, LENGTH) === 0 ? readAddress(system) : UNKNOWN;
}

function readAddress(system: System): SocketAddress {
  const port = ADDRESS.readUInt16BE(2);
  switch (ADDRESS.readUInt16LE(0)) {
    case AF_INET:
      return { address: dotted(4), port };
    case AF_INET6:
      return { address: ipv6(system), port };
    default:
      return UNKNOWN;
  }
}

const dotted = (from: number): string =>
  `${ADDRESS[from]}.${ADDRESS[from + 1]}.${ADDRESS[from + 2]}.${ADDRESS[from + 3]}`;

function ipv6(system: System): string {
  if (ADDRESS.compare(MAPPED, 0, MAPPED.length, IPV6_FROM, IPV6_FROM + MAPPED.length) === 0)
    return dotted(IPV6_FROM + MAPPED.length);
  system.calls.inet_ntop(AF_INET6, ADDRESS.subarray(IPV6_FROM), NAME, NAME.length);
  const address = nameIn(NAME);
  const scope = ADDRESS.readUInt32LE(SCOPE_FROM);
  if (scope === 0) return address;
  // As Node says it, of addresses that mean something on one link only.
  NAME.fill(0);
  system.calls.if_indextoname(scope, NAME);
  return `${address}%${nameIn(NAME)}`;
}

const nameIn = (bytes: Buffer): string => bytes.toString("latin1", 0, bytes.indexOf(0));

function check(system: System, call: string, result: number): void {
  if (result === 0) return;
  const errno = system.errno();
  const code = getSystemErrorName(-errno);
  throw Object.assign(new Error(`${call} ${code}`), { code, errno: -errno, syscall: call });
}
