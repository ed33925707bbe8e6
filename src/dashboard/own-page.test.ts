import assert from "node:assert/strict";
import { test } from "node:test";
import { foreignHost, foreignPage } from "../kernel/errors/dashboard.ts";
import { demandOwnPage } from "./own-page.ts";

const HOSTS = ["api.example.com"];

for (const { name, headers, refusal = null } of [
  {
    name: "our page behind the router",
    headers: { host: "api.example.com:8080", origin: "http://api.example.com:8080" },
  },
  {
    name: "our page behind a TLS end",
    headers: { host: "api.example.com", origin: "https://api.example.com" },
  },
  { name: "our page on this machine", headers: { host: "localhost:8080", "sec-fetch-site": "same-origin" } },
  { name: "our page by its address", headers: { host: "10.0.0.7:9000", origin: "http://10.0.0.7:9000" } },
  { name: "our page by an IPv6 address", headers: { host: "[::1]:8080", origin: "http://[::1]:8080" } },
  { name: "a program without a browser", headers: { host: "127.0.0.1:9000" } },
  {
    name: "a page of another site",
    headers: { host: "localhost:8080", origin: "https://evil.example" },
    refusal: foreignPage,
  },
  {
    name: "a page without an origin",
    headers: { host: "localhost:8080", origin: "null" },
    refusal: foreignPage,
  },
  {
    name: "an app at its own host",
    headers: { host: "localhost:8080", origin: "http://shop.localhost:8080", "sec-fetch-site": "same-site" },
    refusal: foreignPage,
  },
  {
    name: "a page at another port",
    headers: { host: "localhost:8080", origin: "http://localhost:3000" },
    refusal: foreignPage,
  },
  {
    name: "a link or a bookmark",
    headers: { host: "localhost:8080", "sec-fetch-site": "none" },
    refusal: foreignPage,
  },
  {
    name: "a name that somebody else's DNS leads here",
    headers: {
      host: "evil.example:8080",
      origin: "http://evil.example:8080",
      "sec-fetch-site": "same-origin",
    },
    refusal: foreignHost,
  },
  { name: "a name that only ends like ours", headers: { host: "evilapi.example.com" }, refusal: foreignHost },
  {
    name: "a name that begins like an address",
    headers: { host: "127.0.0.1.evil.example" },
    refusal: foreignHost,
  },
  { name: "no host at all", headers: {}, refusal: foreignHost },
]) {
  test(`${refusal === null ? "takes" : "refuses"} a change from ${name}`, () => {
    const demand = () => demandOwnPage(headers, HOSTS);
    if (refusal === null) demand();
    else assert.throws(demand, refusal.is);
  });
}
