/** A zip file of one executable file, as little of the format as that takes. */
import { crc32 } from "node:zlib";

export function zipOf(name: string, text: string): Buffer {
  const content = Buffer.from(text);
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(20, 0);
  fields.writeUInt32LE(crc32(content), 10);
  fields.writeUInt32LE(content.length, 14);
  fields.writeUInt32LE(content.length, 18);
  fields.writeUInt16LE(name.length, 22);
  const local = Buffer.concat([Buffer.from("PK\u0003\u0004"), fields, Buffer.from(name), content]);
  // Made by UNIX, with its mode in the upper half of the attributes.
  const rest = Buffer.alloc(14);
  rest.writeUInt32LE(0o100755 * 2 ** 16, 6);
  const entry = Buffer.concat([Buffer.from("PK\u0001\u0002\u0014\u0003"), fields, rest, Buffer.from(name)]);
  const end = Buffer.alloc(22);
  end.write("PK\u0005\u0006", "latin1");
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(entry.length, 12);
  end.writeUInt32LE(local.length, 16);
  return Buffer.concat([local, entry, end]);
}
