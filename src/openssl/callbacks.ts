/**
 * The two questions that OpenSSL asks in the middle of a handshake: which certificate for the name that a client wants,
 * and which protocol of those that it offers. Registered once and for ever, so that OpenSSL never has a function that is
 * no more. They answer for the one session whose handshake goes on at the moment, and never throw: nothing between here
 * and there could catch it.
 */
import { EXTENSION_ALERT_FATAL, EXTENSION_NO_ACKNOWLEDGEMENT, EXTENSION_OK, NAME_TYPE_HOST } from "./abi.ts";
import type { FixedMemory, OpenSsl } from "./library.ts";
import type { ServerContext } from "./server-context.ts";

/** Who is asked. */
export interface HandshakeChoices {
  /** @returns null when the one of the listener will do */
  chooseContext(name: string): ServerContext | null;
  /** @param offered  Never empty. @returns null when none of them is spoken here */
  chooseProtocol(offered: readonly string[]): string | null;
}

export interface Callbacks {
  /** Addresses. */
  readonly chooseProtocol: bigint;
  readonly chooseContext: bigint;
  /** Whose handshake goes on. */
  asked: HandshakeChoices | null;
}

const registered = new WeakMap<OpenSsl, Callbacks>();

export function callbacksOf(openssl: OpenSsl): Callbacks {
  let callbacks = registered.get(openssl);
  if (callbacks === undefined) {
    callbacks = register(openssl);
    registered.set(openssl, callbacks);
  }
  return callbacks;
}

function register({ calls, ffi, library }: OpenSsl): Callbacks {
  /** OpenSSL copies the answer from here after the callback has returned. */
  const answers = new Map<string, FixedMemory>();
  const answerOf = (protocol: string): FixedMemory => {
    let answer = answers.get(protocol);
    if (answer === undefined) {
      const bytes = Buffer.allocUnsafeSlow(protocol.length);
      bytes.write(protocol, "latin1");
      answer = { address: ffi.getRawPointer(bytes), bytes };
      answers.set(protocol, answer);
    }
    return answer;
  };

  const callbacks: Callbacks = {
    asked: null,
    chooseProtocol: library.registerCallback(
      // ssl, out, length of out, offered, length of offered, argument
      { arguments: ["pointer", "pointer", "pointer", "pointer", "u32", "pointer"], return: "i32" },
      (_ssl, out, outLength, offered, offeredLength) => {
        try {
          const list = readList(ffi.toBuffer(offered as bigint, offeredLength));
          const chosen = callbacks.asked?.chooseProtocol(list) ?? null;
          if (chosen === null) return EXTENSION_ALERT_FATAL;
          const { address, bytes } = answerOf(chosen);
          ffi.setUint64(out as bigint, 0, address);
          ffi.setUint8(outLength as bigint, 0, bytes.length);
          return EXTENSION_OK;
        } catch {
          return EXTENSION_ALERT_FATAL;
        }
      },
    ),
    chooseContext: library.registerCallback(
      // ssl, alert, argument
      { arguments: ["pointer", "pointer", "pointer"], return: "i32" },
      (ssl) => {
        try {
          const name = calls.SSL_get_servername(ssl as bigint, NAME_TYPE_HOST);
          if (name === 0n) return EXTENSION_NO_ACKNOWLEDGEMENT;
          const context = callbacks.asked?.chooseContext(ffi.toString(name) ?? "") ?? null;
          if (context !== null) calls.SSL_set_SSL_CTX(ssl as bigint, context.pointer);
          return EXTENSION_OK;
        } catch {
          return EXTENSION_ALERT_FATAL;
        }
      },
    ),
  };
  return callbacks;
}

/** A byte of length before each; OpenSSL has checked that they fit. */
function readList(bytes: Buffer): string[] {
  const list: string[] = [];
  let at = 0;
  while (at < bytes.length) {
    const size = bytes.readUInt8(at);
    list.push(bytes.toString("latin1", at + 1, at + 1 + size));
    at += 1 + size;
  }
  return list;
}
