/** The sockets: UDP and TCP on one port. */
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, createServer, isIPv6, type Server, type Socket } from "node:net";
import { type Clock, listenError, type Logger, type Part } from "../kernel/index.ts";
import type { DnsConfig } from "./config.ts";
import { createExchange, type Exchange } from "./exchange.ts";
import { createDnsMetrics, type DnsMetrics } from "./metrics.ts";
import { createResponder, type InternalRoutes } from "./responder.ts";
import { createRandom, type Random } from "./rotation.ts";
import { serveTcpClient } from "./tcp-client.ts";
import { createZones } from "./zone.ts";

/** With port 0 the system chooses one for UDP, and TCP must be free on it, too. */
const PORT_TRIES = 20;

export interface DnsServerOptions {
  readonly config: DnsConfig;
  readonly table: InternalRoutes;
  /** True once the whole route table has arrived; until then queries are answered with SERVFAIL. */
  readonly isWarm: () => boolean;
  readonly log: Logger;
  readonly clock: Clock;
  /** For the order of answers; another one is given in tests. */
  readonly random?: Random;
}

export interface DnsServer extends Part {
  /** 0 until started. */
  readonly udpPort: number;
  readonly tcpPort: number;
  readonly metrics: Readonly<DnsMetrics>;
}

/** @throws configInvalid; `start` throws portTaken, listenFailed. */
export function createDnsServer(options: DnsServerOptions): DnsServer {
  const { config, log, clock } = options;
  const zones = createZones(config.zones, config.host);
  const metrics = createDnsMetrics();
  const random = options.random ?? createRandom(clock.nowMs());
  const exchange = createExchange({
    config,
    respond: createResponder({ ...options, zones, random }),
    metrics,
    log,
  });

  const clients = new Map<Socket, string>();
  let udp: UdpSocket | null = null;
  let tcp: Server | null = null;

  return {
    name: "dns",
    metrics,
    get udpPort() {
      return udp?.address().port ?? 0;
    },
    get tcpPort() {
      return (tcp?.address() as AddressInfo | null)?.port ?? 0;
    },
    async start() {
      for (let tries = 1; tcp === null; tries++) {
        const socket = await openUdp(config, exchange, log);
        try {
          tcp = await openTcp(config, socket.address().port, (client) => welcome(client));
          udp = socket;
        } catch (error) {
          socket.close();
          if (config.port !== 0 || tries === PORT_TRIES) throw error;
        }
      }
      log.info({ host: config.host, port: udp?.address().port, zones: config.zones }, "DNS server listens");
    },
    async stop() {
      const closed = [udp, tcp].map((socket) => socket && once(socket, "close"));
      udp?.close();
      tcp?.close();
      for (const client of clients.keys()) client.destroy();
      await Promise.all(closed);
      udp = null;
      tcp = null;
    },
  };

  function welcome(client: Socket): void {
    const address = client.remoteAddress ?? "";
    const ofSame = [...clients.values()].filter((other) => other === address).length;
    if (clients.size >= config.maxConnections || ofSame >= config.maxConnectionsPerClient) {
      metrics.connectionsRefused++;
      client.destroy();
      return;
    }
    clients.set(client, address);
    metrics.connections = clients.size;
    client.on("close", () => {
      clients.delete(client);
      metrics.connections = clients.size;
    });
    serveTcpClient(client, { exchange, clock, idleTimeoutMs: config.idleTimeoutMs });
  }
}

const place = ({ host, port }: DnsConfig) => ({ role: "dns", host, port, setting: "dns.port" });

async function openUdp(config: DnsConfig, exchange: Exchange, log: Logger): Promise<UdpSocket> {
  const socket = createSocket({ type: isIPv6(config.host) ? "udp6" : "udp4" });
  await new Promise<void>((resolve, reject) => {
    socket.once("error", (error) => reject(listenError(place(config), error)));
    socket.bind({ address: config.host, port: config.port, exclusive: true }, resolve);
  });
  socket.removeAllListeners("error");
  socket.on("error", (error) => log.warn({ err: error }, "DNS over UDP"));
  socket.on("message", (message, { address, port }) => {
    // Port 0 cannot be answered.
    const answer = port === 0 ? null : exchange(message, "udp");
    // A client that is gone, or an answer longer than the interface takes, concerns nobody else.
    if (answer !== null) socket.send(answer, port, address, () => {});
  });
  return socket;
}

async function openTcp(config: DnsConfig, port: number, welcome: (client: Socket) => void): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, welcome);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(listenError({ ...place(config), port }, error)));
    server.listen({ host: config.host, port, exclusive: true }, resolve);
  });
  server.removeAllListeners("error");
  return server;
}
