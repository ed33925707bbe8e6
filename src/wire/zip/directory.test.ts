import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { zipInvalid } from "../../kernel/errors/bits.ts";
import { findEnd, isInside, MAX_END_BYTES, readDirectory } from "./directory.ts";

const LIMITS = { maxEntries: 100, maxBytes: 1_000_000 };

interface Given {
  readonly name: string;
  readonly mode?: number;
  readonly method?: number;
  readonly flags?: number;
  readonly bytes?: number;
  readonly offset?: number;
}

/** An archive of stored, empty entries: what a directory says is all that is looked at here. */
function archive(entries: readonly Given[], comment = ""): Buffer {
  const locals: Buffer[] = [];
  const records: Buffer[] = [];
  let at = 0;
  for (const { name, mode = 0o100644, method = 0, flags = 0, bytes = 0, offset = at } of entries) {
    const rawName = Buffer.from(name);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(rawName.length, 26);
    const data = Buffer.alloc(bytes, "x");
    const record = Buffer.alloc(46);
    record.writeUInt32LE(0x02014b50, 0);
    record.writeUInt8(3, 5);
    record.writeUInt16LE(flags, 8);
    record.writeUInt16LE(method, 10);
    record.writeUInt32LE(bytes, 20);
    record.writeUInt32LE(bytes, 24);
    record.writeUInt16LE(rawName.length, 28);
    record.writeUInt32LE((mode << 16) >>> 0, 38);
    record.writeUInt32LE(offset, 42);
    locals.push(local, rawName, data);
    records.push(record, rawName);
    at += 30 + rawName.length + bytes;
  }
  const directory = Buffer.concat(records);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(at, 16);
  end.writeUInt16LE(comment.length, 20);
  return Buffer.concat([...locals, directory, end, Buffer.from(comment)]);
}

function read(file: Buffer, limits = LIMITS) {
  const end = findEnd(file.subarray(Math.max(0, file.length - MAX_END_BYTES)), file.length);
  return readDirectory(file.subarray(end.offset, end.offset + end.bytes), end, limits);
}

test("entries come with their kind and rights, links last", () => {
  const entries = read(
    archive([
      { name: "link", mode: 0o120777, bytes: 3 },
      { name: "bin/" },
      { name: "./bin/run", mode: 0o100755 },
      { name: "größe.txt" },
    ]),
  );
  assert.deepEqual(
    entries.map(({ path, kind, isExecutable }) => [path, kind, isExecutable]),
    [
      ["bin", "directory", true],
      ["bin/run", "file", true],
      ["größe.txt", "file", false],
      ["link", "symlink", true],
    ].map((each) => (each[0] === "bin" ? ["bin", "directory", false] : each)),
  );
});

test("a comment behind the end, even one that looks like an end, changes nothing", () => {
  assert.equal(read(archive([{ name: "a" }], "PK\u0005\u0006 and more of it")).length, 1);
});

const refused: readonly { name: string; entries: readonly Given[]; because: RegExp }[] = [
  { name: "a way up", entries: [{ name: "a/../../etc/passwd" }], because: /leaves the folder/ },
  { name: "an absolute path", entries: [{ name: "/etc/passwd" }], because: /absolute/ },
  { name: "a drive", entries: [{ name: "c:/windows" }], because: /absolute/ },
  { name: "a backslash", entries: [{ name: "..\\up" }], because: /not every system/ },
  { name: "a NUL", entries: [{ name: "a\0b" }], because: /not every system/ },
  { name: "an empty part", entries: [{ name: "a//b" }], because: /empty part/ },
  { name: "a name beyond every file system", entries: [{ name: "a".repeat(300) }], because: /too long/ },
  { name: "one name twice", entries: [{ name: "a" }, { name: "./a" }], because: /there twice/ },
  {
    name: "a file below a file",
    entries: [{ name: "a" }, { name: "a/b" }],
    because: /lies below "a", a file/,
  },
  {
    name: "a file below a link",
    entries: [{ name: "a/b" }, { name: "a", mode: 0o120777, bytes: 1 }],
    because: /lies below "a", a symlink/,
  },
  { name: "a device", entries: [{ name: "tty", mode: 0o020644 }], because: /neither a file/ },
  { name: "an encrypted file", entries: [{ name: "a", flags: 1 }], because: /encrypted/ },
  { name: "another method", entries: [{ name: "a", method: 12 }], because: /method 12/ },
  {
    name: "shared bytes",
    entries: [
      { name: "a", bytes: 10 },
      { name: "b", bytes: 10, offset: 5 },
    ],
    because: /overlaps/,
  },
  {
    name: "bytes of the directory",
    entries: [{ name: "a" }, { name: "b", bytes: 10, offset: 60 }],
    because: /reaches into/,
  },
];
for (const { name, entries, because } of refused) {
  test(`refused: ${name}`, () => {
    assert.throws(
      () => read(archive(entries)),
      (error) => zipInvalid.is(error) && because.test(error.message),
    );
  });
}

test("more files or more bytes than are allowed are refused before anything is unpacked", () => {
  const two = archive([
    { name: "a", bytes: 60 },
    { name: "b", bytes: 60 },
  ]);
  assert.throws(() => read(two, { maxEntries: 1, maxBytes: 1000 }), /holds 2 files, and 1 are allowed/);
  assert.throws(() => read(two, { maxEntries: 9, maxBytes: 100 }), /more than 100 bytes/);
});

test("whatever the bytes are, nothing but zip_invalid is thrown", () => {
  const good = archive([{ name: "a/b" }, { name: "c", bytes: 20 }]);
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length), (at, byte, length) => {
      const bad = Buffer.from(good.subarray(0, length));
      if (at < bad.length) bad[at] = byte;
      try {
        read(bad);
      } catch (error) {
        assert(zipInvalid.is(error), String(error));
      }
    }),
    { numRuns: 2_000 },
  );
});

const links: readonly [path: string, target: string, isInside: boolean][] = [
  ["a", "b", true],
  ["a/b", "../c", true],
  ["a/b", "./c//d", true],
  ["a", "../b", false],
  ["a/b", "../../c", false],
  ["a", "/etc", false],
  ["a", "b/..", false],
  ["a", "b/../../c", false],
  ["a", "", false],
];
for (const [path, target, want] of links) {
  test(`a link ${path} → «${target}» ${want ? "stays inside" : "leads outside"}`, () => {
    assert.equal(isInside(path, target), want);
  });
}
