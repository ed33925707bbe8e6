import assert from "node:assert/strict";
import test from "node:test";
import { allowlistProblem, createAllowlist } from "./allowlist.ts";

for (const { entries, host, allows } of [
  { entries: [], host: "anything.example.com", allows: true },
  { entries: ["guard.example.com"], host: "guard.example.com", allows: true },
  { entries: ["Guard.Example.COM"], host: "guard.example.com", allows: true },
  { entries: ["guard.example.com"], host: "other.example.com", allows: false },
  { entries: ["guard.example.com"], host: "guard.example.com.evil.org", allows: false },
  { entries: ["*.example.com"], host: "guard.example.com", allows: true },
  { entries: ["*.example.com"], host: "example.com", allows: false },
  { entries: ["*.example.com"], host: "a.b.example.com", allows: false },
  { entries: ["*.example.com"], host: "guardexample.com", allows: false },
  { entries: ["*.com"], host: "example.com", allows: true },
  { entries: ["a.b", "*.example.com"], host: "localhost", allows: false },
]) {
  test(`[${entries.join(", ")}] ${allows ? "allows" : "does not allow"} ${host}`, () =>
    assert.equal(createAllowlist(entries).allows(host), allows));
}

for (const entry of ["guard.example.com", "*.example.com", "a-b.c9.d", "*.localhost"]) {
  test(`${entry} is an entry`, () => assert.equal(allowlistProblem(entry), null));
}

for (const entry of [
  "",
  "*",
  "guard",
  "*.*.example.com",
  "a.*.example.com",
  "gu*.example.com",
  "https://guard.example.com",
  "guard.example.com:443",
  "guard.example.com/path",
  ".example.com",
  "guard.example.com.",
  "-a.example.com",
]) {
  test(`«${entry}» is no entry`, () =>
    assert.equal(
      allowlistProblem(entry),
      `invalid route service hairpinning allowlist entry: ${entry}. Must be wildcard (*.domain.com) or FQDN (hostname.domain.com)`,
    ));
}
