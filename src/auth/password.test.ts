import assert from "node:assert/strict";
import { test } from "node:test";
import { DECOY_HASH, hashPassword, verifyPassword } from "./password.ts";

test("a password fits its hash and no other password does", async () => {
  for (const password of ["", "correct horse", "pass:word$with:colons", "пароль 🚋", "x".repeat(5000)]) {
    const hash = await hashPassword(password);
    assert.equal(await verifyPassword(password, hash), true, password);
    assert.equal(await verifyPassword(`${password} `, hash), false, password);
  }
});

test("the same password has another hash each time", async () => {
  assert.notEqual(await hashPassword("secret"), await hashPassword("secret"));
});

test("both spellings of an accented letter are one password", async () => {
  assert.equal(await verifyPassword("cafe\u0301", await hashPassword("caf\u00e9")), true);
});

test("a hash made with other parameters still fits", async () => {
  // 2^14 · 8 · 1 over "secret" and the salt "0123456789abcdef".
  const older = "scrypt:16384:8:1:MDEyMzQ1Njc4OWFiY2RlZg:41uBuEIHgVau41v1q9BTZzisnSi_olB0DbA83e36fiY";
  assert.equal(await verifyPassword("secret", older), true);
  assert.equal(await verifyPassword("Secret", older), false);
});

test("a hash of unknown form fits nothing", async () => {
  for (const hash of ["", "secret", "bcrypt:1:2:3:4:5", "scrypt:16384:8:1:salt"]) {
    assert.equal(await verifyPassword("secret", hash), false, hash);
  }
});

test("the decoy costs what a real hash costs", async () => {
  const shape = (hash: string) => hash.split(":").map((part, i) => (i < 4 ? part : part.length));
  assert.deepEqual(shape(DECOY_HASH), shape(await hashPassword("x")));
});

test("many checks at once each get their own answer", async () => {
  const hash = await hashPassword("right");
  const answers = await Promise.all(
    ["right", "wrong", "right", "wrong", "right"].map((password) => verifyPassword(password, hash)),
  );
  assert.deepEqual(answers, [true, false, true, false, true]);
});
