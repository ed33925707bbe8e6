/**
 * Whether fields make a message (RFC 9113 §8.1 to §8.5): the part of the wall that looks at a head as a whole. Each field
 * was judged already when it was decoded (`field-rules.ts`).
 */
import { isForbiddenTrailer } from "../http1/index.ts";
import {
  AUTHORITY,
  BAD_NAME,
  BAD_VALUE,
  CONNECTION_SPECIFIC,
  CONTENT_LENGTH,
  HOST_FIELD,
  METHOD,
  ORDINARY,
  PATH,
  SCHEME,
  STATUS,
  TE,
  UNKNOWN_PSEUDO,
} from "./field-rules.ts";
import type { FieldList } from "./types.ts";

/** What a head said about its body. */
export const NO_LENGTH = -1;

/** Why the value of each kind is refused. */
const BAD_VALUES: Readonly<Record<number, string>> = {
  [METHOD]: ":method is not a token",
  [SCHEME]: ":scheme is neither http nor https",
  [AUTHORITY]: ":authority is not «host» or «host:port»",
  [PATH]: ":path does not begin with / or holds a forbidden character",
  [STATUS]: ":status is not three digits",
  [HOST_FIELD]: "host is not «host» or «host:port»",
  [CONTENT_LENGTH]: "content-length is not one decimal number below 10^15",
  [TE]: "te is not «trailers»",
};

export class HeadRules {
  /** Of the last head: content-length, or {@link NO_LENGTH}. */
  contentLength = NO_LENGTH;
  /** Of the last request: it asks for a tunnel. */
  isConnect = false;
  /** Of the last response. */
  status = 0;
  /** By kind: where its value is in the fields; 0 when it is missing. */
  readonly #at = new Uint32Array(CONNECTION_SPECIFIC);

  /** @returns why it is no request; null when it is one. */
  checkRequest(fields: FieldList, judgements: Uint8Array): string | null {
    const problem = this.#read(fields, judgements);
    if (problem !== null) return problem;
    const at = this.#at;
    if (at[STATUS] !== 0) return "a request has a :status";
    if (at[METHOD] === 0) return ":method is missing";
    const method = fields[at[METHOD] as number] as string;
    this.isConnect = method === "CONNECT";
    if (this.isConnect) {
      if (at[AUTHORITY] === 0) return "CONNECT without :authority";
      return at[SCHEME] === 0 && at[PATH] === 0 ? null : "CONNECT with :scheme or :path";
    }
    if (at[SCHEME] === 0) return ":scheme is missing";
    if (at[PATH] === 0) return ":path is missing";
    if (fields[at[PATH] as number] === "*" && method !== "OPTIONS")
      return ":path is * and :method not OPTIONS";
    if (at[HOST_FIELD] === 0) return at[AUTHORITY] === 0 ? "neither :authority nor host" : null;
    if (at[AUTHORITY] === 0) return null;
    const host = fields[at[HOST_FIELD] as number] as string;
    const authority = fields[at[AUTHORITY] as number] as string;
    // Two answers to «for whom is this» is how a request reaches somebody else's app.
    return host === authority || host.toLowerCase() === authority.toLowerCase()
      ? null
      : "host and :authority differ";
  }

  /** @returns why it is no response; null when it is one. */
  checkResponse(fields: FieldList, judgements: Uint8Array): string | null {
    const problem = this.#read(fields, judgements);
    if (problem !== null) return problem;
    const at = this.#at;
    if (at[METHOD] !== 0 || at[SCHEME] !== 0 || at[AUTHORITY] !== 0 || at[PATH] !== 0) {
      return "a response has a pseudo-header of requests";
    }
    if (at[STATUS] === 0) return ":status is missing";
    this.status = Number(fields[at[STATUS] as number]);
    // RFC 9113 §8.6: there is no switching of protocols here.
    return this.status === 101 ? ":status is 101" : null;
  }

  /** @returns why these are no trailers; null when they are. */
  checkTrailers(fields: FieldList, judgements: Uint8Array): string | null {
    const problem = this.#read(fields, judgements);
    if (problem !== null) return problem;
    for (let i = 0; i < fields.length; i += 2) {
      const name = fields[i] as string;
      if (name.charCodeAt(0) === 58 /* : */) return "trailers have a pseudo-header";
      if (isForbiddenTrailer(name)) return "a trailer names a field that decides framing or routing";
    }
    return null;
  }

  #read(fields: FieldList, judgements: Uint8Array): string | null {
    const at = this.#at;
    at.fill(0);
    this.contentLength = NO_LENGTH;
    this.isConnect = false;
    let isPastPseudo = false;
    for (let i = 0, field = 0; i < fields.length; i += 2, field++) {
      const judgement = judgements[field] as number;
      if (judgement === ORDINARY) {
        isPastPseudo = true;
        continue;
      }
      if (judgement >= BAD_VALUE) {
        return (
          BAD_VALUES[judgement & ~BAD_VALUE] ?? "a value holds a control character or white space at an end"
        );
      }
      if (judgement === CONNECTION_SPECIFIC) return "a field belongs to one connection of HTTP/1.1";
      if (judgement === BAD_NAME) return "a name is not a token in lower case";
      if (judgement === UNKNOWN_PSEUDO) return "a pseudo-header is unknown";
      if (judgement > STATUS) isPastPseudo = true;
      else if (isPastPseudo) return "a pseudo-header comes after a field";
      if (at[judgement] !== 0 && judgement !== TE) {
        return judgement > STATUS ? "host or content-length comes twice" : "a pseudo-header comes twice";
      }
      at[judgement] = i + 1;
    }
    if (at[CONTENT_LENGTH] !== 0) this.contentLength = Number(fields[at[CONTENT_LENGTH] as number]);
    return null;
  }
}
