/**
 * Where the files of a zip archive lie, read from its end, and strictly: what two readers could understand differently
 * is refused, and so is every name that could leave the folder the archive is unpacked to.
 *
 *   entry, data … entry, data … │ directory: one record per entry │ end record: where the directory is
 *                                 ◄──────────── readDirectory ────── findEnd
 *
 * Source: PKWARE APPNOTE 6.3.10, §4.3. Zip64, encryption and archives in several parts are refused.
 */
import { zipInvalid } from "../../kernel/errors/bits.ts";

const END_SIGNATURE = 0x06054b50;
const RECORD_SIGNATURE = 0x02014b50;
const LOCAL_SIGNATURE = 0x04034b50;
const END_BYTES = 22;
const RECORD_BYTES = 46;
/** Of the header before an entry's data, without name and extra field. */
export const LOCAL_BYTES = 30;
/** Bytes at the end of a file among which the end record is: it and the longest comment. */
export const MAX_END_BYTES = END_BYTES + 0xffff;

const ENCRYPTED = 0x1;
const STORED = 0;
const DEFLATED = 8;
const MADE_BY_UNIX = 3;
const FILE_TYPE = 0o170000;
const SYMLINK = 0o120000;
const DIRECTORY = 0o040000;
const REGULAR = 0o100000;
const MAX_PATH_BYTES = 4096;
const MAX_NAME_BYTES = 255;

export interface ZipLimits {
  readonly maxEntries: number;
  /** All files together, unpacked. */
  readonly maxBytes: number;
}

export interface ZipEntry {
  /** `public/index.html`: relative, without `.` and `..`. */
  readonly path: string;
  readonly kind: "file" | "directory" | "symlink";
  readonly isExecutable: boolean;
  readonly isDeflated: boolean;
  readonly crc32: number;
  /** In the archive. */
  readonly packedBytes: number;
  readonly bytes: number;
  /** Of the local header, from the start of the file. */
  readonly offset: number;
  /** As the archive writes the name; the local header must say the same. */
  readonly rawName: Uint8Array;
}

export interface ZipEnd {
  readonly entries: number;
  readonly offset: number;
  readonly bytes: number;
}

/**
 * @param tail      The last bytes of the file, {@link MAX_END_BYTES} or all there are.
 * @param fileBytes Size of the whole file.
 * @throws zipInvalid
 */
export function findEnd(tail: Buffer, fileBytes: number): ZipEnd {
  for (let at = tail.length - END_BYTES; at >= 0; at--) {
    if (tail.readUInt32LE(at) !== END_SIGNATURE) continue;
    // The comment must end where the file does, or what we found is part of one.
    if (at + END_BYTES + tail.readUInt16LE(at + 20) !== tail.length) continue;
    const entries = tail.readUInt16LE(at + 10);
    const bytes = tail.readUInt32LE(at + 12);
    const offset = tail.readUInt32LE(at + 16);
    if (tail.readUInt16LE(at + 4) !== 0 || tail.readUInt16LE(at + 8) !== entries) {
      throw zipInvalid({ reason: "it is one of several parts" });
    }
    if (entries === 0xffff || bytes === 0xffffffff || offset === 0xffffffff) {
      throw zipInvalid({ reason: "it is written as Zip64, which is for more than 4 GiB or 65,534 files" });
    }
    if (offset + bytes !== fileBytes - tail.length + at) {
      throw zipInvalid({ reason: "its directory is not where its end says" });
    }
    return { entries, offset, bytes };
  }
  throw zipInvalid({ reason: "it has no end record; it was cut off, or is something else" });
}

/**
 * @param directory  The bytes that {@link findEnd} named.
 * @returns every entry; links last, so that no file is ever written through one.
 * @throws zipInvalid
 */
export function readDirectory(directory: Buffer, end: ZipEnd, limits: ZipLimits): readonly ZipEntry[] {
  if (end.entries > limits.maxEntries) {
    throw zipInvalid({ reason: `it holds ${end.entries} files, and ${limits.maxEntries} are allowed` });
  }
  const entries: ZipEntry[] = [];
  let at = 0;
  let bytes = 0;
  for (let i = 0; i < end.entries; i++) {
    if (at + RECORD_BYTES > directory.length || directory.readUInt32LE(at) !== RECORD_SIGNATURE) {
      throw zipInvalid({ reason: "its directory is damaged" });
    }
    const nameBytes = directory.readUInt16LE(at + 28);
    const next =
      at + RECORD_BYTES + nameBytes + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
    if (next > directory.length) throw zipInvalid({ reason: "its directory is damaged" });
    const entry = readRecord(directory, at, nameBytes);
    bytes += entry.bytes;
    if (bytes > limits.maxBytes) {
      throw zipInvalid({ reason: `it unpacks to more than ${limits.maxBytes} bytes` });
    }
    if (entry.path !== "") entries.push(entry);
    at = next;
  }
  if (at !== directory.length) throw zipInvalid({ reason: "its directory is damaged" });
  refuseOverlaps(entries, end);
  refuseConflicts(entries);
  return entries.toSorted((a, b) => Number(a.kind === "symlink") - Number(b.kind === "symlink"));
}

function readRecord(directory: Buffer, at: number, nameBytes: number): ZipEntry {
  const rawName = directory.subarray(at + RECORD_BYTES, at + RECORD_BYTES + nameBytes);
  const name = new TextDecoder("utf-8", { fatal: false }).decode(rawName);
  const method = directory.readUInt16LE(at + 10);
  if ((directory.readUInt16LE(at + 8) & ENCRYPTED) !== 0) {
    throw zipInvalid({ reason: `${JSON.stringify(name)} is encrypted` });
  }
  if (method !== STORED && method !== DEFLATED) {
    throw zipInvalid({
      reason: `${JSON.stringify(name)} is packed by method ${method}; only deflate is known`,
    });
  }
  const packedBytes = directory.readUInt32LE(at + 20);
  const bytes = directory.readUInt32LE(at + 24);
  if (method === STORED && packedBytes !== bytes) {
    throw zipInvalid({ reason: `${JSON.stringify(name)} has two sizes` });
  }
  const isUnix = directory.readUInt8(at + 5) === MADE_BY_UNIX;
  const mode = isUnix ? directory.readUInt32LE(at + 38) >>> 16 : 0;
  return {
    path: checkPath(name),
    kind: kindOf(mode & FILE_TYPE, name),
    isExecutable: (mode & 0o111) !== 0,
    isDeflated: method === DEFLATED,
    crc32: directory.readUInt32LE(at + 16),
    packedBytes,
    bytes,
    offset: directory.readUInt32LE(at + 42),
    rawName,
  };
}

function kindOf(fileType: number, name: string): ZipEntry["kind"] {
  if (name.endsWith("/") || fileType === DIRECTORY) return "directory";
  if (fileType === SYMLINK) return "symlink";
  if (fileType === 0 || fileType === REGULAR) return "file";
  throw zipInvalid({ reason: `${JSON.stringify(name)} is neither a file nor a folder nor a link` });
}

/** @returns the path without «./» and a «/» at the end; "" for the root itself. */
function checkPath(name: string): string {
  const refused = (why: string) => zipInvalid({ reason: `${JSON.stringify(name)} ${why}` });
  if (name.includes("\0") || name.includes("\\") || name.includes("\ufffd")) {
    throw refused("has a name that not every system reads alike");
  }
  if (name.startsWith("/") || /^[a-z]:/i.test(name)) throw refused("is an absolute path");
  const names = name.split("/");
  if (names.at(-1) === "") names.pop();
  if (names[0] === ".") names.shift();
  for (const each of names) {
    if (each === "..") throw refused("leaves the folder");
    if (each === "" || each === ".") throw refused("has an empty part");
    if (Buffer.byteLength(each) > MAX_NAME_BYTES) throw refused("has a name that is too long");
  }
  const path = names.join("/");
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) throw refused("is a path that is too long");
  return path;
}

/** Entries that share bytes make a small archive large, and every reader's answer another. */
function refuseOverlaps(entries: readonly ZipEntry[], end: ZipEnd): void {
  let free = 0;
  for (const entry of entries.toSorted((a, b) => a.offset - b.offset)) {
    if (entry.offset < free) throw zipInvalid({ reason: `${JSON.stringify(entry.path)} overlaps another` });
    free = entry.offset + LOCAL_BYTES + entry.rawName.length + entry.packedBytes;
  }
  if (free > end.offset) throw zipInvalid({ reason: "an entry reaches into the directory" });
}

/** A name is one thing, and nothing lies below what is no folder. */
function refuseConflicts(entries: readonly ZipEntry[]): void {
  const kinds = new Map<string, ZipEntry["kind"]>();
  for (const { path, kind } of entries) {
    const known = kinds.get(path);
    if (known !== undefined && !(known === "directory" && kind === "directory")) {
      throw zipInvalid({ reason: `${JSON.stringify(path)} is there twice` });
    }
    kinds.set(path, kind);
  }
  for (const { path } of entries) {
    for (let slash = path.indexOf("/"); slash !== -1; slash = path.indexOf("/", slash + 1)) {
      const parent = path.slice(0, slash);
      const kind = kinds.get(parent);
      if (kind !== undefined && kind !== "directory") {
        throw zipInvalid({
          reason: `${JSON.stringify(path)} lies below ${JSON.stringify(parent)}, a ${kind}`,
        });
      }
    }
  }
}

/**
 * Where an entry's data begin, given the start of its local header.
 * @param header  {@link LOCAL_BYTES} and the name.
 * @throws zipInvalid when header and directory do not agree
 */
export function dataOffset(header: Buffer, entry: ZipEntry): number {
  const name = header.subarray(LOCAL_BYTES, LOCAL_BYTES + entry.rawName.length);
  if (
    header.length < LOCAL_BYTES + entry.rawName.length ||
    header.readUInt32LE(0) !== LOCAL_SIGNATURE ||
    header.readUInt16LE(26) !== entry.rawName.length ||
    header.readUInt16LE(8) !== (entry.isDeflated ? DEFLATED : STORED) ||
    !name.equals(entry.rawName)
  ) {
    throw zipInvalid({ reason: `${JSON.stringify(entry.path)} is another thing in the directory` });
  }
  return entry.offset + LOCAL_BYTES + entry.rawName.length + header.readUInt16LE(28);
}

/**
 * Whether a link stays in the folder. Going up is allowed at its beginning only: behind a name that is a link itself,
 * «..» would lead elsewhere than the text says.
 * @param path  Of the link.
 */
export function isInside(path: string, target: string): boolean {
  if (target === "" || target.startsWith("/") || target.includes("\0")) return false;
  const depth = path.split("/").length - 1;
  const steps = target.split("/").filter((step) => step !== "" && step !== ".");
  const ups = steps.findIndex((step) => step !== "..");
  const leading = ups === -1 ? steps.length : ups;
  return leading <= depth && !steps.slice(leading).includes("..");
}
