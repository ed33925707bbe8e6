/** Unpacks a zip archive into an empty folder. Whatever the archive holds, nothing is written anywhere else. */
import { createWriteStream } from "node:fs";
import { chmod, type FileHandle, mkdir, open, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { crc32, createInflateRaw } from "node:zlib";
import { zipInvalid } from "../../kernel/errors/bits.ts";
import {
  dataOffset,
  findEnd,
  isInside,
  LOCAL_BYTES,
  MAX_END_BYTES,
  readDirectory,
  type ZipEntry,
  type ZipLimits,
} from "../../wire/zip/index.ts";

/** Of a link's target; longer ones no file system takes. */
const MAX_LINK_BYTES = 4096;
/** A directory of 100,000 entries with long names; more is no honest archive. */
const MAX_DIRECTORY_BYTES = 64 * 1024 * 1024;
const PARALLEL_FILES = 4;

/**
 * Says what an archive holds.
 * @throws zipInvalid
 */
export async function readArchive(path: string, limits: ZipLimits): Promise<readonly ZipEntry[]> {
  await using file = await open(path, "r");
  return await readEntries(file, limits);
}

/**
 * @param folder  Exists and is empty.
 * @throws zipInvalid; the folder is half full then, and the caller's to remove.
 */
export async function unpack(path: string, folder: string, limits: ZipLimits): Promise<void> {
  await using file = await open(path, "r");
  const entries = await readEntries(file, limits);
  const folders = new Set(
    entries.map((entry) => (entry.kind === "directory" ? entry.path : dirname(entry.path))),
  );
  for (const each of folders) await mkdir(join(folder, each), { recursive: true });
  const files = entries.filter((entry) => entry.kind === "file");
  const next = files.values();
  await Promise.all(
    Array.from({ length: PARALLEL_FILES }, async () => {
      for (const entry of next) await writeFileOf(file, entry, join(folder, entry.path));
    }),
  );
  for (const entry of entries) if (entry.kind === "symlink") await writeLink(file, entry, folder);
}

async function readEntries(file: FileHandle, limits: ZipLimits): Promise<readonly ZipEntry[]> {
  const { size } = await file.stat();
  const tail = await readAt(file, Math.max(0, size - MAX_END_BYTES), Math.min(size, MAX_END_BYTES));
  const end = findEnd(tail, size);
  if (end.bytes > MAX_DIRECTORY_BYTES) throw zipInvalid({ reason: "its directory is too large" });
  return readDirectory(await readAt(file, end.offset, end.bytes), end, limits);
}

async function writeFileOf(file: FileHandle, entry: ZipEntry, path: string): Promise<void> {
  const content = checked(entry);
  const target = createWriteStream(path, { flags: "wx" });
  if (entry.packedBytes === 0) await pipeline([Buffer.alloc(0)], content, target);
  else {
    const start = await startOf(file, entry);
    const packed = file.createReadStream({ start, end: start + entry.packedBytes - 1, autoClose: false });
    try {
      if (entry.isDeflated) await pipeline(packed, createInflateRaw(), content, target);
      else await pipeline(packed, content, target);
    } catch (error) {
      if (zipInvalid.is(error) || (error as NodeJS.ErrnoException).syscall !== undefined) throw error;
      throw zipInvalid({ reason: `${JSON.stringify(entry.path)} is damaged` }, error);
    }
  }
  await chmod(path, entry.isExecutable ? 0o755 : 0o644);
}

/** Passes on what the entry says it holds: so many bytes with this sum, and not one more. */
function checked(entry: ZipEntry): Transform {
  const damaged = () =>
    zipInvalid({ reason: `${JSON.stringify(entry.path)} is not what the directory says` });
  let bytes = 0;
  let sum = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      sum = crc32(chunk, sum);
      if (bytes > entry.bytes) done(damaged());
      else done(null, chunk);
    },
    flush(done) {
      done(bytes === entry.bytes && sum === entry.crc32 ? null : damaged());
    },
  });
}

async function writeLink(file: FileHandle, entry: ZipEntry, folder: string): Promise<void> {
  if (entry.bytes > MAX_LINK_BYTES) throw zipInvalid({ reason: `${JSON.stringify(entry.path)} is no link` });
  const chunks: Buffer[] = [];
  const content = checked(entry);
  content.on("data", (chunk: Buffer) => chunks.push(chunk));
  const packed = [await readAt(file, await startOf(file, entry), entry.packedBytes)];
  if (entry.isDeflated) await pipeline(packed, createInflateRaw(), content);
  else await pipeline(packed, content);
  const target = Buffer.concat(chunks).toString("utf8");
  if (!isInside(entry.path, target)) {
    throw zipInvalid({
      reason: `${JSON.stringify(entry.path)} is a link to ${JSON.stringify(target)}, outside the folder`,
    });
  }
  await symlink(target, join(folder, entry.path));
}

async function startOf(file: FileHandle, entry: ZipEntry): Promise<number> {
  return dataOffset(await readAt(file, entry.offset, LOCAL_BYTES + entry.rawName.length), entry);
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  if (bytesRead < length) throw zipInvalid({ reason: "it is cut off" });
  return buffer;
}
