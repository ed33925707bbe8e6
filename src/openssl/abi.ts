/** Numbers of OpenSSL 3, from `openssl/ssl.h`, `openssl/bio.h` and `openssl/x509.h`: its ABI keeps them within a major version. */

// === SSL_CTX_ctrl ===
export const CTRL_MODE = 33;
export const CTRL_SET_SESS_CACHE_MODE = 44;
export const CTRL_SET_TICKET_KEYS = 59;
export const CTRL_CHAIN_CERT = 89;
export const CTRL_SET_MIN_PROTO_VERSION = 123;
export const CTRL_SET_MAX_PROTO_VERSION = 124;
/** SSL_CTX_callback_ctrl. */
export const CTRL_SET_SERVERNAME_CALLBACK = 53;

/** A connection that has nothing to read or write holds no buffer for it. */
export const MODE_RELEASE_BUFFERS = 0x10;
export const SESS_CACHE_OFF = 0;
/** Make copies of what is given. */
export const ADD_REFERENCE = 1;
/** The name of the keys (16 bytes), one for HMAC (32), one for AES (32). */
export const TICKET_KEYS_BYTES = 80;

// === options ===
export const OP_NO_TICKET = 1n << 14n;
export const OP_CIPHER_SERVER_PREFERENCE = 1n << 22n;
export const OP_NO_RENEGOTIATION = 1n << 30n;

export const VERIFY_NONE = 0;
export const VERIFY_PEER = 1;
export const VERIFY_FAIL_IF_NO_PEER_CERT = 2;

/** On the wire. */
export const VERSIONS = { TLSv1: 0x301, "TLSv1.1": 0x302, "TLSv1.2": 0x303, "TLSv1.3": 0x304 } as const;

// === SSL_get_error ===
export const ERROR_WANT_READ = 2;
export const ERROR_ZERO_RETURN = 6;

// === what callbacks answer ===
export const EXTENSION_OK = 0;
export const EXTENSION_ALERT_FATAL = 2;
export const EXTENSION_NO_ACKNOWLEDGEMENT = 3;
export const NAME_TYPE_HOST = 0;

// === BIO_ctrl ===
export const BIO_RESET = 1;
/** What an empty memory BIO answers: -1 is «later», where 0 would be the end. */
export const BIO_SET_MEM_EOF_RETURN = 130;
