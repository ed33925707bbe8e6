/** Numbers of the protocol (IANA «Domain Name System Parameters»). */

export const HEADER_BYTES = 12;
export const MAX_NAME_BYTES = 255;
export const MAX_LABEL_BYTES = 63;
/** What a client without EDNS takes over UDP (RFC 1035 §4.2.1). */
export const PLAIN_UDP_BYTES = 512;
export const MAX_MESSAGE_BYTES = 65_535;

export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  HTTPS: 65,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
} as const;

export const CLASS = { IN: 1, CH: 3, ANY: 255 } as const;

export const OPCODE = { QUERY: 0, NOTIFY: 4, UPDATE: 5 } as const;

/** Above 15 only with EDNS: the high bits travel in the OPT record. */
export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  BADVERS: 16,
} as const;

export const EDNS_OPTION = { TCP_KEEPALIVE: 11, EXTENDED_ERROR: 15 } as const;

/** RFC 8914. */
export const EXTENDED_ERROR = { NOT_READY: 14, NOT_AUTHORITATIVE: 20 } as const;

/** Bits of the second 16-bit word of a header. */
export const FLAG = {
  RESPONSE: 0x8000,
  AUTHORITATIVE: 0x0400,
  TRUNCATED: 0x0200,
  RECURSION_DESIRED: 0x0100,
  RECURSION_AVAILABLE: 0x0080,
  CHECKING_DISABLED: 0x0010,
} as const;
