import assert from "node:assert/strict";
import { test } from "node:test";
import { refusal } from "./refusal.ts";

const message = (errors: unknown, status = 422) =>
  refusal("PATCH", "/v3/routes/r", { status, headers: {}, body: JSON.stringify({ errors }) }).message;

const OPTION = { route: "shop.localhost/api", option: "speed", value: 9 };
const cases: readonly { readonly allowed: unknown; readonly about?: object; readonly hint: string }[] = [
  { allowed: ["slow", "fast"], hint: "route shop.localhost/api, option speed, value 9; allowed: slow, fast" },
  { allowed: { type: "integer", minimum: 1, maximum: 5 }, hint: "; allowed: integer, 1 to 5" },
  {
    allowed: { type: "integer", minimum: 1, description: "of something" },
    hint: "; allowed: integer, at least 1",
  },
  { allowed: { type: "number", maximum: 5 }, hint: "; allowed: number, at most 5" },
  {
    allowed: { type: "string", minLength: 1, maxLength: 128, pattern: "^a" },
    hint: "; allowed: string, 1 to 128 characters, matching ^a",
  },
  { allowed: { anyOf: [{ type: "null" }] }, hint: '; allowed: value, {"anyOf":[{"type":"null"}]}' },
  { allowed: null, hint: "; allowed: undefined" },
  { about: { option: "", value: [1] }, allowed: { type: "object" }, hint: "api, value [1]; allowed: object" },
  { about: { value: "x".repeat(200) }, allowed: [], hint: `value "${"x".repeat(79)}…; allowed: ` },
];
for (const { allowed, about = {}, hint } of cases) {
  test(`a refused option is told with what it is about, as in «${hint.slice(0, 60)}»`, () => {
    const [detail, line = ""] = message([{ detail: "No.", about: { ...OPTION, ...about, allowed } }]).split(
      "\n",
    );
    assert.equal(detail, "No.");
    assert.ok(line.startsWith("  route "));
    assert.ok(line.endsWith(hint), `«${line}» ends otherwise`);
  });
}

test("an answer without errors is told by its status", () => {
  assert.equal(message(undefined, 502), "PATCH /v3/routes/r answered 502");
  assert.equal(message([{ code: 1 }], 500), "PATCH /v3/routes/r answered 500");
});
