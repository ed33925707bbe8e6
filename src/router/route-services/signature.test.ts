import assert from "node:assert/strict";
import { createCipheriv, pbkdf2Sync } from "node:crypto";
import test from "node:test";
import * as fc from "fast-check";
import { routeServiceSignatureInvalid } from "../../kernel/errors/route-services.ts";
import { createSigner, formatTime } from "./signature.ts";

const SECRET = "route-services-secret";
const SIGNED = {
  forwardedUrl: "http://shop.example.com/carts?page=2&sort=a",
  requestedAtMs: 1_767_225_600_123,
};
const signer = createSigner(SECRET, "");
/** Computed with another implementation of PBKDF2 and AES-GCM. */
const KNOWN = {
  signature:
    "ZCWhnYCLWLqyVjpA0h0oME5mXUJq73Ex8vnhbH9N9UtZweU5lmR2sp6svWfyoHhoptNulKFluH5d9NXu8q8_Gkr_TEMoyvZN496qN6AiCND4m4-mmwZiIO7jM4cYX4qpfQ==",
  metadata: "eyJub25jZSI6IkJ3Y0hCd2NIQndjSEJ3Y0gifQ==",
};

/** What a router of another make writes, put together here from the description of the format. */
function sealedElsewhere(text: string, secret = SECRET, nonce = Buffer.alloc(12, 7)) {
  const key = pbkdf2Sync(secret, Buffer.alloc(0), 100_001, 16, "sha256");
  const cipher = createCipheriv("aes-128-gcm", key, nonce);
  const bytes = Buffer.concat([cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()]);
  return { signature: padded(bytes), metadata: metadataOf(nonce.toString("base64")) };
}
const metadataOf = (nonce: unknown) => padded(Buffer.from(JSON.stringify({ nonce })));
const padded = (bytes: Buffer) =>
  bytes.toString("base64url") + "=".repeat((4 - (bytes.toString("base64url").length % 4)) % 4);

test("opens what another router made with the same secret", () => {
  const text =
    '{"forwarded_url":"http://shop.example.com/a?b=1\\u0026c=2","requested_time":"2026-01-01T01:00:00.5+01:00"}';
  assert.deepEqual(signer.open(sealedElsewhere(text)), {
    forwardedUrl: "http://shop.example.com/a?b=1&c=2",
    requestedAtMs: Date.UTC(2026, 0, 1, 0, 0, 0, 500),
  });
});

test("a signature is this exact text for this secret, nonce and request", () => {
  // Key, cipher and encodings are fixed by the protocol: a change here breaks fleets of mixed routers.
  const text = '{"forwarded_url":"http://a.example.com/","requested_time":"2026-01-01T00:00:00Z"}';
  assert.deepEqual(sealedElsewhere(text), KNOWN);
  assert.equal(signer.open(KNOWN).forwardedUrl, "http://a.example.com/");
});

test("a sealed signature opens to what was sealed, and no two are alike", () => {
  fc.assert(
    fc.property(fc.webUrl(), fc.integer({ min: 0, max: 4e12 }), (forwardedUrl, requestedAtMs) => {
      const sealed = signer.seal({ forwardedUrl, requestedAtMs });
      assert.deepEqual(signer.open(sealed), { forwardedUrl, requestedAtMs });
      assert.notDeepEqual(signer.seal({ forwardedUrl, requestedAtMs }), sealed);
      assert.match(sealed.signature + sealed.metadata, /^[\w=-]+$/);
      assert.equal(sealed.signature.length % 4, 0, "padded");
    }),
  );
});

test("while the secret changes, both open and only the new one seals", () => {
  const before = createSigner("old", "");
  const during = createSigner("new", "old");
  const after = createSigner("new", "");
  assert.deepEqual(during.open(before.seal(SIGNED)), SIGNED);
  assert.deepEqual(after.open(during.seal(SIGNED)), SIGNED);
  assert.throws(() => after.open(before.seal(SIGNED)), routeServiceSignatureInvalid.is);
});

const good = signer.seal(SIGNED);
const text = (url: unknown, time: unknown) => JSON.stringify({ forwarded_url: url, requested_time: time });
const URL_TEXT = "http://shop.example.com/";

for (const { name, sealed, reason } of [
  { name: "no metadata", sealed: { ...good, metadata: "" }, reason: "No metadata found" },
  {
    name: "metadata in another alphabet",
    sealed: { ...good, metadata: "+/==" },
    reason: /metadata is not base64url/,
  },
  {
    name: "metadata that is no JSON",
    sealed: { ...good, metadata: padded(Buffer.from("{")) },
    reason: /no nonce/,
  },
  {
    name: "metadata that is null",
    sealed: { ...good, metadata: padded(Buffer.from("null")) },
    reason: /no nonce/,
  },
  { name: "a nonce that is a number", sealed: { ...good, metadata: metadataOf(12) }, reason: /no nonce/ },
  { name: "an empty nonce", sealed: { ...good, metadata: metadataOf("") }, reason: /no nonce/ },
  {
    // CVE-2019-11289: a nonce of another length reached the cipher and crashed the router.
    name: "a nonce of 11 bytes",
    sealed: { ...good, metadata: metadataOf(Buffer.alloc(11).toString("base64")) },
    reason: /nonce has not 12 bytes/,
  },
  {
    name: "a nonce of 1024 bytes",
    sealed: { ...good, metadata: metadataOf(Buffer.alloc(1024).toString("base64")) },
    reason: /nonce has not 12 bytes/,
  },
  { name: "no signature", sealed: { ...good, signature: "" }, reason: /not base64url/ },
  {
    name: "no padding",
    sealed: { ...KNOWN, signature: KNOWN.signature.replace(/=+$/, "") },
    reason: /not base64url/,
  },
  {
    // The last letter has bits that belong to no byte: a lenient reader takes four texts for the same bytes.
    name: "bits behind the end",
    sealed: { ...KNOWN, signature: KNOWN.signature.replace(/Q==$/, "R==") },
    reason: /not base64url/,
  },
  { name: "a blank in it", sealed: { ...good, signature: `${good.signature} ` }, reason: /not base64url/ },
  { name: "less than a tag", sealed: { ...good, signature: "AAAA" }, reason: /not base64url/ },
  {
    name: "a tag alone",
    sealed: { ...good, signature: padded(Buffer.alloc(16)) },
    reason: /not made with the secret/,
  },
  {
    name: "two signatures joined",
    sealed: { ...good, signature: `${good.signature}, ${good.signature}` },
    reason: /not base64url/,
  },
  {
    name: "another secret",
    sealed: sealedElsewhere(text(URL_TEXT, "2026-01-01T00:00:00Z"), "x"),
    reason: /not made/,
  },
  { name: "no JSON inside", sealed: sealedElsewhere("hello"), reason: /lacks URL or time/ },
  {
    name: "no URL inside",
    sealed: sealedElsewhere(text(1, "2026-01-01T00:00:00Z")),
    reason: /lacks URL or time/,
  },
  { name: "no time inside", sealed: sealedElsewhere(text(URL_TEXT, undefined)), reason: /lacks URL or time/ },
  {
    name: "a day instead of a time",
    sealed: sealedElsewhere(text(URL_TEXT, "2026-01-01")),
    reason: /RFC 3339/,
  },
  {
    name: "a month that is none",
    sealed: sealedElsewhere(text(URL_TEXT, "2026-13-01T00:00:00Z")),
    reason: /RFC 3339/,
  },
]) {
  test(`is refused: ${name}`, () => {
    assert.throws(
      () => signer.open(sealed),
      (error: Error) => {
        assert.ok(routeServiceSignatureInvalid.is(error));
        assert.match(error.message, /^Failed to validate Route Service Signature: /);
        assert.match(error.message, typeof reason === "string" ? new RegExp(`: ${reason}$`) : reason);
        return true;
      },
    );
  });
}

test("a changed bit anywhere is noticed", () => {
  const bytes = Buffer.from(good.signature, "base64url");
  fc.assert(
    fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      assert.throws(
        () => signer.open({ ...good, signature: padded(changed) }),
        routeServiceSignatureInvalid.is,
      );
    }),
  );
});

test("hostile headers never throw anything but the catalogued error", () => {
  const header = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.base64String(),
    fc.uint8Array().map((bytes) => padded(Buffer.from(bytes))),
    fc.json().map((json) => padded(Buffer.from(json))),
    fc.uint8Array({ maxLength: 24 }).map((nonce) => metadataOf(Buffer.from(nonce).toString("base64"))),
    fc.constantFrom(good.signature, good.metadata),
  );
  fc.assert(
    fc.property(header, header, (signature, metadata) => {
      if (signature === good.signature && metadata === good.metadata) return;
      assert.throws(() => signer.open({ signature, metadata }), routeServiceSignatureInvalid.is);
    }),
  );
});

for (const { ms, want } of [
  { ms: 0, want: "1970-01-01T00:00:00Z" },
  { ms: 1_767_225_600_120, want: "2026-01-01T00:00:00.12Z" },
  { ms: 1_767_225_600_000.25, want: "2026-01-01T00:00:00.00025Z" },
  { ms: 1_767_225_599_999.9998, want: "2025-12-31T23:59:59.999999756Z" },
]) {
  test(`${ms} is written ${want}, as Go writes it`, () => assert.equal(formatTime(ms), want));
}
