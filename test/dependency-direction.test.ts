/**
 * Which room may know which, read off the import statements. A room that may be imported by many knows little:
 *
 *   app ─► roles ─► options ─► balancing ─► table ─┐
 *    │       ├────► contracts ─────────────► table ├─► wire ─► kernel
 *    │       └────► bus, store, auth, http, calls, ring, openssl ─┘
 *   cli ──► the public API over HTTP, and kernel
 *
 * Roles never know each other: what lets one process become six is that they talk by contracts, bus and store.
 */
import assert from "node:assert/strict";
import { existsSync, globSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const ROOT = join(import.meta.dirname, "..");

const FOUNDATION = ["kernel", "wire"];
const SHARED = [
  "options",
  "balancing",
  "contracts",
  "table",
  "bus",
  "store",
  "auth",
  "http",
  "calls",
  "ring",
  "openssl",
];
const ROLES = [
  "router",
  "cloud-controller",
  "routing-api",
  "diego",
  "emitter",
  "registrar",
  "dns",
  "dashboard",
];
const ROLE_MAY_KNOW = [...SHARED, ...FOUNDATION];

const MAY_KNOW: Readonly<Record<string, readonly string[]>> = {
  kernel: [],
  wire: ["kernel"],
  table: FOUNDATION,
  balancing: ["table", ...FOUNDATION],
  options: ["balancing", "table", ...FOUNDATION],
  contracts: ["table", ...FOUNDATION],
  bus: FOUNDATION,
  store: FOUNDATION,
  auth: FOUNDATION,
  http: FOUNDATION,
  calls: FOUNDATION,
  ring: FOUNDATION,
  openssl: FOUNDATION,
  ...Object.fromEntries(ROLES.map((role) => [role, ROLE_MAY_KNOW])),
  app: [...ROLES, ...ROLE_MAY_KNOW],
  cli: ["kernel"],
};

/** Edges beside the order above, each with its reason. Think of a contract or a parameter before adding one. */
const EXCEPTIONS: readonly { readonly room: string; readonly knows: string; readonly why: string }[] = [
  {
    room: "auth",
    knows: "store",
    why: "signing keys, accounts and wrong passwords are rows, and survive a restart",
  },
];

/** Imports that this test cannot follow: the door through which a command starts a role, and options of an operator's own. */
const COMPUTED_IMPORTS = ["src/cli/roles.ts", "src/options/load-folder.ts"];

/** Doors that list namespaces instead of names: an area's errors, and types of a protocol. */
const NAMESPACE_DOORS = ["src/kernel/errors/index.ts", "src/wire/index.ts"];

const HEADINGS = ["What it does", "Words", "Life of a", "How to add one", "Invariants", "Not here"];

// === the rules ===

interface Import {
  /** `src/router/respond.ts` */
  readonly file: string;
  readonly line: number;
  /** As written; null when it is computed. */
  readonly specifier: string | null;
}

/** What is wrong with an import, and what to do; null when it is fine. */
function problemOf({ file, specifier }: Omit<Import, "line">): string | null {
  if (specifier === null) {
    return COMPUTED_IMPORTS.includes(file)
      ? null
      : "imports what only the running program knows; write the path as text, so that this test can see it";
  }
  if (!specifier.startsWith(".")) return null;
  const [room, target] = [roomOf(file), join(file, "..", specifier)];
  if (!target.startsWith("src/")) {
    return isTest(file) ? null : `imports ${target}; product code stays inside src/`;
  }
  const other = roomOf(target);
  if (other === room) return null;
  const isException = EXCEPTIONS.some((one) => one.room === room && one.knows === other);
  if (!(MAY_KNOW[room] ?? []).includes(other) && !isException) {
    const known = MAY_KNOW[room]?.join(", ") || "itself";
    return `${room} may not know ${other}, only ${known}; take what it needs as a parameter, or move it to a room below both`;
  }
  if (!isFrontDoor(target) && !(isTest(file) && target.endsWith("/samples.ts"))) {
    return `reaches past the front door of ${other}; export it from src/${other}/index.ts, or do without it`;
  }
  return null;
}

const roomOf = (path: string) => path.split("/")[1] ?? "";

/** Tests may also use test/support and the samples of a room that theirs may know. */
const isTest = (file: string) => file.endsWith(".test.ts");

/** `src/ROOM/index.ts`, a protocol of `wire`, or an area of the error catalogue. */
const isFrontDoor = (path: string) =>
  /^src\/[\w-]+\/index\.ts$/.test(path) ||
  /^src\/wire\/[\w-]+\/index\.ts$/.test(path) ||
  /^src\/kernel\/errors\/[\w-]+\.ts$/.test(path);

// === reading ===

const COMMENT_LINE = /^\s*(?:\*|\/[/*]).*$/gm;
const IMPORT =
  /^\s*(?:import|export)\s+[^;"'()]*?\bfrom\s*"(?<from>[^"\n]+)"|^\s*import\s*"(?<bare>[^"\n]+)"|\bimport\s*\(\s*(?:"(?<lazy>[^"\n]+)"|(?<computed>[^")\s]))/gm;

/** Every import and re-export of a file, types and lazy ones among them. */
function importsOf(file: string, text: string): readonly Import[] {
  const code = text.replaceAll(COMMENT_LINE, "");
  return [...code.matchAll(IMPORT)].flatMap((match) => {
    const { from, bare, lazy, computed } = match.groups ?? {};
    // Tests write programs as text, and what those import is no import of theirs.
    if (computed !== undefined && isTest(file)) return [];
    const line = code.slice(0, match.index + match[0].length).split("\n").length;
    return [{ file, line, specifier: from ?? bare ?? lazy ?? null }];
  });
}

const files = globSync("src/**/*.ts", { cwd: ROOT }).map((path) => path.replaceAll("\\", "/"));
const textOf = (path: string) => readFileSync(join(ROOT, path), "utf8");
const rooms = readdirSync(join(ROOT, "src"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

// === the tests ===

test("every room has a place in the order of dependencies", () => {
  const unplaced = rooms.filter((room) => MAY_KNOW[room] === undefined);
  assert.deepEqual(unplaced, [], "add the room to MAY_KNOW: what may it know?");
});

test("every exception is still used", () => {
  const unused = EXCEPTIONS.filter(
    ({ room, knows }) =>
      !files.some(
        (file) =>
          roomOf(file) === room &&
          importsOf(file, textOf(file)).some(
            (one) => roomOf(join(file, "..", one.specifier ?? "")) === knows,
          ),
      ),
  );
  assert.deepEqual(unused, [], "the edge is gone; take the exception away too");
});

test("rooms import only rooms below them, and only through front doors", () => {
  const problems = files
    .flatMap((file) => importsOf(file, textOf(file)))
    .flatMap((one) => {
      const problem = problemOf(one);
      return problem === null ? [] : [`${one.file}:${one.line} ${problem}`];
    });
  assert.deepEqual(problems, []);
});

test("front doors name what they export", () => {
  const problems = files.flatMap((file) =>
    textOf(file)
      .split("\n")
      .flatMap((line, i) => {
        if (!/^export (?:type )?\*/.test(line)) return [];
        if (NAMESPACE_DOORS.includes(file) && /^export (?:type )?\* as \w+ from/.test(line)) return [];
        return [`${file}:${i + 1} exports everything; name what readers need, so that the door says it`];
      }),
  );
  assert.deepEqual(problems, []);
});

for (const room of rooms) {
  test(`${room} has a front door and a README with the headings of all rooms`, () => {
    assert.ok(
      existsSync(join(ROOT, "src", room, "index.ts")),
      `src/${room}/index.ts is missing; add the front door`,
    );
    const path = `src/${room}/README.md`;
    assert.ok(existsSync(join(ROOT, path)), `${path} is missing; copy the shape of src/table/README.md`);
    const found = [...textOf(path).matchAll(/^## (.*)$/gm)].map((match) => match[1] ?? "");
    assert.deepEqual(
      found.map((heading) => HEADINGS.find((one) => heading.startsWith(one)) ?? heading),
      HEADINGS,
      `${path}: its headings are those of every room, in this order`,
    );
  });
}

// === the rules on examples: a rule that finds nothing proves nothing ===

const EXAMPLES: readonly (Omit<Import, "line"> & { readonly want: RegExp | null })[] = [
  { file: "src/router/x.ts", specifier: "../table/index.ts", want: null },
  { file: "src/router/x.ts", specifier: "./phases.ts", want: null },
  { file: "src/router/deep/x.ts", specifier: "../phases.ts", want: null },
  { file: "src/router/x.ts", specifier: "node:net", want: null },
  { file: "src/router/x.ts", specifier: "../wire/http1/index.ts", want: null },
  { file: "src/router/x.ts", specifier: "../kernel/errors/router.ts", want: null },
  { file: "src/router/x.ts", specifier: "../table/table.ts", want: /past the front door of table/ },
  { file: "src/router/x.ts", specifier: "../wire/http1/parse.ts", want: /past the front door of wire/ },
  { file: "src/router/x.ts", specifier: "../diego/index.ts", want: /router may not know diego/ },
  { file: "src/router/x.ts", specifier: "../table/samples.ts", want: /past the front door of table/ },
  { file: "src/router/x.ts", specifier: "../../test/support/needs.ts", want: /stays inside src/ },
  { file: "src/router/x.ts", specifier: null, want: /only the running program knows/ },
  { file: "src/router/x.test.ts", specifier: "../table/samples.ts", want: null },
  { file: "src/router/x.test.ts", specifier: "../diego/index.ts", want: /router may not know diego/ },
  { file: "src/router/x.test.ts", specifier: "../../test/support/needs.ts", want: null },
  { file: "src/kernel/x.ts", specifier: "../table/index.ts", want: /kernel may not know table, only itself/ },
  { file: "src/table/x.ts", specifier: "../balancing/index.ts", want: /table may not know balancing/ },
  { file: "src/auth/x.ts", specifier: "../store/index.ts", want: null },
  { file: "src/cli/x.ts", specifier: "../router/index.ts", want: /cli may not know router/ },
  { file: "src/cli/x.ts", specifier: "../app/index.ts", want: /cli may not know app/ },
  { file: "src/cli/roles.ts", specifier: null, want: null },
];
for (const { file, specifier, want } of EXAMPLES) {
  test(`${file} ${want === null ? "may" : "may not"} import ${specifier ?? "a computed path"}`, () => {
    const problem = problemOf({ file, specifier });
    if (want === null) assert.equal(problem, null);
    else assert.match(problem ?? "fine", want);
  });
}

test("finds imports in every form, and none in comments", () => {
  const text = [
    'import { a } from "./a.ts";',
    "import type {",
    "  B,",
    '} from "./b.ts";',
    'import "./c.ts";',
    'export type { D } from "./d.ts";',
    'export { e } from "./e.ts";',
    'const f = await import("./f.ts");',
    'const [g, h] = [import("./g.ts"), import(',
    '  "./h.ts"',
    ")];",
    ' * import { x } from "./x.ts";',
    '// import { y } from "./y.ts";',
    'const text = { from: "./z.ts" };',
    "const i = await import(path);",
  ].join("\n");
  assert.deepEqual(
    importsOf("src/cli/x.ts", text).map(({ line, specifier }) => [line, specifier]),
    [
      [1, "./a.ts"],
      [4, "./b.ts"],
      [5, "./c.ts"],
      [6, "./d.ts"],
      [7, "./e.ts"],
      [8, "./f.ts"],
      [9, "./g.ts"],
      [10, "./h.ts"],
      [15, null],
    ],
  );
});
