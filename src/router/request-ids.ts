/**
 * Identifiers of requests: random version-4 UUIDs, as `randomUUID` makes them, but many at once and each a part of one
 * text. It costs half of that, and half again each time the identifier is written, because it is in one piece.
 */
import { randomFillSync } from "node:crypto";

const BATCH = 64;
const BYTES = 16;
const DIGITS = 36;
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
const HIGH_DIGIT = Uint8Array.from(HEX, (digits) => digits.charCodeAt(0));
const LOW_DIGIT = Uint8Array.from(HEX, (digits) => digits.charCodeAt(1));

const random = Buffer.allocUnsafeSlow(BYTES * BATCH);
/** Dashes stay where they are; digits are put around them. */
const characters = Buffer.alloc(DIGITS * BATCH, "-");
let ready = "";
let used = 0;

export function newRequestId(): string {
  if (used === ready.length) refill();
  const id = ready.slice(used, used + DIGITS);
  used += DIGITS;
  return id;
}

function refill(): void {
  randomFillSync(random);
  let to = 0;
  for (let from = 0; from < random.length; from++) {
    const place = from % BYTES;
    if (place === 4 || place === 6 || place === 8 || place === 10) to++;
    let byte = random[from] as number;
    // Version 4, variant 10 (RFC 9562 §5.4).
    if (place === 6) byte = (byte & 0x0f) | 0x40;
    else if (place === 8) byte = (byte & 0x3f) | 0x80;
    characters[to++] = HIGH_DIGIT[byte] as number;
    characters[to++] = LOW_DIGIT[byte] as number;
  }
  ready = characters.toString("latin1");
  used = 0;
}
