/** The token of a header `Authorization: Bearer …` (RFC 6750 §2.1); undefined for every other header, and for none. */
export const bearerToken = (authorization = ""): string | undefined =>
  /^bearer +(\S+)$/i.exec(authorization)?.[1];
