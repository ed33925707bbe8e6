/**
 * Sockets on one port for several processes, each with a queue of its own that the kernel fills in turn
 * (SO_REUSEPORT). This process binds them and never accepts: a worker that listens on one may end while the next
 * worker takes over the same queue, so that no connection in it is lost.
 */
import { lookup } from "node:dns/promises";
import { BoundSocket } from "node:net";
import { listenError } from "../../kernel/index.ts";

export interface GroupAddress {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Name of the setting that holds the port, for the message when it is taken. */
  readonly portSetting: string;
}

export class SocketGroup {
  readonly #at: GroupAddress;
  readonly #host: string;
  readonly #sockets = new Map<number, BoundSocket>();
  readonly #port: number;

  private constructor(at: GroupAddress, host: string, port: number) {
    this.#at = at;
    this.#host = host;
    this.#port = port;
  }

  /** @throws portTaken, listenFailed */
  static async open(at: GroupAddress): Promise<SocketGroup> {
    try {
      // A socket of a group can be bound beside somebody else's group; one that shares with nobody tells.
      const { address } = await lookup(at.host);
      using probe = new BoundSocket({ host: address, port: at.port });
      return new SocketGroup(at, address, probe.address().port);
    } catch (error) {
      throw listenError({ role: "router", host: at.host, port: at.port, setting: at.portSetting }, error);
    }
  }

  get port(): number {
    return this.#port;
  }

  /**
   * The file descriptor of a slot's socket, bound when it has none. Nobody can connect to it until somebody listens.
   * @throws portTaken, listenFailed
   */
  bind(slot: number): number {
    let socket = this.#sockets.get(slot);
    if (socket === undefined) {
      const { host, portSetting } = this.#at;
      try {
        socket = new BoundSocket({ host: this.#host, port: this.#port, reusePort: true });
      } catch (error) {
        throw listenError({ role: "router", host, port: this.#port, setting: portSetting }, error);
      }
      this.#sockets.set(slot, socket);
    }
    return socket.fd();
  }

  /** Nobody serves the slot any more: the kernel must not queue for it. What waits there is lost. */
  release(slot: number): void {
    this.#sockets.get(slot)?.close();
    this.#sockets.delete(slot);
  }

  /** Workers that listen keep doing so. */
  close(): void {
    for (const slot of this.#sockets.keys()) this.release(slot);
  }
}
