import assert from "node:assert/strict";
import test from "node:test";
import { serviceTarget } from "./target.ts";

for (const { url, want } of [
  {
    url: "https://Guard.example.com",
    want: {
      host: "guard.example.com",
      hostname: "guard.example.com",
      port: 443,
      requestTarget: "/",
      serverName: "guard.example.com",
    },
  },
  {
    url: "https://user:pass@guard.example.com:8443/a/b?c=d#e",
    want: {
      host: "guard.example.com:8443",
      hostname: "guard.example.com",
      port: 8443,
      requestTarget: "/a/b?c=d",
      serverName: "guard.example.com",
    },
  },
  {
    url: "https://[2001:db8::1]:8443/",
    want: {
      host: "[2001:db8::1]:8443",
      hostname: "2001:db8::1",
      port: 8443,
      requestTarget: "/",
      serverName: "",
    },
  },
]) {
  test(`${url} is taken apart`, () => assert.deepEqual(serviceTarget(url), want));
}

test("what would end a line of the request is encoded or gone", () => {
  const target = serviceTarget("https://guard.example.com/a\r\nX-Evil: 1 b?c d\r\n");
  assert.equal(target?.requestTarget, "/aX-Evil:%201%20b?c%20d");
});

for (const url of [
  "",
  "https://",
  "https://a b/",
  "http://guard.example.com",
  "httpsx://a/",
  "guard.example.com",
]) {
  test(`«${url}» is no service's URL`, () => assert.equal(serviceTarget(url), null));
}
