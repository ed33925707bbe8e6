/**
 * Positions in the stream as clients see them. A reader of everything sees `<epoch>-<sequence>`. A reader of some
 * routes sees a sealed form of it: the gaps between plain numbers would tell how busy other people's routes are.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import type { Cursor } from "../table/index.ts";
import type { Visible } from "./view.ts";
import { cursorFromText, cursorToText } from "./wire.ts";

const CIPHER = "aes-256-gcm";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export interface Positions {
  toText(cursor: Cursor): string;
  /** Null for what this server did not give to a reader of the same routes. */
  fromText(position: string): Cursor | null;
}

/** @param key  32 bytes, of this process: a position is worth nothing after a restart anyway. */
export function createPositions(visible: Visible, key: Uint8Array): Positions {
  if (visible === "all") return { toText: cursorToText, fromText: cursorFromText };
  // Bound to the set of routes: what a reader was not told before, it must not take for known after a resume.
  const routes = createHash("sha256")
    .update([...visible].sort().join(" "))
    .digest();
  return {
    toText(cursor) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, key, nonce).setAAD(routes);
      const sealed = [cipher.update(cursorToText(cursor)), cipher.final(), cipher.getAuthTag()];
      return Buffer.concat([nonce, ...sealed]).toString("base64url");
    },
    fromText(position) {
      const bytes = Buffer.from(position, "base64url");
      if (bytes.length <= NONCE_BYTES + TAG_BYTES) return null;
      const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES))
        .setAAD(routes)
        .setAuthTag(bytes.subarray(-TAG_BYTES));
      try {
        const plain = [decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()];
        return cursorFromText(Buffer.concat(plain).toString());
      } catch {
        return null; // forged, or sealed by a process that is gone: the reader gets an image
      }
    },
  };
}

export const newPositionKey = (): Uint8Array => randomBytes(32);
