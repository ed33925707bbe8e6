/**
 * Sends lines to syslog, RFC 5424, without ever making an exchange wait: what cannot be sent is kept for a while, then
 * dropped and counted.
 *
 *   udp   a datagram per line, at once
 *   tcp   lines end in a line feed (RFC 6587 §3.4.2), and leave together at the flush
 *
 *   resolving / connecting ──► connected ──► broken ──► (a second later) connecting
 */
import { connect, type Socket } from "node:net";
import { hostname } from "node:os";
import type { Clock, Logger, Timer } from "../kernel/index.ts";
import { DatagramSender, MAX_DATAGRAM_BYTES, Trouble } from "./datagrams.ts";

export const SYSLOG_NETWORKS = ["udp", "tcp"] as const;

export interface SyslogSettings {
  readonly network: (typeof SYSLOG_NETWORKS)[number];
  readonly host: string;
  readonly port: number;
  /** `APP-NAME` of every message. */
  readonly appName: string;
  /** Longest line, in bytes; 0 is no limit. */
  readonly maxLineBytes: number;
}

export interface SyslogParts {
  readonly settings: SyslogSettings;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onDrop: (lines: number) => void;
}

/** Facility user (1), severity informational (6). */
const PRIORITY = 1 * 8 + 6;
/** RFC 5424 §6.2.4 and §6.2.5; both are printable ASCII without blanks. */
const MAX_HOSTNAME_LENGTH = 255;
const MAX_APP_NAME_LENGTH = 48;
/** Lines that wait for a peer that is away, or silent for a moment. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
const RECONNECT_AFTER_MS = 1_000;
/** A peer that does not read does not keep the router from stopping. */
const CLOSE_LIMIT_MS = 1_000;

export interface SyslogSender {
  /** @param line  One character per byte. */
  add(line: string): void;
  flush(): void;
  /** Resolves when what was added has been handed to the system, or could not be. */
  close(): Promise<void>;
}

export function createSyslogSender(parts: SyslogParts): SyslogSender {
  const { settings, clock } = parts;
  const { maxLineBytes } = settings;
  const transport = settings.network === "udp" ? udpTransport(parts) : new TcpTransport(parts);
  const source = `${word(hostname(), MAX_HOSTNAME_LENGTH)} ${word(settings.appName, MAX_APP_NAME_LENGTH)} ${process.pid}`;
  return {
    add(line) {
      const shown = maxLineBytes > 0 && line.length > maxLineBytes ? line.slice(0, maxLineBytes) : line;
      const now = new Date(clock.nowMs()).toISOString();
      // No message id, no structured data.
      transport.add(`<${PRIORITY}>1 ${now} ${source} - - ${shown}`);
    },
    flush: () => transport.flush(),
    close: () => transport.close(),
  };
}

const word = (text: string, maxLength: number) => text.replace(/[^!-~]/g, "_").slice(0, maxLength) || "-";

function udpTransport({ settings, clock, log, onDrop }: SyslogParts): SyslogSender {
  const trouble = new Trouble(clock, (error) => sayNotReached(log, settings, error));
  const sender = new DatagramSender({ ...settings, clock, trouble, onDrop });
  return {
    add: (message) => sender.send(Buffer.from(message, "latin1").subarray(0, MAX_DATAGRAM_BYTES)),
    flush() {},
    close: () => sender.close(),
  };
}

function sayNotReached(log: Logger, { network, host, port }: SyslogSettings, error: Error): void {
  log.error({ err: error, network, address: `${host}:${port}` }, "syslog-not-reached");
}

class TcpTransport implements SyslogSender {
  readonly #parts: SyslogParts;
  readonly #trouble: Trouble;
  #socket: Socket | null = null;
  #isConnected = false;
  #isClosing = false;
  #waiting: string[] = [];
  #waitingBytes = 0;
  #retry: Timer | null = null;

  constructor(parts: SyslogParts) {
    this.#parts = parts;
    this.#trouble = new Trouble(parts.clock, (error) => sayNotReached(parts.log, parts.settings, error));
    this.#connect();
  }

  add(message: string): void {
    if (this.#waitingBytes + (this.#socket?.writableLength ?? 0) > MAX_WAITING_BYTES) {
      return this.#parts.onDrop(1);
    }
    this.#waiting.push(message);
    this.#waitingBytes += message.length + 1;
  }

  flush(): void {
    if (!this.#isConnected || this.#waiting.length === 0) return;
    const lines = this.#waiting.length;
    const text = `${this.#waiting.join("\n")}\n`;
    this.#waiting = [];
    this.#waitingBytes = 0;
    // What the system has taken may still be lost with the connection; nobody says so.
    this.#socket?.write(text, "latin1", (error) => {
      if (error !== null && error !== undefined) this.#parts.onDrop(lines);
    });
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    this.#retry?.clear();
    this.flush();
    this.#parts.onDrop(this.#waiting.length);
    this.#waiting = [];
    const socket = this.#socket;
    if (socket === null) return;
    await new Promise<void>((resolve) => {
      const timer = this.#parts.clock.setTimeout(() => socket.destroy(), CLOSE_LIMIT_MS);
      socket.ref();
      socket.once("close", () => {
        timer.clear();
        resolve();
      });
      if (this.#isConnected) socket.end(() => socket.destroy());
      else socket.destroy();
    });
  }

  #connect(): void {
    const { host, port } = this.#parts.settings;
    const socket = connect({ host, port, keepAlive: true });
    this.#socket = socket;
    socket.unref();
    socket.once("connect", () => {
      this.#isConnected = true;
      this.flush();
    });
    // Syslog has nothing to say; its end is seen only by who reads.
    socket.resume();
    socket.on("error", (error) => this.#trouble.say(error));
    socket.once("close", () => {
      this.#isConnected = false;
      this.#socket = null;
      if (this.#isClosing) return;
      this.#retry = this.#parts.clock.setTimeout(() => this.#connect(), RECONNECT_AFTER_MS);
    });
  }
}
