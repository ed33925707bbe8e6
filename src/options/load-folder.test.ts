import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { options } from "./index.ts";
import { loadOptionFolder } from "./load-folder.ts";
import { problemsOf } from "./samples.ts";
import { createVocabulary } from "./vocabulary.ts";

function folderWith(t: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "viaduct-options-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

/** @param extra  Further parts of the definition, as source text. */
const option = (name: string, extra = "") =>
  `export default ({ defineOption, Type }) => defineOption({ name: "${name}", summary: "S.", details: "D.", schema: Type.Boolean(), ` +
  `protocols: ["http1"], since: "1", examples: [{ value: true, effect: "e" }], refusal: "No", ${extra} });`;

test("loads every option file of a folder in the order of their names, and leaves the rest alone", async (t) => {
  const folder = folderWith(t, {
    "b.mjs": option("own-b"),
    "a.ts": `type Kit = { defineOption: Function; Type: any };\n${option("own-a").replace("Type })", "Type }: Kit)")}`,
    "c.js": option("own-c"),
    "a.test.ts": "throw new Error('a test is not loaded')",
    "README.md": "# not an option",
    "notes.json": "{}",
  });
  const loaded = await loadOptionFolder(folder, options);
  assert.deepEqual(
    loaded.map(({ name }) => name),
    ["own-a", "own-b", "own-c"],
  );
});

test("an option from a folder is validated, honoured and compiled like any other, and acts last", async (t) => {
  const vocabulary = createVocabulary(options);
  const hooks = "hooks: (isOn) => ({ idleTimeoutMs: isOn ? 7 : 8 })";
  vocabulary.add(await loadOptionFolder(folderWith(t, { "own.mjs": option("own", hooks) }), options));
  assert.equal(vocabulary.options().at(-1)?.name, "own");
  const { set } = vocabulary;
  assert.deepEqual(set.validateOptions({ own: "true" }, { operator: {} }), {
    ok: true,
    options: { own: true },
  });
  assert.deepEqual(set.compileHooks({ own: true }, { host: "", path: "" }), [{ idleTimeoutMs: 7 }]);
  const verdict = set.validateOptions({ own: 5, "trim-path": true }, { operator: {} });
  assert.deepEqual(verdict.ok ? [] : verdict.problems.map(({ text }) => text), ["Options No, not 5"]);
});

const BAD: readonly {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly want: RegExp;
}[] = [
  { name: "no JavaScript", files: { "x.mjs": "export default (" }, want: /x\.mjs gives no route option: / },
  {
    name: "a file that throws",
    files: { "x.mjs": "throw new Error('out of tea')" },
    want: /x\.mjs .*: out of tea$/,
  },
  {
    name: "a file without a default export",
    files: { "x.mjs": "export const option = 1;" },
    want: /x\.mjs .*: it has no function as its default export; write «export default/,
  },
  {
    name: "a function that returns nothing",
    files: { "x.mjs": "export default () => {};" },
    want: /returns no option/,
  },
  {
    name: "a definition that was not completed",
    files: { "x.mjs": "export default () => ({ name: 'x' });" },
    want: /it does not say «summary», «details»/,
  },
  {
    name: "a misspelt part",
    files: { "x.mjs": option("x", "hook: () => ({})") },
    want: /«hook», .*did you mean «hooks»\?/,
  },
  {
    name: "a name that is none",
    files: { "x.mjs": option("X y") },
    want: /its name is «X y»; names are small letters/,
  },
  {
    name: "hooks that are none",
    files: { "x.mjs": option("x", "hooks: {}") },
    want: /«hooks» is no function/,
  },
  { name: "no examples", files: { "x.mjs": option("x", "examples: []") }, want: /it has no examples/ },
  {
    name: "settings",
    files: { "x.mjs": option("x", "operator: { maxX: {} }") },
    want: /settings for the operator/,
  },
  {
    name: "a name that Viaduct has",
    files: { "x.mjs": option("trim-path") },
    want: /x\.mjs .*an option «trim-path» there is already, from Viaduct itself/,
  },
  {
    name: "an alias that Viaduct has",
    files: { "x.mjs": option("x", 'aliases: ["cookie"]') },
    want: /an option «cookie» there is already/,
  },
  {
    name: "two files with one name",
    files: { "a.mjs": option("own"), "b.mjs": option("own") },
    want: /b\.mjs .*an option «own» there is already, from .*a\.mjs$/,
  },
  {
    name: "a bond with nothing",
    files: { "x.mjs": option("x", 'bond: { option: "gone", value: 1, refusal: "R", missing: null }') },
    want: /«x» goes with «gone», which there is not before it/,
  },
];
for (const { name, files, want } of BAD) {
  test(`refuses ${name}, and names the file and the reason`, async (t) => {
    await assert.rejects(loadOptionFolder(folderWith(t, files), options), {
      code: "option_file_invalid",
      message: want,
    });
  });
}

test("a folder that is not there is named with its setting", async () => {
  await assert.rejects(loadOptionFolder("/nowhere/options", options), {
    code: "option_folder_unreadable",
    message: /^options\.folder \/nowhere\/options cannot be read: no such file or directory; name a folder/,
  });
});

test("the example for operators loads, and its check speaks", async () => {
  const [sunset] = await loadOptionFolder(
    fileURLToPath(new URL("../../examples/options", import.meta.url)),
    options,
  );
  assert.ok(sunset !== undefined);
  assert.deepEqual(problemsOf(sunset, "2027-06-30"), []);
  assert.deepEqual(problemsOf(sunset, "2027-13-30"), ["Options sunset: there is no day 2027-13-30"]);
  assert.deepEqual(problemsOf(sunset, "soon"), ["Options Sunset must be a day like 2027-06-30"]);
});
