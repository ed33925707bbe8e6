import assert from "node:assert/strict";
import { test } from "node:test";
import httpsRedirect from "./https-redirect.ts";
import { exchangeView, problemsOf, ROUTE } from "./samples.ts";

const at = (httpsPort: number) => ({ ...ROUTE, operator: { httpsPort } });

for (const value of ["", true, 0, 302, 307, "permanent"]) {
  test(`refuses «${value}» and says what there is`, () =>
    assert.deepEqual(problemsOf(httpsRedirect, value), ["Options Https redirect must be one of '301, 308'"]));
}

for (const { target, want } of [
  { target: "/", want: "https://shop.example.com/" },
  { target: "/a%20b/?c=d&e=//f", want: "https://shop.example.com/a%20b/?c=d&e=//f" },
  { target: "//evil.example.net/", want: "https://shop.example.com//evil.example.net/" },
  { target: "*", want: "https://shop.example.com/" },
]) {
  test(`${target} leads to ${want}, by the host without its port`, () =>
    assert.deepEqual(
      httpsRedirect
        .hooks(301, at(443))
        .admit?.(exchangeView({ target, authority: "Shop.example.com:8080", isHttps: false })),
      { kind: "answer", status: 301, headers: { Location: want }, body: "" },
    ));
}

test("lets be who comes by https", () =>
  assert.equal(httpsRedirect.hooks(308, at(443)).admit?.(exchangeView({ isHttps: true })), null));

test("leads to the port at which the operator says https is", () => {
  const answer = httpsRedirect.hooks(308, at(8443)).admit?.(exchangeView({ target: "/a", isHttps: false }));
  assert.deepEqual(answer, {
    kind: "answer",
    status: 308,
    headers: { Location: "https://shop.example.com:8443/a" },
    body: "",
  });
});
