import assert from "node:assert/strict";
import test from "node:test";
import { createInspection, type InspectionAnswer } from "./inspection.ts";
import type { VerdictEntry } from "./verdict-ring.ts";

const verdict = (status: number): VerdictEntry => ({
  endedAtMs: status,
  requestId: `id-${status}`,
  route: "shop.example.com",
  endpoint: "10.0.1.5:61001",
  attempts: 1,
  status,
  errorCode: "",
  durationMs: 1,
  details: null,
});

const inspect = createInspection({
  lastVerdicts: () => [503, 200, 502, 404, 200].map(verdict),
  findVerdict: (id) => (id === "id-502" ? verdict(502) : null),
  explain: async ({ url, method }) => ({
    method,
    host: url,
    path: "/",
    route: null,
    others: [],
    options: [],
    ignoredOptions: [],
    endpoints: [],
    now: { status: 404, routerError: "unknown_route", text: "" },
  }),
});

async function ask(path: string): Promise<InspectionAnswer> {
  const answer = await inspect(new URL(path, "http://router"));
  assert.ok(answer);
  return answer;
}

const cases = [
  { path: "/verdicts", want: [503, 200, 502, 404, 200] },
  { path: "/verdicts?last=2", want: [503, 200] },
  { path: "/verdicts?status=5xx", want: [503, 502] },
  { path: "/verdicts?status=200&last=1", want: [200] },
  { path: "/verdicts?status=3xx", want: [] },
] as const;
for (const { path, want } of cases) {
  test(`${path} lists ${want.join(", ") || "nothing"}`, async () => {
    const answer = await ask(path);
    const { verdicts } = answer.body as { verdicts: (VerdictEntry & { why: string[] })[] };
    assert.deepEqual(
      verdicts.map(({ status }) => status),
      want,
    );
    for (const { why } of verdicts) assert.equal(why.length, 2);
  });
}

test("a verdict is found by its request id, and one that is not kept is 404", async () => {
  assert.equal((await inspect(new URL("http://router/verdicts/id-502")))?.status, 200);
  const missing = await inspect(new URL("http://router/verdicts/id-1"));
  assert.equal(missing?.status, 404);
  assert.deepEqual(missing?.body, { error: "no verdict of request id-1 is kept; only the last ones are" });
});

for (const path of ["/verdicts?last=0", "/verdicts?last=x", "/verdicts?status=5x", "/explain"]) {
  test(`${path} is answered with 400 and how to write it`, async () => {
    const answer = await ask(path);
    assert.equal(answer.status, 400);
    assert.match((answer.body as { error: string }).error, /; write /);
  });
}

test("the method of a question is GET unless it is said, in any case", async () => {
  const methodOf = async (query: string) =>
    ((await ask(`/explain?url=a.b${query}`)).body as { method: string }).method;
  assert.equal(await methodOf(""), "GET");
  assert.equal(await methodOf("&method=post"), "POST");
});

test("other paths are somebody else's", async () => {
  for (const path of ["/", "/verdict", "/explained"]) {
    assert.equal(await inspect(new URL(path, "http://router")), null);
  }
});
