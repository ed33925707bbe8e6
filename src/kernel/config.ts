/**
 * Configuration: each room exports a section of settings, `app/` composes them. Read once, checked once, frozen.
 * Precedence: defaults, presets of one way to run, file, environment, flags. All problems are reported at once, each
 * with where, what and how to fix.
 *
 * @example
 * export const dnsSection = configSection("dns", {
 *   port: setting.port({ key: "port", default: 8053, describe: "UDP and TCP port of the DNS server." }),
 *   idleTimeoutMs: setting.duration({ key: "idle_timeout", default: "10s", describe: "Closes quiet TCP clients." }),
 * });
 * export type DnsConfig = ConfigOf<typeof dnsSection>;   // { readonly port: number; readonly idleTimeoutMs: number }
 */
import { isMap, isScalar, LineCounter, parseDocument } from "yaml";
import { configInvalid } from "./errors/config.ts";
import { nearestName, parseBytes, parseDurationMs } from "./units.ts";

type Parsed<T> = { readonly value: T } | { readonly problem: string };

export interface Setting<T> {
  /** Name in the file, snake_case. The TypeScript name may differ (it carries the unit). */
  readonly key: string;
  /** One sentence for the generated reference. */
  readonly describe: string;
  /** In the form a user would write. */
  readonly default: unknown;
  /** Printed as `***`. */
  readonly secret: boolean;
  /** What kind of value, in words: «duration», «port». */
  readonly kind: string;
  readonly parse: (raw: unknown) => Parsed<T>;
}

export interface Section<S extends Record<string, Setting<unknown>>> {
  readonly name: string;
  readonly settings: S;
}
export type AnySection = Section<Record<string, Setting<unknown>>>;
export type ConfigOf<X> =
  X extends Section<infer S> ? { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never } : never;

interface Common<D> {
  key: string;
  describe: string;
  default: D;
}

function define<T>(
  common: Common<unknown> & { secret?: boolean },
  kind: string,
  parse: (raw: unknown) => Parsed<T>,
): Setting<T> {
  return Object.freeze({
    key: common.key,
    describe: common.describe,
    default: common.default,
    secret: common.secret ?? false,
    kind,
    parse,
  });
}

const shown = (raw: unknown) => JSON.stringify(raw);

/** The kinds of settings there are. */
export const setting = {
  string: (common: Common<string> & { secret?: boolean }) =>
    define<string>(common, "text", (raw) =>
      typeof raw === "string" ? { value: raw } : { problem: `${shown(raw)} is not text; put it in quotes` },
    ),
  boolean: (common: Common<boolean>) =>
    define<boolean>(common, "true or false", (raw) => {
      if (raw === true || raw === "true") return { value: true };
      if (raw === false || raw === "false") return { value: false };
      return { problem: `${shown(raw)} is neither true nor false` };
    }),
  /** @param common  `why` is said of a value outside the range. */
  integer: (common: Common<number> & { minimum?: number; maximum?: number; why?: string }) => {
    const minimum = common.minimum ?? 0;
    const maximum = common.maximum ?? Number.MAX_SAFE_INTEGER;
    const upTo = minimum === maximum ? String(minimum) : `${minimum}–${maximum}`;
    const range = common.maximum === undefined ? `≥ ${minimum}` : upTo;
    const why = common.why === undefined ? "" : `: ${common.why}`;
    return define<number>(common, `whole number ${range}`, (raw) => {
      const value = typeof raw === "string" && /^-?\d+$/.test(raw) ? Number(raw) : raw;
      if (typeof value !== "number" || !Number.isInteger(value)) {
        return { problem: `${shown(raw)} is not a whole number; write one in ${range}` };
      }
      if (value < minimum || value > maximum) return { problem: `${value} is outside ${range}${why}` };
      return { value };
    });
  },
  /** A TCP or UDP port; 0 lets the system choose. */
  port: (common: Common<number>) => {
    const inner = setting.integer({ ...common, maximum: 65_535 });
    return define<number>(common, "port", inner.parse);
  },
  /**
   * In milliseconds inside, `"30s"` outside.
   * @param common  `minimum` is for what is done again and again: with 0 it would be all that is done.
   */
  duration: (common: Common<string> & { minimum?: string }) => {
    const { minimum } = common;
    const minimumMs = minimum === undefined ? 0 : (parseDurationMs(minimum) ?? Number.NaN);
    return define<number>(common, minimum === undefined ? "duration" : `duration ≥ ${minimum}`, (raw) => {
      const ms = typeof raw === "string" ? parseDurationMs(raw) : null;
      if (ms !== null) {
        return ms >= minimumMs ? { value: ms } : { problem: `${shown(raw)} is shorter than ${minimum}` };
      }
      const hint = /^\d+$/.test(String(raw))
        ? `has no unit; write "${String(raw)}s"`
        : 'is no duration; write one like "30s"';
      return { problem: `${shown(raw)} ${hint}` };
    });
  },
  /** In bytes inside, `"16 KiB"` outside. */
  bytes: (common: Common<string>) =>
    define<number>(common, "size", (raw) => {
      const value = typeof raw === "string" ? parseBytes(raw) : null;
      return value === null
        ? { problem: `${shown(raw)} is no size with a unit; write one like "16 KiB"` }
        : { value };
    }),
  oneOf: <const V extends string>(common: Common<V> & { values: readonly V[] }) =>
    define<V>(common, common.values.join(", "), (raw) => {
      const found = common.values.find((value) => value === raw);
      return found === undefined
        ? { problem: `${shown(raw)} is not one of ${common.values.join(", ")}` }
        : { value: found };
    }),
  /** A list of texts; in the environment and in flags, separated by commas. */
  list: (common: Common<readonly string[]>) =>
    define<readonly string[]>(common, "list of texts", (raw) => {
      const items = typeof raw === "string" ? raw.split(",").filter((item) => item !== "") : raw;
      return Array.isArray(items) && items.every((item) => typeof item === "string")
        ? { value: Object.freeze(items) }
        : { problem: `${shown(raw)} is not a list of texts` };
    }),
} as const;

export function configSection<const S extends Record<string, Setting<unknown>>>(
  name: string,
  settings: S,
): Section<S> {
  return Object.freeze({ name, settings: Object.freeze(settings) });
}

export interface ConfigSources {
  /** Defaults of one way to run that differ from the settings' own: `{ "dns.port": 8053 }`. */
  readonly presets?:
    | { readonly origin: string; readonly values: Readonly<Record<string, unknown>> }
    | undefined;
  /** YAML text and the name it goes by in messages. */
  readonly file?: { readonly path: string; readonly text: string } | undefined;
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  /** `{ "dns.port": "8053" }`. */
  readonly flags?: Readonly<Record<string, string>> | undefined;
}

/** One value in force and where it came from; for `viaduct config explain`. */
export interface ConfigEntry {
  /** `dns.port` */
  readonly path: string;
  /** As it may be printed: secrets are `***`. */
  readonly shown: string;
  /** `default`, `viaduct.yml, line 3`, `environment VIADUCT_DNS_PORT`, `flag`. */
  readonly origin: string;
  readonly describe: string;
}

export interface LoadedConfig {
  /** Frozen values of one section. */
  get<S extends Record<string, Setting<unknown>>>(section: Section<S>): ConfigOf<Section<S>>;
  readonly entries: readonly ConfigEntry[];
}

/** Environment variable of a setting: `dns.idle_timeout` → `VIADUCT_DNS_IDLE_TIMEOUT`. */
export const environmentName = (section: string, key: string) =>
  `VIADUCT_${section}_${key}`.replaceAll("-", "_").toUpperCase();

/**
 * Composes the sections from all sources.
 * @throws configInvalid with every problem found.
 */
export function loadConfig(sections: readonly AnySection[], sources: ConfigSources): LoadedConfig {
  const problems: string[] = [];
  const raw = new Map<string, { value: unknown; origin: string }>();
  const known = new Set(sections.flatMap((s) => Object.values(s.settings).map((x) => `${s.name}.${x.key}`)));

  for (const [path, value] of Object.entries(sources.presets?.values ?? {})) {
    if (!known.has(path)) throw new Error(`preset of an unknown setting: ${path}`);
    raw.set(path, { value, origin: sources.presets?.origin ?? "" });
  }
  readFile(sections, sources, raw, problems);
  for (const section of sections) {
    for (const { key } of Object.values(section.settings)) {
      const name = environmentName(section.name, key);
      const value = sources.environment?.[name];
      if (value !== undefined) raw.set(`${section.name}.${key}`, { value, origin: `environment ${name}` });
    }
  }
  for (const [path, value] of Object.entries(sources.flags ?? {})) {
    if (known.has(path)) raw.set(path, { value, origin: "flag" });
    else problems.push(unknownKey(path, [...known], "flag"));
  }

  const values = new Map<string, Readonly<Record<string, unknown>>>();
  const entries: ConfigEntry[] = [];
  for (const section of sections) {
    const own: Record<string, unknown> = {};
    for (const [name, item] of Object.entries(section.settings)) {
      const path = `${section.name}.${item.key}`;
      const given = raw.get(path) ?? { value: item.default, origin: "default" };
      const parsed = item.parse(given.value);
      if ("problem" in parsed) problems.push(`${path}: ${parsed.problem}. (${given.origin})`);
      else own[name] = parsed.value;
      entries.push({
        path,
        shown: item.secret && given.value !== "" ? "***" : shown(given.value),
        origin: given.origin,
        describe: item.describe,
      });
    }
    values.set(section.name, Object.freeze(own));
  }
  if (problems.length > 0) throw configInvalid({ problems });

  return {
    entries,
    get: (section) => {
      const own = values.get(section.name);
      if (own === undefined) throw new Error(`section ${section.name} was not loaded`);
      return own as never;
    },
  };
}

function readFile(
  sections: readonly AnySection[],
  sources: ConfigSources,
  raw: Map<string, { value: unknown; origin: string }>,
  problems: string[],
): void {
  if (sources.file === undefined) return;
  const { path: file, text } = sources.file;
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  for (const error of document.errors) problems.push(`${file}: ${error.message.split("\n")[0]}`);
  if (document.errors.length > 0 || document.contents === null) return;
  if (!isMap(document.contents)) {
    problems.push(`${file}: the file is not a map of sections; write «section:» lines`);
    return;
  }
  const sectionNames = sections.map((s) => s.name);
  for (const pair of document.contents.items) {
    const name = isScalar(pair.key) ? String(pair.key.value) : "";
    const where = (node: unknown) => {
      const offset = isScalar(node) ? node.range?.[0] : undefined;
      return offset === undefined ? file : `${file}, line ${lines.linePos(offset).line}`;
    };
    const section = sections.find((s) => s.name === name);
    if (section === undefined) {
      problems.push(unknownKey(name, sectionNames, where(pair.key)));
      continue;
    }
    if (!isMap(pair.value)) {
      if (!isScalar(pair.value) || pair.value.value !== null) {
        problems.push(`${name}: is not a map of settings. (${where(pair.key)})`);
      }
      continue;
    }
    const keys = Object.values(section.settings).map((item) => item.key);
    for (const entry of pair.value.items) {
      const key = isScalar(entry.key) ? String(entry.key.value) : "";
      if (!keys.includes(key)) {
        problems.push(
          unknownKey(
            `${name}.${key}`,
            keys.map((k) => `${name}.${k}`),
            where(entry.key),
          ),
        );
        continue;
      }
      const value: unknown = isScalar(entry.value)
        ? entry.value.value
        : ((entry.value as { toJSON?: () => unknown } | null)?.toJSON?.() ?? null);
      raw.set(`${name}.${key}`, { value, origin: where(entry.key) });
    }
  }
}

function unknownKey(path: string, candidates: readonly string[], where: string): string {
  const near = nearestName(path, candidates);
  const remedy = near === null ? "remove it" : `did you mean «${near}»?`;
  return `${path}: there is no such key; ${remedy} (${where})`;
}
