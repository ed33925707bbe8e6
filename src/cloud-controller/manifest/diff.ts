/** What applying a manifest would change, as JSON Patch words it. A manifest adds and replaces; it never removes. */
import { isDeepStrictEqual } from "node:util";
import { isMap, PROCESS_KEYS, type RawMap } from "./document.ts";
import { parseMegabytes } from "./sizes.ts";

export type Difference =
  | { readonly op: "add"; readonly path: string; readonly value: unknown }
  | { readonly op: "replace"; readonly path: string; readonly was: unknown; readonly value: unknown };

/** Of these the manifest has no state: they say what to do, or belong to the client. */
const INSTRUCTIONS = ["name", "path", "no-route", "random-route", "default-route", "buildpack"];
const SIZES = ["memory", "disk_quota", "log-rate-limit-per-second"];

/** @param current  What the app is, as `generate.ts` says it; null when there is none. */
export function diffApp(index: number, wanted: RawMap, current: RawMap | null): readonly Difference[] {
  const at = `/applications/${index}`;
  if (current === null) {
    return Object.entries(wanted).map(([key, value]) => ({ op: "add", path: `${at}/${escape(key)}`, value }));
  }
  const web = listOf(current["processes"]).find((process) => process["type"] === "web") ?? {};
  return Object.entries(wanted).flatMap(([key, value]): readonly Difference[] => {
    if (INSTRUCTIONS.includes(key)) return [];
    if (key === "routes") return diffList(`${at}/routes`, "route", value, current[key], { protocol: null });
    if (key === "services") return diffNames(`${at}/services`, value, current[key]);
    if (key === "processes") return diffList(`${at}/processes`, "type", value, current[key], {});
    const isOfProcess = (PROCESS_KEYS as readonly string[]).includes(key);
    return diffValue(`${at}/${escape(key)}`, key, value, (isOfProcess ? web : current)[key]);
  });
}

/** Entries are the same when what `name` says of them is; one that only lacks `defaults` is no change. */
function diffList(
  at: string,
  name: string,
  wanted: unknown,
  current: unknown,
  defaults: RawMap,
): readonly Difference[] {
  return listOf(wanted).flatMap((entry, i): readonly Difference[] => {
    const existing = listOf(current).find((each) => each[name] === entry[name]);
    if (existing === undefined) return [{ op: "add", path: `${at}/${i}`, value: entry }];
    return Object.entries(entry)
      .filter(([key, value]) => !(key in defaults && value === defaults[key]))
      .flatMap(([key, value]) => diffValue(`${at}/${i}/${escape(key)}`, key, value, existing[key]));
  });
}

/** Of services, which are named alone or as `{ name }`. */
function diffNames(at: string, wanted: unknown, current: unknown): readonly Difference[] {
  const names = Array.isArray(wanted)
    ? wanted.map((each: unknown) => (isMap(each) ? each["name"] : each))
    : [];
  return names.flatMap((name, i): readonly Difference[] =>
    Array.isArray(current) && current.includes(name) ? [] : [{ op: "add", path: `${at}/${i}`, value: name }],
  );
}

function diffValue(path: string, key: string, value: unknown, was: unknown): readonly Difference[] {
  if (isMap(value) && isMap(was)) {
    return Object.entries(value).flatMap(([inner, each]) =>
      diffValue(`${path}/${escape(inner)}`, inner, each, was[inner]),
    );
  }
  if (isSame(key, value, was)) return [];
  return was === undefined ? [{ op: "add", path, value }] : [{ op: "replace", path, was, value }];
}

function isSame(key: string, value: unknown, was: unknown): boolean {
  if (isDeepStrictEqual(value, was)) return true;
  if (value === null || value === undefined) return was === undefined;
  if (SIZES.includes(key)) {
    const size = parseMegabytes(value);
    return size === null ? String(value) === String(was) : size === parseMegabytes(was);
  }
  // An environment and options hold texts where YAML may have numbers.
  return !isMap(value) && !Array.isArray(value) && String(value) === String(was);
}

const listOf = (value: unknown): readonly RawMap[] => (Array.isArray(value) ? value.filter(isMap) : []);

/** RFC 6901 §3. */
const escape = (key: string) => key.replaceAll("~", "~0").replaceAll("/", "~1");
