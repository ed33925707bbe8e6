/** What the sessions of a listener have in common: an `SSL_CTX`, for which this is the one owner. */
import { createPrivateKey, hkdfSync, X509Certificate } from "node:crypto";
import {
  ADD_REFERENCE,
  CTRL_CHAIN_CERT,
  CTRL_MODE,
  CTRL_SET_MAX_PROTO_VERSION,
  CTRL_SET_MIN_PROTO_VERSION,
  CTRL_SET_SERVERNAME_CALLBACK,
  CTRL_SET_SESS_CACHE_MODE,
  CTRL_SET_TICKET_KEYS,
  MODE_RELEASE_BUFFERS,
  OP_CIPHER_SERVER_PREFERENCE,
  OP_NO_RENEGOTIATION,
  OP_NO_TICKET,
  SESS_CACHE_OFF,
  TICKET_KEYS_BYTES,
  VERIFY_FAIL_IF_NO_PEER_CERT,
  VERIFY_NONE,
  VERIFY_PEER,
  VERSIONS,
} from "./abi.ts";
import { callbacksOf } from "./callbacks.ts";
import type { OpenSsl } from "./library.ts";

export interface ServerContextOptions {
  /** PEM, one each: the server's own, then those between it and its authority. */
  readonly chain: readonly string[];
  /** PEM, not encrypted. */
  readonly key: string;
  readonly minVersion: keyof typeof VERSIONS;
  readonly maxVersion: keyof typeof VERSIONS;
  /** OpenSSL's lists; "" has none. */
  readonly suitesBefore13: string;
  readonly suites13: string;
  readonly clientCertificates: "none" | "request" | "require";
  /** PEM, one each; whose certificates clients may present. */
  readonly clientAuthorities: readonly string[];
  /** Sessions are resumed among contexts of the same name. */
  readonly name: string;
  /** Clients get what they resume sessions by. */
  readonly givesTickets: boolean;
}

/** Gives back those that nobody has any more. Sessions have references of their own, and this never runs amid other code. */
const forgotten = new FinalizationRegistry<() => void>((free) => free());

export class ServerContext {
  readonly #openssl: OpenSsl;
  /** Good as long as this object is. */
  readonly pointer: bigint;

  /** @throws Error that says what OpenSSL will not have */
  constructor(openssl: OpenSsl, options: ServerContextOptions) {
    this.#openssl = openssl;
    const { calls } = openssl;
    calls.ERR_clear_error();
    const pointer = calls.SSL_CTX_new(calls.TLS_server_method());
    if (pointer === 0n) throw new Error(`SSL_CTX_new: ${openssl.takeReason()}`);
    this.pointer = pointer;
    forgotten.register(this, () => calls.SSL_CTX_free(pointer));
    this.#setUp(options);
  }

  /** @param keys  Any number of random bytes; the same ones make the same keys elsewhere. */
  setTicketKeys(keys: Buffer): void {
    const own = Buffer.from(hkdfSync("sha256", keys, "", "viaduct session tickets", TICKET_KEYS_BYTES));
    this.#control("ticket keys", CTRL_SET_TICKET_KEYS, own.length, own);
    own.fill(0);
  }

  #setUp(options: ServerContextOptions): void {
    const { calls } = this.#openssl;
    const { pointer } = this;
    const { suitesBefore13, suites13, givesTickets } = options;
    this.#control("modes", CTRL_MODE, MODE_RELEASE_BUFFERS);
    calls.SSL_CTX_ctrl(pointer, CTRL_SET_SESS_CACHE_MODE, BigInt(SESS_CACHE_OFF), null);
    calls.SSL_CTX_set_options(
      pointer,
      OP_CIPHER_SERVER_PREFERENCE | OP_NO_RENEGOTIATION | (givesTickets ? 0n : OP_NO_TICKET),
    );
    this.#control("least version", CTRL_SET_MIN_PROTO_VERSION, VERSIONS[options.minVersion]);
    this.#control("greatest version", CTRL_SET_MAX_PROTO_VERSION, VERSIONS[options.maxVersion]);
    if (suitesBefore13 !== "")
      this.#check("cipher suites", calls.SSL_CTX_set_cipher_list(pointer, cString(suitesBefore13)));
    this.#check("cipher suites", calls.SSL_CTX_set_ciphersuites(pointer, cString(suites13)));
    const name = Buffer.from(options.name);
    this.#check("name", calls.SSL_CTX_set_session_id_context(pointer, name, name.length));
    this.#useCertificates(options);
    this.#askClients(options);
    const { chooseProtocol, chooseContext } = callbacksOf(this.#openssl);
    calls.SSL_CTX_set_alpn_select_cb(pointer, chooseProtocol, null);
    calls.SSL_CTX_callback_ctrl(pointer, CTRL_SET_SERVERNAME_CALLBACK, chooseContext);
  }

  #useCertificates({ chain, key }: ServerContextOptions): void {
    const { calls } = this.#openssl;
    const { pointer } = this;
    for (const [index, pem] of chain.entries()) {
      this.#withCertificate(pem, (certificate) => {
        if (index === 0) this.#check("certificate", calls.SSL_CTX_use_certificate(pointer, certificate));
        else {
          const result = calls.SSL_CTX_ctrl(pointer, CTRL_CHAIN_CERT, BigInt(ADD_REFERENCE), certificate);
          this.#check("certificate chain", Number(result));
        }
      });
    }
    const der = createPrivateKey(key).export({ type: "pkcs8", format: "der" });
    const own = withDer(this.#openssl, der, (from) =>
      calls.d2i_AutoPrivateKey(null, from, BigInt(der.length)),
    );
    der.fill(0);
    if (own === 0n) throw new Error(`private key: ${this.#openssl.takeReason()}`);
    try {
      this.#check("private key", calls.SSL_CTX_use_PrivateKey(pointer, own));
      this.#check("private key", calls.SSL_CTX_check_private_key(pointer));
    } finally {
      calls.EVP_PKEY_free(own);
    }
  }

  #askClients({ clientCertificates, clientAuthorities }: ServerContextOptions): void {
    const { calls } = this.#openssl;
    const { pointer } = this;
    const mode =
      clientCertificates === "none"
        ? VERIFY_NONE
        : VERIFY_PEER | (clientCertificates === "require" ? VERIFY_FAIL_IF_NO_PEER_CERT : 0);
    calls.SSL_CTX_set_verify(pointer, mode, null);
    const store = calls.SSL_CTX_get_cert_store(pointer);
    for (const pem of clientAuthorities) {
      this.#withCertificate(pem, (certificate) => {
        this.#check("client authority", calls.X509_STORE_add_cert(store, certificate));
        this.#check("client authority", calls.SSL_CTX_add_client_CA(pointer, certificate));
      });
    }
  }

  /** Whoever keeps the certificate takes a reference of its own. */
  #withCertificate(pem: string, use: (certificate: bigint) => void): void {
    const { calls } = this.#openssl;
    const { raw } = new X509Certificate(pem);
    const certificate = withDer(this.#openssl, raw, (from) => calls.d2i_X509(null, from, BigInt(raw.length)));
    if (certificate === 0n) throw new Error(`certificate: ${this.#openssl.takeReason()}`);
    try {
      use(certificate);
    } finally {
      calls.X509_free(certificate);
    }
  }

  #control(what: string, command: number, number: number, data: Buffer | null = null): void {
    this.#check(what, Number(this.#openssl.calls.SSL_CTX_ctrl(this.pointer, command, BigInt(number), data)));
  }

  #check(what: string, result: number): void {
    if (result <= 0) throw new Error(`${what}: ${this.#openssl.takeReason()}`);
  }
}

/** @param decode  Gets the place of a pointer to the bytes, which it moves. */
function withDer(openssl: OpenSsl, der: Buffer, decode: (from: Buffer) => bigint): bigint {
  const from = Buffer.alloc(8);
  from.writeBigUInt64LE(openssl.ffi.getRawPointer(der));
  return decode(from);
}

const cString = (text: string) => Buffer.from(`${text}\0`, "latin1");
