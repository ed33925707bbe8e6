/** A folder as a zip archive in memory: files with their rights, links as links, no times, so equal folders give equal bytes. */
import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { crc32, deflateRaw } from "node:zlib";
import type { Ignores } from "./ignored-files.ts";

const deflate = promisify(deflateRaw);
/** Names are UTF-8. */
const FLAGS = 0x0800;
const VERSION = 20;
/** Version 2.0, made on UNIX: the upper half of the attributes are its rights. */
const MADE_BY = (3 << 8) | VERSION;
/** 1 January 1980, the first day there is. */
const DATE = (1 << 5) | 1;

interface Entry {
  readonly name: Buffer;
  readonly mode: number;
  readonly crc: number;
  readonly bytes: number;
  readonly packed: Buffer;
  readonly isDeflated: boolean;
}

/** @returns the archive and how many files and links are in it. */
export async function zipFolder(
  folder: string,
  ignores: Ignores,
): Promise<{ readonly archive: Buffer; readonly files: number }> {
  const entries: Entry[] = [];
  await walk(folder, "", ignores, entries);
  return { archive: write(entries), files: entries.filter(({ mode }) => mode >> 12 !== 4).length };
}

async function walk(folder: string, prefix: string, ignores: Ignores, entries: Entry[]): Promise<void> {
  for (const name of (await readdir(join(folder, prefix))).toSorted()) {
    const path = prefix === "" ? name : `${prefix}/${name}`;
    const about = await lstat(join(folder, path));
    if (ignores(path, about.isDirectory())) continue;
    if (about.isDirectory()) {
      entries.push(await entryOf(`${path}/`, about.mode, Buffer.alloc(0)));
      await walk(folder, path, ignores, entries);
    } else if (about.isSymbolicLink()) {
      entries.push(await entryOf(path, about.mode, Buffer.from(await readlink(join(folder, path)))));
    } else if (about.isFile()) {
      entries.push(await entryOf(path, about.mode, await readFile(join(folder, path))));
    }
  }
}

async function entryOf(name: string, mode: number, content: Buffer): Promise<Entry> {
  const deflated = content.length === 0 ? content : await deflate(content);
  const isDeflated = deflated.length < content.length;
  return {
    name: Buffer.from(name),
    mode,
    crc: crc32(content),
    bytes: content.length,
    packed: isDeflated ? deflated : content,
    isDeflated,
  };
}

function write(entries: readonly Entry[]): Buffer {
  const data: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(VERSION, 4);
    writeCommon(local, 6, entry);
    data.push(local, entry.name, entry.packed);

    const record = Buffer.alloc(46);
    record.writeUInt32LE(0x02014b50, 0);
    record.writeUInt16LE(MADE_BY, 4);
    record.writeUInt16LE(VERSION, 6);
    writeCommon(record, 8, entry);
    record.writeUInt32LE((entry.mode << 16) >>> 0, 38);
    record.writeUInt32LE(offset, 42);
    directory.push(record, entry.name);
    offset += local.length + entry.name.length + entry.packed.length;
  }
  const records = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(records.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...data, records, end]);
}

/** What both headers of an entry say, from `flags` to the length of the name. */
function writeCommon(header: Buffer, at: number, entry: Entry): void {
  header.writeUInt16LE(FLAGS, at);
  header.writeUInt16LE(entry.isDeflated ? 8 : 0, at + 2);
  header.writeUInt16LE(DATE, at + 6);
  header.writeUInt32LE(entry.crc, at + 8);
  header.writeUInt32LE(entry.packed.length, at + 12);
  header.writeUInt32LE(entry.bytes, at + 16);
  header.writeUInt16LE(entry.name.length, at + 20);
}
