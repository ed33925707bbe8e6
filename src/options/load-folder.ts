/**
 * An operator's own options: files of a folder, each of which gives one option.
 *
 *   // branding.mjs
 *   export default ({ defineOption, Type }) => defineOption({ name: "branding", schema: Type.String(), … });
 *
 * What a file needs is handed to it, so that it imports nothing of ours and can live anywhere.
 */
import { readdirSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Type } from "typebox";
import { optionFileInvalid, optionFolderUnreadable } from "../kernel/errors/options.ts";
import { defineError, nearestName, systemReason } from "../kernel/index.ts";
import { type AnyOption, defineOption } from "./define.ts";

/** What an option file is given. */
export interface OptionKit {
  readonly defineOption: typeof defineOption;
  /** TypeBox: what the schema is made of. */
  readonly Type: typeof Type;
  /** For refusals: an error with a code, a status and a sentence. */
  readonly defineError: typeof defineError;
}

const KIT: OptionKit = Object.freeze({ defineOption, Type, defineError });
const ENDINGS = /\.(?:ts|js|mjs)$/;
/** Beside an option lives its test. */
const TEST = /\.test\.(?:ts|js|mjs)$/;
const NAME = /^[a-z][a-z0-9_-]{0,63}$/;
/** Of a definition that `defineOption` has completed. */
const KEYS: readonly string[] = [
  "name",
  "summary",
  "details",
  "aliases",
  "schema",
  "protocols",
  "since",
  "examples",
  "refusal",
  "namesValue",
  "bond",
  "stored",
  "operator",
  "check",
  "refusesWith",
  "replaces",
  "explain",
  "hooks",
];

/**
 * The options of a folder, in the order of the files' names.
 * @param known  Options there are already.
 * @throws optionFolderUnreadable, optionFileInvalid, which name folder, file and reason
 */
export async function loadOptionFolder(
  folder: string,
  known: readonly AnyOption[],
): Promise<readonly AnyOption[]> {
  const options: AnyOption[] = [];
  const origins = new Map<string, string>(
    known.flatMap((option) => namesOf(option).map((name) => [name, "Viaduct itself"])),
  );
  for (const file of filesOf(folder)) {
    const option = await loadFile(file);
    const bond = option.bond?.option;
    if (bond !== undefined && ![...known, ...options].some(({ name }) => name === bond)) {
      throw optionFileInvalid({
        file,
        reason: `«${option.name}» goes with «${bond}», which there is not before it`,
      });
    }
    for (const name of namesOf(option)) {
      const owner = origins.get(name);
      if (owner !== undefined)
        throw optionFileInvalid({ file, reason: `an option «${name}» there is already, from ${owner}` });
      origins.set(name, file);
    }
    options.push(option);
  }
  return options;
}

const namesOf = ({ name, aliases }: AnyOption): readonly string[] => [name, ...aliases];

function filesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
      .filter((name) => ENDINGS.test(name) && !TEST.test(name) && !name.endsWith(".d.ts"))
      .toSorted()
      .map((name) => resolve(folder, name));
  } catch (error) {
    throw optionFolderUnreadable({ folder, reason: systemReason(error) }, error);
  }
}

async function loadFile(file: string): Promise<AnyOption> {
  let option: unknown;
  try {
    const module = (await import(pathToFileURL(file).href)) as { readonly default?: unknown };
    if (typeof module.default !== "function") {
      throw new Error(
        "it has no function as its default export; write «export default ({ defineOption, Type }) => defineOption({ … })»",
      );
    }
    option = (module.default as (kit: OptionKit) => unknown)(KIT);
  } catch (error) {
    throw optionFileInvalid({ file, reason: systemReason(error) }, error);
  }
  const problem = problemOf(option);
  if (problem !== null) throw optionFileInvalid({ file, reason: problem });
  return option as AnyOption;
}

/** What the compiler says of our own files. */
function problemOf(option: unknown): string | null {
  if (typeof option !== "object" || option === null) {
    return "its function returns no option; return what defineOption({ … }) gives";
  }
  const given = option as Readonly<Record<string, unknown>>;
  for (const key of Object.keys(given)) {
    if (KEYS.includes(key)) continue;
    const near = nearestName(key, KEYS);
    return `it says «${key}», which no option has${near === null ? "" : `; did you mean «${near}»?`}`;
  }
  const missing = KEYS.filter((key) => given[key] === undefined);
  if (missing.length > 0) return `it does not say ${missing.map((key) => `«${key}»`).join(", ")}`;
  if (!NAME.test(String(given["name"]))) {
    return `its name is «${String(given["name"])}»; names are small letters, digits, - and _, 64 at most`;
  }
  if (typeof given["schema"] !== "object" || given["schema"] === null)
    return "its schema is none; make it with Type";
  for (const key of ["stored", "check", "explain", "hooks"]) {
    if (typeof given[key] !== "function") return `«${key}» is no function`;
  }
  if (!Array.isArray(given["examples"]) || given["examples"].length === 0) {
    return "it has no examples; say one at least, the API and the command line show it";
  }
  if (Object.keys(given["operator"] as object).length > 0) {
    return "it has settings for the operator, and the configuration is read before it; this file is the place for them";
  }
  return null;
}
