/** Two ends of TLS without a socket between: Node's client, and a session of ours. */
import { Duplex } from "node:stream";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import type { TestContext } from "node:test";
import {
  ENDED,
  FAILED,
  type HandshakeChoices,
  type OpenSsl,
  openOpenSsl,
  ServerContext,
  type ServerContextOptions,
  ServerSession,
} from "./index.ts";

export const NO_CHOICES: HandshakeChoices = { chooseContext: () => null, chooseProtocol: () => null };

/** OpenSSL; null after skipping the test where it cannot be called. */
export function openSslFor(t: TestContext): OpenSsl | null {
  const opened = openOpenSsl();
  if (opened.openssl === null) t.skip(opened.reason);
  return opened.openssl;
}

/** @param chain, key  PEM */
export function contextOf(
  openssl: OpenSsl,
  pair: { readonly certificate: string; readonly key: string },
  given: Partial<ServerContextOptions> = {},
): ServerContext {
  return new ServerContext(openssl, {
    chain: [pair.certificate],
    key: pair.key,
    minVersion: "TLSv1.2",
    maxVersion: "TLSv1.3",
    suitesBefore13: "HIGH",
    suites13: "TLS_AES_128_GCM_SHA256",
    clientCertificates: "none",
    clientAuthorities: [],
    name: "test",
    givesTickets: true,
    ...given,
  });
}

/** Feeds it all. @returns what it answered; what the client said goes to `heard`, an end as `null` */
export function converse(
  session: ServerSession,
  bytes: Buffer,
  heard: (said: Buffer | null) => void = () => {},
): Buffer {
  const answers: Buffer[] = [];
  let at = 0;
  while (at < bytes.length && session.reason === "") {
    at = session.feed(bytes, at, bytes.length);
    if (!session.isOpen) session.shake();
    else {
      const size = session.read();
      if (size > 0) heard(Buffer.copyBytesFrom(session.plain, 0, size));
      else if (size === ENDED) heard(null);
      if (size === ENDED || size === FAILED) at = bytes.length;
    }
    answers.push(outputOf(session));
  }
  return Buffer.concat(answers);
}

/** All that it has for the client. */
export function outputOf(session: ServerSession): Buffer {
  const pieces: Buffer[] = [];
  for (let size = session.takeOutput(); size > 0; size = session.takeOutput())
    pieces.push(Buffer.copyBytesFrom(session.output, 0, size));
  return Buffer.concat(pieces);
}

export function say(session: ServerSession, data: string | Buffer): Buffer {
  const records: Buffer[] = [];
  for (let from = 0; from < data.length; ) {
    const written = session.write(data, from);
    if (written === 0) throw new Error(`nothing can be written: ${session.reason}`);
    from += written;
    records.push(outputOf(session));
  }
  return Buffer.concat(records);
}

/** A client whose records go to `send`, in a turn of its own; those for it are pushed into `wire`. */
export function clientOf(
  send: (records: Buffer) => void,
  options: ConnectionOptions = {},
): { readonly client: TLSSocket; readonly wire: Duplex } {
  const wire = new Duplex({
    read() {},
    write(records: Buffer, _encoding, done) {
      setImmediate(() => {
        if (!wire.destroyed) send(records);
        done();
      });
    },
  });
  const client = connect({ socket: wire, rejectUnauthorized: false, ...options });
  client.on("error", () => {});
  return { client, wire };
}

/** A session and a client of it that have shaken hands, or are about to. */
export class Conversation {
  readonly session: ServerSession;
  readonly client: TLSSocket;
  readonly wire: Duplex;
  /** What came to the client. */
  received: Buffer = Buffer.alloc(0);
  /** What the client said; «null» at its end. */
  readonly heard: (Buffer | null)[] = [];
  #wake: () => void = () => {};

  /** @param cut  Into what pieces the client's records come. */
  constructor(
    openssl: OpenSsl,
    context: ServerContext,
    {
      cut = (records: Buffer) => [records],
      ...options
    }: ConnectionOptions & { cut?: (records: Buffer) => Buffer[] } = {},
  ) {
    this.session = new ServerSession(openssl, context, NO_CHOICES);
    const { client, wire } = clientOf((records) => {
      for (const piece of cut(records)) {
        const answer = converse(this.session, piece, (said) => this.#hear(said));
        if (answer.length > 0) wire.push(answer);
      }
    }, options);
    this.client = client.on("data", (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
      this.#wake();
    });
    this.wire = wire;
  }

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  get heardBytes(): Buffer {
    return Buffer.concat(this.heard.filter((said) => said !== null));
  }

  close(): void {
    this.session.close();
    this.client.destroy();
    this.wire.destroy();
  }

  #hear(said: Buffer | null): void {
    this.heard.push(said);
    this.#wake();
  }
}
