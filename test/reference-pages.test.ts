import assert from "node:assert/strict";
import { test } from "node:test";
import { Type } from "typebox";
import { generateDocs } from "../src/app/generate-docs.ts";
import { renderConfiguration, renderOptions } from "../src/app/reference.ts";
import { cliReference } from "../src/cli/reference.ts";
import { configSection, setting } from "../src/kernel/index.ts";
import { defineOption } from "../src/options/index.ts";

test("docs/reference says what the code says; «npm run docs» brings it up to date", async () => {
  assert.deepEqual(await generateDocs({ isCheck: true, cli: await cliReference() }), []);
});

test("an option's page names its values, its aliases and how to set it", () => {
  const text = renderOptions([
    defineOption({
      name: "connection-limit",
      summary: "Most requests in flight.",
      details: "Per instance.",
      aliases: ["conn-limit"],
      schema: Type.Integer({ minimum: 1, maximum: 9 }),
      protocols: ["http1"],
      since: "0.9",
      examples: [{ value: 3, effect: "a fourth request goes elsewhere | or waits" }],
      refusal: "Connection limit must be a whole number",
    }),
  ]);
  assert.match(text, /Values: whole number from 1 to 9\n/);
  assert.match(text, /Routers also accept: `conn-limit`\n/);
  assert.match(text, /\| `connection-limit=3` \| a fourth request goes elsewhere \\\| or waits \|/);
  assert.match(text, /--option connection-limit=3\n/);
  assert.match(text, /^ {6}connection-limit: 3$/m);
});

test("a setting's page names key, kind, default and environment variable, and marks secrets", () => {
  const section = configSection("dns", {
    idleMs: setting.duration({ key: "idle_timeout", default: "10s", describe: "Closes quiet clients." }),
    key: setting.string({ key: "key", default: "", describe: "A key.", secret: true }),
  });
  const text = renderConfiguration([section]);
  assert.match(
    text,
    /\| `idle_timeout` \| duration \| `"10s"` \| `VIADUCT_DNS_IDLE_TIMEOUT` \| Closes quiet clients\. \|/,
  );
  assert.match(text, /\| `key` \| text, secret \|/);
});
