/**
 * The functions of the OpenSSL that Node is linked with and exports, called by `node:ffi`; and what all sessions share:
 * the memory that bytes come and go through. A call into OpenSSL is over before anything else happens, so that one
 * piece of each is enough for all:
 *
 *   received ──► input ──BIO_write──► records in ──SSL_read──► plain ──► the session's owner
 *   sent     ◄── output ◄──BIO_read── records out ◄─SSL_write── plain ◄─┘
 *
 * Both BIOs are empty whenever no method of a session runs.
 */
import type * as Ffi from "node:ffi";
import { loadFfi } from "../kernel/index.ts";
import { BIO_SET_MEM_EOF_RETURN } from "./abi.ts";

/** The most that a record of TLS carries. */
export const PLAIN_BYTES = 16 * 1024;
/** A record with its header, padding and seal, and some. */
export const INPUT_BYTES = 17 * 1024;
/** What is encrypted in one call, in records of the full size. */
export const WRITE_BYTES = 4 * PLAIN_BYTES;
/** The same with what records add to it. */
export const OUTPUT_BYTES = WRITE_BYTES + 1024;

const POINTER = "pointer";
const SIGNATURES = {
  TLS_server_method: { arguments: [], return: POINTER },
  SSL_CTX_new: { arguments: [POINTER], return: POINTER },
  SSL_CTX_free: { arguments: [POINTER], return: "void" },
  SSL_CTX_ctrl: { arguments: [POINTER, "i32", "i64", POINTER], return: "i64" },
  SSL_CTX_callback_ctrl: { arguments: [POINTER, "i32", POINTER], return: "i64" },
  SSL_CTX_set_options: { arguments: [POINTER, "u64"], return: "u64" },
  SSL_CTX_set_cipher_list: { arguments: [POINTER, POINTER], return: "i32" },
  SSL_CTX_set_ciphersuites: { arguments: [POINTER, POINTER], return: "i32" },
  SSL_CTX_set_session_id_context: { arguments: [POINTER, POINTER, "u32"], return: "i32" },
  SSL_CTX_set_verify: { arguments: [POINTER, "i32", POINTER], return: "void" },
  SSL_CTX_set_alpn_select_cb: { arguments: [POINTER, POINTER, POINTER], return: "void" },
  SSL_CTX_use_certificate: { arguments: [POINTER, POINTER], return: "i32" },
  SSL_CTX_use_PrivateKey: { arguments: [POINTER, POINTER], return: "i32" },
  SSL_CTX_check_private_key: { arguments: [POINTER], return: "i32" },
  SSL_CTX_add_client_CA: { arguments: [POINTER, POINTER], return: "i32" },
  SSL_CTX_get_cert_store: { arguments: [POINTER], return: POINTER },
  X509_STORE_add_cert: { arguments: [POINTER, POINTER], return: "i32" },
  d2i_X509: { arguments: [POINTER, POINTER, "i64"], return: POINTER },
  d2i_AutoPrivateKey: { arguments: [POINTER, POINTER, "i64"], return: POINTER },
  i2d_X509: { arguments: [POINTER, POINTER], return: "i32" },
  X509_free: { arguments: [POINTER], return: "void" },
  EVP_PKEY_free: { arguments: [POINTER], return: "void" },
  SSL_new: { arguments: [POINTER], return: POINTER },
  SSL_free: { arguments: [POINTER], return: "void" },
  SSL_set_accept_state: { arguments: [POINTER], return: "void" },
  SSL_set_bio: { arguments: [POINTER, POINTER, POINTER], return: "void" },
  SSL_set_SSL_CTX: { arguments: [POINTER, POINTER], return: POINTER },
  SSL_do_handshake: { arguments: [POINTER], return: "i32" },
  SSL_shutdown: { arguments: [POINTER], return: "i32" },
  SSL_get_error: { arguments: [POINTER, "i32"], return: "i32" },
  SSL_get_servername: { arguments: [POINTER, "i32"], return: POINTER },
  SSL_get1_peer_certificate: { arguments: [POINTER], return: POINTER },
  SSL_get_peer_cert_chain: { arguments: [POINTER], return: POINTER },
  OPENSSL_sk_num: { arguments: [POINTER], return: "i32" },
  OPENSSL_sk_value: { arguments: [POINTER, "i32"], return: POINTER },
  BIO_s_mem: { arguments: [], return: POINTER },
  BIO_new: { arguments: [POINTER], return: POINTER },
  BIO_up_ref: { arguments: [POINTER], return: "i32" },
  BIO_ctrl: { arguments: [POINTER, "i32", "i64", POINTER], return: "i64" },
  ERR_get_error: { arguments: [], return: "u64" },
  ERR_error_string_n: { arguments: ["u64", POINTER, "u64"], return: "void" },
  ERR_clear_error: { arguments: [], return: "void" },
  // For every record. Lengths that are `int` cost no `bigint`.
  BIO_read: { arguments: [POINTER, POINTER, "i32"], return: "i32" },
  BIO_write: { arguments: [POINTER, POINTER, "i32"], return: "i32" },
  SSL_read: { arguments: [POINTER, POINTER, "i32"], return: "i32" },
  SSL_write: { arguments: [POINTER, POINTER, "i32"], return: "i32" },
} as const;

export type Calls = Ffi.DynamicLibraryResult<typeof SIGNATURES>["functions"];

/** Memory of JavaScript whose place OpenSSL knows: it never moves, and lives as long as the thread. */
export interface FixedMemory {
  readonly address: bigint;
  readonly bytes: Buffer;
}

export class OpenSsl {
  readonly ffi: typeof Ffi;
  readonly calls: Calls;
  readonly library: Ffi.DynamicLibrary;
  readonly input: FixedMemory;
  readonly plain: FixedMemory;
  readonly output: FixedMemory;
  /** Every session has a reference of its own to each. */
  readonly recordsIn: bigint;
  readonly recordsOut: bigint;
  /** The session whose records may still be in there. */
  lastWriter: object | null = null;

  /** @throws Error where there is no `node:ffi`, or this Node does not export what is needed */
  constructor() {
    this.ffi = loadFfi();
    const { lib, functions } = this.ffi.dlopen(null, SIGNATURES);
    this.library = lib;
    this.calls = functions;
    this.input = this.#fixed(INPUT_BYTES);
    this.plain = this.#fixed(PLAIN_BYTES);
    this.output = this.#fixed(OUTPUT_BYTES);
    this.recordsIn = this.#memoryBio();
    this.recordsOut = this.#memoryBio();
  }

  /** Of a call that failed, the first reason in OpenSSL's words; none is left for others to find. */
  takeReason(): string {
    const { calls } = this;
    const code = calls.ERR_get_error();
    calls.ERR_clear_error();
    if (code === 0n) return "no reason given";
    const text = Buffer.alloc(256);
    calls.ERR_error_string_n(code, text, BigInt(text.length));
    return text.toString("latin1", 0, text.indexOf(0));
  }

  #fixed(size: number): FixedMemory {
    const bytes = Buffer.allocUnsafeSlow(size);
    return { address: this.ffi.getRawPointer(bytes), bytes };
  }

  #memoryBio(): bigint {
    const bio = this.calls.BIO_new(this.calls.BIO_s_mem());
    if (bio === 0n) throw new Error(`BIO_new: ${this.takeReason()}`);
    this.calls.BIO_ctrl(bio, BIO_SET_MEM_EOF_RETURN, -1n, null);
    return bio;
  }
}
