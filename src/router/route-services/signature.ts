/**
 * The signature that a request carries to its route service and back: proof that a router of this foundation sent
 * it, for which URL, and when. Routers share nothing but the secret, so the request may come back to another one.
 *
 *   X-CF-Proxy-Signature   base64url(AES-128-GCM({"forwarded_url":…,"requested_time":…}) + tag)
 *   X-CF-Proxy-Metadata    base64url({"nonce":"<base64 of 12 bytes>"})
 */
import { createCipheriv, createDecipheriv, pbkdf2Sync, randomBytes } from "node:crypto";
import { routeServiceSignatureInvalid } from "../../kernel/errors/route-services.ts";

const CIPHER = "aes-128-gcm";
const KEY_BYTES = 16;
const KEY_ITERATIONS = 100_001;
/** A cipher of another length would be asked for, and fail in its own way (CVE-2019-11289). */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;

export interface Signature {
  /** The URL that was asked for, before the service. */
  readonly forwardedUrl: string;
  /** UNIX milliseconds, with fractions. */
  readonly requestedAtMs: number;
}

/** The values of the two headers. */
export interface SealedSignature {
  readonly signature: string;
  readonly metadata: string;
}

export interface Signer {
  seal(signature: Signature): SealedSignature;
  /** @throws routeServiceSignatureInvalid for everything that {@link seal} did not make with a known secret */
  open(sealed: SealedSignature): Signature;
}

/**
 * Derives the keys, which takes some ten milliseconds: once per router.
 * @param decryptOnly  The secret before, or after, the present one while it is being changed; "" for none.
 */
export function createSigner(secret: string, decryptOnly: string): Signer {
  const key = keyOf(secret);
  const keys = decryptOnly === "" ? [key] : [key, keyOf(decryptOnly)];
  return {
    seal(signature) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, key, nonce);
      const sealed = Buffer.concat([cipher.update(encode(signature)), cipher.final(), cipher.getAuthTag()]);
      return {
        signature: toBase64Url(sealed),
        metadata: toBase64Url(Buffer.from(JSON.stringify({ nonce: nonce.toString("base64") }))),
      };
    },
    open({ signature, metadata }) {
      if (metadata === "") throw invalid("No metadata found");
      const nonce = readNonce(metadata);
      const sealed = fromBase64(signature, "base64url");
      if (sealed === null || sealed.length < TAG_BYTES) throw invalid("the signature is not base64url");
      for (const candidate of keys) {
        const text = decrypt(candidate, nonce, sealed);
        if (text !== null) return decode(text);
      }
      throw invalid("the signature was not made with the secret of this router");
    },
  };
}

/** As Go writes a time: nanoseconds, without the zeros at the end. */
export function formatTime(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  const nanoseconds = Math.min(Math.round((ms - seconds * 1_000) * 1e6), 999_999_999);
  const fraction = String(nanoseconds).padStart(9, "0").replace(/0+$/, "");
  return `${new Date(seconds * 1_000).toISOString().slice(0, 19)}${fraction === "" ? "" : `.${fraction}`}Z`;
}

function keyOf(secret: string): Buffer {
  return pbkdf2Sync(secret, "", KEY_ITERATIONS, KEY_BYTES, "sha256");
}

function encode({ forwardedUrl, requestedAtMs }: Signature): string {
  return JSON.stringify({ forwarded_url: forwardedUrl, requested_time: formatTime(requestedAtMs) });
}

/** What comes here was made by a router, perhaps of another kind. */
function decode(text: string): Signature {
  const fields = parseObject(text);
  const url = fields?.["forwarded_url"];
  const time = fields?.["requested_time"];
  if (typeof url !== "string" || typeof time !== "string") throw invalid("the signature lacks URL or time");
  const requestedAtMs = RFC_3339.test(time) ? Date.parse(time) : Number.NaN;
  if (Number.isNaN(requestedAtMs)) throw invalid("the signature's time is not one of RFC 3339");
  return { forwardedUrl: url, requestedAtMs };
}

function readNonce(metadata: string): Buffer {
  const text = fromBase64(metadata, "base64url");
  if (text === null) throw invalid("the metadata is not base64url");
  const nonce = parseObject(text.toString())?.["nonce"];
  const bytes = typeof nonce === "string" ? fromBase64(nonce, "base64") : null;
  if (bytes === null) throw invalid("the metadata has no nonce");
  if (bytes.length !== NONCE_BYTES) throw invalid(`the nonce has not ${NONCE_BYTES} bytes`);
  return bytes;
}

/** Null when the key is another one or a bit was changed. */
function decrypt(key: Buffer, nonce: Buffer, sealed: Buffer): string | null {
  const tagAt = sealed.length - TAG_BYTES;
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAuthTag(sealed.subarray(tagAt));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(0, tagAt)), decipher.final()]).toString();
  } catch {
    return null;
  }
}

/** With padding, as Go's URL encoding has it; Node's leaves it out. */
function toBase64Url(bytes: Buffer): string {
  return bytes.toString("base64").replaceAll("+", "-").replaceAll("/", "_");
}

/** Exactly one text stands for each sequence of bytes; null for all others, which Node would take. */
function fromBase64(text: string, alphabet: "base64" | "base64url"): Buffer | null {
  const bytes = Buffer.from(text, alphabet);
  const canonical = alphabet === "base64" ? bytes.toString("base64") : toBase64Url(bytes);
  return text !== "" && canonical === text ? bytes : null;
}

function parseObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

const invalid = (reason: string) => routeServiceSignatureInvalid({ reason });
