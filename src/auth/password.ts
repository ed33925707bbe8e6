/** Passwords as salted scrypt hashes that carry their own parameters, so that these can grow later. */
import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";

/** 128 · N · r = 32 MiB and about 80 ms of one core per check. */
const COST = 2 ** 15;
const BLOCK_SIZE = 8;
const PARALLELISM = 1;
const SALT_BYTES = 16;
const HASH_BYTES = 32;

/**
 * Checks at the same time. Hashing runs in the runtime's pool of four threads, which also resolves names and reads
 * files: a flood of logins must leave room for the rest of the process.
 */
const MAX_CONCURRENT = 2;

const deriveKey = promisify<
  string,
  Buffer,
  number,
  { N: number; r: number; p: number; maxmem: number },
  Buffer
>(scrypt);

/** A hash nobody knows a password for: checking against it takes as long as a real check. */
export const DECOY_HASH = `scrypt:${COST}:${BLOCK_SIZE}:${PARALLELISM}:${"A".repeat(22)}:${"A".repeat(43)}`;

/** `scrypt:32768:8:1:<salt>:<hash>`, the last two in base64url. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, salt, HASH_BYTES, COST, BLOCK_SIZE, PARALLELISM);
  const parts = [
    "scrypt",
    COST,
    BLOCK_SIZE,
    PARALLELISM,
    salt.toString("base64url"),
    hash.toString("base64url"),
  ];
  return parts.join(":");
}

/** Takes the same time whatever is wrong with the password. False for a hash of unknown form. */
export async function verifyPassword(password: string, stored: string): Promise<boolean> {
  const [scheme, cost, blockSize, parallelism, salt, hash] = stored.split(":");
  if (scheme !== "scrypt" || salt === undefined || hash === undefined) return false;
  const expected = Buffer.from(hash, "base64url");
  const actual = await derive(
    password,
    Buffer.from(salt, "base64url"),
    expected.length,
    Number(cost),
    Number(blockSize),
    Number(parallelism),
  );
  return timingSafeEqual(actual, expected);
}

let running = 0;
const waiting: (() => void)[] = [];

async function derive(
  password: string,
  salt: Buffer,
  bytes: number,
  cost: number,
  blockSize: number,
  parallelism: number,
): Promise<Buffer> {
  if (running === MAX_CONCURRENT) await new Promise<void>((resolve) => waiting.push(resolve));
  else running += 1;
  try {
    // One spelling of a letter with an accent must match the other, whatever keyboard it came from.
    return await deriveKey(password.normalize("NFKC"), salt, bytes, {
      N: cost,
      r: blockSize,
      p: parallelism,
      maxmem: 256 * cost * blockSize,
    });
  } finally {
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  }
}
