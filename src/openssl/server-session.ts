/**
 * The server's end of one TLS connection: an `SSL`, for which this is the one owner. No socket: records come by
 * {@link ServerSession.feed} and leave by {@link ServerSession.takeOutput}, as values.
 *
 *   handshake ──done──► open ──close_notify of the client──► ended ──┐
 *       │                │                                           ├──► closed
 *       └────────────────┴── what is no TLS, or not theirs ──► failed ┘
 */
import assert from "node:assert/strict";
import { BIO_RESET, ERROR_WANT_READ, ERROR_ZERO_RETURN } from "./abi.ts";
import { callbacksOf, type HandshakeChoices } from "./callbacks.ts";
import { INPUT_BYTES, type OpenSsl, OUTPUT_BYTES, PLAIN_BYTES, WRITE_BYTES } from "./library.ts";
import type { ServerContext } from "./server-context.ts";

/** Answers of {@link ServerSession.read} other than a number of bytes. */
export const NEEDS_MORE = 0;
export const ENDED = -1;
export const FAILED = -2;

const HEADER_BYTES = 5;
/** Bytes up to here are copied rather than passed by their place, which costs a call. */
const SHORT_BYTES = 4 * 1024;

export class ServerSession implements HandshakeChoices {
  /** What was negotiated; "" when nothing was. */
  protocol = "";
  readonly #openssl: OpenSsl;
  readonly #choices: HandshakeChoices;
  #ssl: bigint;
  #isOpen = false;
  #hasEndedWriting = false;
  /** Why it failed; "" when it has not. */
  #reason = "";
  /** Of the record that is coming: how much of its header has come, the first half of its length, what is to come. */
  #headerBytes = 0;
  #lengthHigh = 0;
  #missingBytes = 0;

  /** @throws Error when there is no memory for it */
  constructor(openssl: OpenSsl, context: ServerContext, choices: HandshakeChoices) {
    this.#openssl = openssl;
    this.#choices = choices;
    const { calls, recordsIn, recordsOut } = openssl;
    calls.ERR_clear_error();
    this.#ssl = calls.SSL_new(context.pointer);
    if (this.#ssl === 0n) throw new Error(`SSL_new: ${openssl.takeReason()}`);
    calls.BIO_up_ref(recordsIn);
    calls.BIO_up_ref(recordsOut);
    calls.SSL_set_bio(this.#ssl, recordsIn, recordsOut);
    calls.SSL_set_accept_state(this.#ssl);
  }

  /** Its handshake has ended well. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** In OpenSSL's words, after something has failed. */
  get reason(): string {
    return this.#reason;
  }

  /** Where {@link takeOutput} leaves records; written over by any other session. */
  get output(): Buffer {
    return this.#openssl.output.bytes;
  }

  /** Where {@link read} leaves its bytes; written over by any other session. */
  get plain(): Buffer {
    return this.#openssl.plain.bytes;
  }

  /**
   * Takes bytes that were received, up to the end of a record; {@link shake} or {@link read} comes next.
   * @returns up to where
   */
  feed(bytes: Buffer, from: number, to: number): number {
    assert.ok(this.#ssl !== 0n, "a closed TLS session was fed");
    const { calls, input, recordsIn } = this.#openssl;
    const end = this.#endOfRecord(bytes, from, Math.min(to, from + INPUT_BYTES));
    input.bytes.set(from === 0 && end === bytes.length ? bytes : bytes.subarray(from, end));
    calls.BIO_write(recordsIn, input.address, end - from);
    return end;
  }

  /** Goes on with the handshake. @returns whether it is over, well; when not, {@link reason} says whether it can still be */
  shake(): boolean {
    const { calls } = this.#openssl;
    const callbacks = callbacksOf(this.#openssl);
    this.#claimOutput();
    callbacks.asked = this;
    calls.ERR_clear_error();
    const result = calls.SSL_do_handshake(this.#ssl);
    callbacks.asked = null;
    if (result === 1) this.#isOpen = true;
    else if (calls.SSL_get_error(this.#ssl, result) !== ERROR_WANT_READ) this.#fail();
    return this.#isOpen;
  }

  chooseContext(name: string): ServerContext | null {
    return this.#choices.chooseContext(name);
  }

  chooseProtocol(offered: readonly string[]): string | null {
    const chosen = this.#choices.chooseProtocol(offered);
    this.protocol = chosen ?? "";
    return chosen;
  }

  /** What the client says next. @returns bytes in {@link plain}, or one of the constants above */
  read(): number {
    const { calls, plain } = this.#openssl;
    this.#claimOutput();
    calls.ERR_clear_error();
    const size = calls.SSL_read(this.#ssl, plain.address, PLAIN_BYTES);
    if (size > 0) return size;
    switch (calls.SSL_get_error(this.#ssl, size)) {
      case ERROR_WANT_READ:
        return NEEDS_MORE;
      case ERROR_ZERO_RETURN:
        this.#forgetInput();
        return ENDED;
      default:
        this.#fail();
        return FAILED;
    }
  }

  /**
   * Encrypts some of it; {@link takeOutput} comes next.
   * @param data  A character per byte, or bytes.
   * @returns how much; 0 when nothing can be written any more
   */
  write(data: string | Buffer, from: number): number {
    if (!this.#isOpen || this.#hasEndedWriting || this.#ssl === 0n) return 0;
    this.#claimOutput();
    const size = Math.min(data.length - from, WRITE_BYTES);
    // The place of records is free as long as none is in it.
    const { calls, output } = this.#openssl;
    let written: number;
    if (typeof data === "string") {
      output.bytes.write(from === 0 && size === data.length ? data : data.slice(from, from + size), "latin1");
      written = calls.SSL_write(this.#ssl, output.address, size);
    } else if (size <= SHORT_BYTES) {
      output.bytes.set(from === 0 && size === data.length ? data : data.subarray(from, from + size));
      written = calls.SSL_write(this.#ssl, output.address, size);
    } else written = calls.SSL_write(this.#ssl, from === 0 ? data : data.subarray(from), size);
    if (written <= 0) this.#fail();
    return Math.max(written, 0);
  }

  /** Says that nothing more will be written; {@link takeOutput} comes next. */
  endWriting(): void {
    if (!this.#isOpen || this.#hasEndedWriting || this.#reason !== "" || this.#ssl === 0n) return;
    this.#hasEndedWriting = true;
    this.#claimOutput();
    const { calls } = this.#openssl;
    calls.ERR_clear_error();
    if (calls.SSL_shutdown(this.#ssl) < 0) calls.ERR_clear_error();
  }

  /** Records for the client. @returns how many bytes are in {@link output} now; when it is full there may be more */
  takeOutput(): number {
    const openssl = this.#openssl;
    if (openssl.lastWriter !== this) return 0;
    const size = openssl.calls.BIO_read(openssl.recordsOut, openssl.output.address, OUTPUT_BYTES);
    if (size < OUTPUT_BYTES) openssl.lastWriter = null;
    return Math.max(0, size);
  }

  /** DER of the certificate that the client presented, and of those that it sent with it; none, an empty list. */
  peerCertificates(): Buffer[] {
    const { calls } = this.#openssl;
    const own = calls.SSL_get1_peer_certificate(this.#ssl);
    if (own === 0n) return [];
    const certificates = [this.#derOf(own)];
    calls.X509_free(own);
    const others = calls.SSL_get_peer_cert_chain(this.#ssl);
    const count = others === 0n ? 0 : calls.OPENSSL_sk_num(others);
    for (let i = 0; i < count; i++) certificates.push(this.#derOf(calls.OPENSSL_sk_value(others, i)));
    return certificates;
  }

  /** Gives everything back; there is no other place that does. */
  close(): void {
    const ssl = this.#ssl;
    this.#ssl = 0n;
    if (ssl !== 0n) this.#openssl.calls.SSL_free(ssl);
  }

  /** Counts a record's bytes. @returns where it ends, or `to` when it goes on behind that */
  #endOfRecord(bytes: Buffer, from: number, to: number): number {
    let at = from;
    if (this.#missingBytes === 0) {
      while (at < to && this.#headerBytes < HEADER_BYTES) {
        const byte = bytes[at++] as number;
        if (this.#headerBytes === 3) this.#lengthHigh = byte;
        else if (this.#headerBytes === 4) this.#missingBytes = this.#lengthHigh * 256 + byte;
        this.#headerBytes++;
      }
      if (this.#headerBytes < HEADER_BYTES) return at;
      this.#headerBytes = 0;
    }
    const end = Math.min(to, at + this.#missingBytes);
    this.#missingBytes -= end - at;
    return end;
  }

  #derOf(certificate: bigint): Buffer {
    const { calls, ffi } = this.#openssl;
    const der = Buffer.allocUnsafeSlow(calls.i2d_X509(certificate, null));
    const to = Buffer.alloc(8);
    to.writeBigUInt64LE(ffi.getRawPointer(der));
    calls.i2d_X509(certificate, to);
    return der;
  }

  #fail(): void {
    this.#reason = this.#openssl.takeReason();
    this.#isOpen = false;
    this.#forgetInput();
  }

  /** What another session has left would go to this one's client, which must never be, whatever its owner forgot. */
  #claimOutput(): void {
    const openssl = this.#openssl;
    if (openssl.lastWriter === this) return;
    if (openssl.lastWriter !== null) openssl.calls.BIO_ctrl(openssl.recordsOut, BIO_RESET, 0n, null);
    openssl.lastWriter = this;
  }

  /** What it has not read any more would be the next session's. */
  #forgetInput(): void {
    this.#openssl.calls.BIO_ctrl(this.#openssl.recordsIn, BIO_RESET, 0n, null);
  }
}
