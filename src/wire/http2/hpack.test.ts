import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { http2CompressionFailed } from "../../kernel/errors/http2.ts";
import { FieldDecoder } from "./field-decoder.ts";
import { FieldEncoder } from "./field-encoder.ts";
import { decodeHuffman } from "./huffman.ts";
import { Output } from "./output.ts";
import { STATIC_NAMES, STATIC_SIZE, STATIC_VALUES } from "./static-table.ts";
import { DEFAULT_HTTP2_LIMITS, type FieldList } from "./types.ts";

const bytesOf = (hex: string) => Buffer.from(hex.replaceAll(/\s/g, ""), "hex");
const newDecoder = (limits = {}) => new FieldDecoder({ ...DEFAULT_HTTP2_LIMITS, ...limits });

function decode(decoder: FieldDecoder, bytes: Buffer): FieldList {
  return decoder.decode(bytes, 0, bytes.length);
}
function encode(encoder: FieldEncoder, fields: FieldList): Buffer {
  const output = new Output();
  encoder.encode(fields, output);
  return output.take() ?? Buffer.alloc(0);
}

// === RFC 7541 appendix C ===

const REQUESTS = [
  [":method", "GET", ":scheme", "http", ":path", "/", ":authority", "www.example.com"],
  [
    ":method",
    "GET",
    ":scheme",
    "http",
    ":path",
    "/",
    ":authority",
    "www.example.com",
    "cache-control",
    "no-cache",
  ],
  [
    ":method",
    "GET",
    ":scheme",
    "https",
    ":path",
    "/index.html",
    ":authority",
    "www.example.com",
    "custom-key",
    "custom-value",
  ],
];
const PRIVATE = ["cache-control", "private", "date", "Mon, 21 Oct 2013 20:13:21 GMT"];
const SEVERAL_BLOCKS: readonly {
  readonly name: string;
  readonly blocks: readonly string[];
  readonly lists: readonly FieldList[];
}[] = [
  {
    name: "C.3, requests without Huffman coding",
    blocks: [
      "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
      "8286 84be 5808 6e6f 2d63 6163 6865",
      "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ],
    lists: REQUESTS,
  },
  {
    name: "C.4, requests with Huffman coding",
    blocks: [
      "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
      "8286 84be 5886 a8eb 1064 9cbf",
      "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ],
    lists: REQUESTS,
  },
];

for (const { name, blocks, lists } of SEVERAL_BLOCKS) {
  test(`reads RFC 7541 ${name}`, () => {
    const decoder = newDecoder();
    assert.deepEqual(
      blocks.map((each) => decode(decoder, bytesOf(each))),
      lists,
    );
  });
}

test("reads RFC 7541 C.2, a field in each form", () => {
  const decoder = newDecoder();
  assert.deepEqual(
    decode(decoder, bytesOf("400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572")),
    ["custom-key", "custom-header"],
  );
  assert.deepEqual(decode(decoder, bytesOf("040c 2f73 616d 706c 652f 7061 7468")), [":path", "/sample/path"]);
  assert.deepEqual(decode(decoder, bytesOf("1008 7061 7373 776f 7264 0673 6563 7265 74")), [
    "password",
    "secret",
  ]);
  assert.deepEqual(decode(decoder, bytesOf("82 be")), [":method", "GET", "custom-key", "custom-header"]);
});

test("reads RFC 7541 C.5 and C.6, responses that evict from a table of 256 bytes", () => {
  const location = ["location", "https://www.example.com"];
  const lists = [
    [":status", "302", ...PRIVATE, ...location],
    [":status", "307", ...PRIVATE, ...location],
    [
      ":status",
      "200",
      "cache-control",
      "private",
      "date",
      "Mon, 21 Oct 2013 20:13:22 GMT",
      ...location,
      "content-encoding",
      "gzip",
      "set-cookie",
      "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
    ],
  ];
  const resize = "3fe1 01";
  const plain = [
    `${resize} 4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
    "4803 3330 37c1 c0bf",
    "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
  ];
  const coded = [
    `${resize} 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3`,
    "4883 640e ffc1 c0bf",
    "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
  ];
  for (const blocks of [plain, coded]) {
    const decoder = newDecoder();
    assert.deepEqual(
      blocks.map((each) => decode(decoder, bytesOf(each))),
      lists,
    );
  }
});

test("reads RFC 7541 C.1, integers of one and of several bytes", () => {
  const decoder = newDecoder();
  // 1337 as the size of the table (prefix of five bits), then as the length of a value (seven bits).
  decode(decoder, bytesOf("3f9a0a"));
  const value = "v".repeat(1337);
  const block = Buffer.concat([bytesOf("0001 78 7fba09"), Buffer.from(value)]);
  assert.deepEqual(decode(decoder, block), ["x", value]);
});

// === what cannot be read ===

const REFUSED: readonly { readonly name: string; readonly hex: string; readonly reason: RegExp }[] = [
  { name: "index 0", hex: "80", reason: /no table has/ },
  { name: "an index behind the tables", hex: "be", reason: /no table has/ },
  { name: "a name's index behind the tables", hex: "7e 0161", reason: /no table has/ },
  { name: "the largest index", hex: "ffffffff7f", reason: /no table has/ },
  { name: "an integer that goes on for ever", hex: "ff808080808080808000", reason: /2\^28/ },
  { name: "an integer of more than 32 bits", hex: "ffffffffffff7f", reason: /2\^28/ },
  { name: "an integer that is cut off", hex: "ff80", reason: /ends within/ },
  { name: "a name that is cut off", hex: "4003 6162", reason: /ends within/ },
  { name: "a value that is missing", hex: "4001 61", reason: /ends within/ },
  { name: "a value that is longer than the block", hex: "4001 61 7fffffff7f", reason: /ends within/ },
  { name: "a table that is larger than announced", hex: "3fe21f", reason: /more than 4096/ },
  { name: "a resize after a field", hex: "82 20", reason: /after a field/ },
  { name: "Huffman padding of zeros", hex: "0001 61 8118", reason: /Huffman/ },
  { name: "Huffman padding of a whole byte", hex: "0001 61 821fff", reason: /Huffman/ },
  { name: "the end of the string within a string", hex: "0001 61 84ffffffff", reason: /Huffman/ },
];

for (const { name, hex, reason } of REFUSED) {
  test(`refuses ${name} in a block`, () => {
    assert.throws(
      () => decode(newDecoder(), bytesOf(hex)),
      (error: unknown) => http2CompressionFailed.is(error) && reason.test(error.message),
    );
  });
}

test("a field that is larger than the table empties it", () => {
  const decoder = newDecoder();
  decode(decoder, bytesOf("4001 61 0162"));
  assert.deepEqual(decode(decoder, bytesOf("be")), ["a", "b"]);
  const long = "v".repeat(5_000);
  decode(decoder, Buffer.concat([bytesOf("4001 63 7f8926"), Buffer.from(long)]));
  assert.throws(() => decode(decoder, bytesOf("be")), http2CompressionFailed.is);
});

test("a table may be emptied and opened again in one block", () => {
  const decoder = newDecoder();
  decode(decoder, bytesOf("4001 61 0162"));
  assert.deepEqual(decode(decoder, bytesOf("20 3fe11f 82")), [":method", "GET"]);
  assert.throws(() => decode(decoder, bytesOf("be")), http2CompressionFailed.is);
});

test("cookie crumbs are one field again, in order", () => {
  const encoder = new FieldEncoder();
  const block = encode(encoder, ["cookie", "a=1", "accept", "*/*", "cookie", "b=2", "cookie", "c=3"]);
  assert.deepEqual(decode(newDecoder(), block), ["cookie", "a=1; b=2; c=3", "accept", "*/*"]);
});

test("the static table is that of RFC 7541 appendix A", () => {
  assert.equal(STATIC_SIZE, 61);
  for (const [row, name, value] of [
    [1, ":authority", ""],
    [8, ":status", "200"],
    [14, ":status", "500"],
    [16, "accept-encoding", "gzip, deflate"],
    [32, "cookie", ""],
    [58, "user-agent", ""],
    [61, "www-authenticate", ""],
  ] as const) {
    assert.deepEqual([STATIC_NAMES[row], STATIC_VALUES[row]], [name, value]);
  }
});

// === what we write ===

test("a field that repeats costs one byte from the third time on", () => {
  const encoder = new FieldEncoder();
  const field = ["server", "apache"];
  const sizes = [1, 2, 3].map(() => encode(encoder, field).length);
  assert.deepEqual(sizes, [1 + 1 + 1 + 6, 1 + 1 + 6, 1]);
});

test("secrets are marked never to be indexed, and stay out of the table", () => {
  for (const name of ["authorization", "cookie", "set-cookie", "proxy-authorization"]) {
    const encoder = new FieldEncoder();
    for (let i = 0; i < 4; i++) assert.equal((encode(encoder, [name, "s3cret"])[0] as number) & 0xf0, 0x10);
  }
});

test("names go out in lower case, however they are spelled", () => {
  const encoder = new FieldEncoder();
  const decoder = newDecoder();
  for (let i = 0; i < 3; i++) {
    assert.deepEqual(decode(decoder, encode(encoder, ["Content-Type", "text/html", "X-One", "1"])), [
      "content-type",
      "text/html",
      "x-one",
      "1",
    ]);
  }
});

test("a peer's smaller table is announced by the next block, and kept to", () => {
  const encoder = new FieldEncoder();
  const decoder = newDecoder();
  const field = ["server", "apache"];
  for (let i = 0; i < 3; i++) decode(decoder, encode(encoder, field));
  encoder.limitTable(0);
  encoder.limitTable(1_000_000);
  const block = encode(encoder, field);
  assert.deepEqual([...block.subarray(0, 4)], [0x20, 0x3f, 0xe1, 0x1f]);
  assert.deepEqual(decode(decoder, block), field);
});

test("what is written is read as it was, whatever repeats, is evicted or resized", () => {
  const name = fc.constantFrom(
    "server",
    "X-Long",
    "x-a",
    ":status",
    "content-type",
    "etag",
    "cookie2",
    "y".repeat(80),
  );
  const value = fc.oneof(
    fc.constantFrom("200", "a", "text/html", "v".repeat(900), "w".repeat(1_300), ""),
    fc.string({
      unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
      maxLength: 200,
    }),
  );
  const list = fc.array(fc.tuple(name, value), { maxLength: 12 }).map((pairs) => pairs.flat());
  const step = fc.oneof(
    { weight: 8, arbitrary: list },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 5_000 }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      const encoder = new FieldEncoder();
      const decoder = newDecoder();
      for (const each of steps) {
        if (typeof each === "number") encoder.limitTable(each);
        else {
          const lower = each.map((text, i) => (i % 2 === 0 ? text.toLowerCase() : text));
          assert.deepEqual(decode(decoder, encode(encoder, each)), lower);
        }
      }
    }),
    { numRuns: 150 },
  );
});

// === Huffman ===

test("the end of the string is no symbol, though its code begins as that of others", () => {
  assert.equal(decodeHuffman(bytesOf("fffffffc"), 0, 4), null);
  assert.equal(decodeHuffman(bytesOf("fffffff3"), 0, 4), "\n");
});

test("an empty text has no code and no padding", () => {
  assert.equal(decodeHuffman(Buffer.alloc(0), 0, 0), "");
  assert.equal(decodeHuffman(bytesOf("ff"), 0, 1), null);
});
