import assert from "node:assert/strict";
import { test } from "node:test";
import { clientKey } from "./client-key.ts";

for (const { address, want } of [
  { address: "192.0.2.1", want: "192.0.2.1" },
  { address: "2001:db8::9", want: "2001:db8:0:0::/64" },
  { address: "2001:db8:0:0:ffff::9", want: "2001:db8:0:0::/64" },
  { address: "2001:0DB8:0000:0000:1:2:3:4", want: "2001:db8:0:0::/64" },
  { address: "2001:db8:1:2:3:4:5:6", want: "2001:db8:1:2::/64" },
  { address: "2001:db8::2:3:4:5:6", want: "2001:db8:0:2::/64" },
  { address: "1::2:3:4:5:6:7", want: "1:0:2:3::/64" },
  { address: "::1", want: "0:0:0:0::/64" },
  { address: "::", want: "0:0:0:0::/64" },
  { address: "64:ff9b::192.0.2.1", want: "64:ff9b:0:0::/64" },
  { address: "fe80::1%eth0", want: "fe80:0:0:0::/64" },
]) {
  test(`${address} counts as ${want}`, () => assert.equal(clientKey(address), want));
}
