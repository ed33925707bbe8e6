/**
 * What everybody else does with options, derived from a list of them: strict checks for the control plane, lenient
 * reading for the data plane, hooks for the router. Nothing here knows a single option.
 */
import { Check } from "typebox/schema";
import { nearestName, type Setting } from "../kernel/index.ts";
import type { RouteOptions } from "../table/index.ts";
import type {
  AnyOption,
  OperatorLimits,
  OperatorSettings,
  OptionHooks,
  OptionValue,
  RouteFacts,
} from "./define.ts";

/** As upstream's `max_route_options_size`; measured as JSON in UTF-8. */
export const MAX_OPTIONS_BYTES = 1024;

/** A double holds no more digits; a longer text is none that means a number. */
const MAX_NUMBER_CHARACTERS = 16;
/** Of a value that is refused, in the sentence about it. */
const MAX_SHOWN_CHARACTERS = 40;

/** One thing that is wrong with an option map. */
export interface OptionProblem {
  /** The option; "" when the map as a whole is wrong. */
  readonly key: string;
  readonly value: unknown;
  /** A sentence for the user, upstream's where upstream has one. */
  readonly text: string;
}

export type OptionsVerdict =
  | { readonly ok: true; readonly options: RouteOptions }
  | { readonly ok: false; readonly problems: readonly OptionProblem[] };

export type OptionTextVerdict =
  | { readonly ok: true; readonly value: OptionValue }
  | { readonly ok: false; readonly text: string };

export interface OptionSet {
  readonly options: readonly AnyOption[];
  /**
   * The control plane's check of all options of a route: strict, every problem at once, nothing changed meanwhile.
   * Takes values as text too (`"true"`), as the `cf` CLI sends them, and returns them in the form to be stored. A
   * null means «removed»: it is checked for its key and left out.
   */
  validateOptions(map: unknown, context: { readonly operator: OperatorLimits }): OptionsVerdict;
  /** The same for a change: each pair by itself, because what it goes with may be there already. */
  validatePatch(map: unknown, context: { readonly operator: OperatorLimits }): OptionsVerdict;
  /**
   * `patch` over `current`; a null removes. What was there and has lost its bond by the patch is dropped. Validate the
   * patch before and the result after.
   */
  mergeOptions(current: RouteOptions, patch: Readonly<Record<string, OptionValue | null>>): RouteOptions;
  /**
   * The data plane's reading: never fails. A map that is none is ignored, a bad pair is ignored, the rest is
   * honoured, under the options' proper names. Call it where a route changes, not per message: `onProblems` is
   * called at most once, with everything that was ignored and with what is in force.
   */
  honourOptions(
    map: unknown,
    onProblems: (problems: readonly OptionProblem[], inForce: RouteOptions) => void,
    context?: { readonly operator: OperatorLimits },
  ): RouteOptions;
  /** What has to be set with this pair, taken from examples: `loadbalancing` for `hash_header`, and the other way round. */
  companionsOf(name: string, value: OptionValue): RouteOptions;
  /**
   * The hooks of honoured options, in the order of the list.
   * @param kept  By option, what it has kept of this route before; what it keeps is put there.
   */
  compileHooks(
    options: RouteOptions,
    route: Pick<RouteFacts, "host" | "path">,
    kept?: Map<string, unknown>,
    operator?: OperatorLimits,
  ): readonly OptionHooks[];
  /** What the operator may set about options, as settings of one section. */
  readonly operatorSettings: OperatorSettings;
  /** By name, or by an alias that only the data plane takes. */
  findOption(name: string): AnyOption | undefined;
  /** Turns what a user typed into the option's type: `trim-path`, `true`. */
  parseOptionText(name: string, text: string): OptionTextVerdict;
}

/** @param options  In order of execution: an option feels everything after it. Names and aliases are unique. */
export function createOptionSet(options: readonly AnyOption[]): OptionSet {
  const byName = new Map<string, AnyOption>();
  const byAlias = new Map<string, AnyOption>();
  for (const option of options) {
    byName.set(option.name, option);
    for (const name of [option.name, ...option.aliases]) {
      if (byAlias.has(name)) throw new Error(`two route options are called «${name}»`);
      byAlias.set(name, option);
    }
  }

  for (const { name, bond } of options) {
    if (bond !== null && !byName.has(bond.option)) {
      throw new Error(`route option «${name}» goes with «${bond.option}», which there is not`);
    }
  }

  const operatorSettings: Record<string, Setting<unknown>> = {};
  for (const option of options) {
    for (const [name, setting] of Object.entries(option.operator)) {
      if (Object.hasOwn(operatorSettings, name))
        throw new Error(`two settings of options are called «${name}»`);
      operatorSettings[name] = setting;
    }
  }
  const defaultLimits = defaultsOf(operatorSettings);

  const isBound = ({ bond }: AnyOption, map: Readonly<Record<string, unknown>>) =>
    bond === null || map[bond.option] === bond.value;

  /** What is said without what goes with it: an option without its bond, or the bond without an option it needs. */
  const unboundIn = (map: Readonly<Record<string, unknown>>) => {
    const found: (OptionProblem & { readonly about: readonly string[]; readonly sentence: string })[] = [];
    for (const option of options) {
      const { name, bond } = option;
      if (bond === null) continue;
      const about = [name, bond.option];
      if (!Object.hasOwn(map, name)) {
        if (bond.missing === null || !isBound(option, map)) continue;
        const text = bond.missing;
        found.push({ about, key: bond.option, value: bond.value, text, sentence: text });
      } else if (!isBound(option, map)) {
        const text = bond.refusal;
        found.push({ about, key: name, value: map[name], text, sentence: `Options ${text}` });
      }
    }
    return found;
  };

  const checkValue = (option: AnyOption, value: OptionValue, operator: OperatorLimits): true | string =>
    // The schema has said that the value is of the option's type; the list cannot say so for all at once.
    option.check(value as never, { operator: { ...defaultLimits, ...operator } as never });

  const set: OptionSet = {
    options,
    operatorSettings,

    validateOptions(map, context) {
      const verdict = set.validatePatch(map, context);
      if (!isMap(map)) return verdict;
      const problems = verdict.ok ? [] : verdict.problems;
      const refused = new Set(problems.map(({ key }) => key));
      const given = Object.fromEntries(
        Object.entries(map).filter(([key, value]) => value !== null && byName.has(key)),
      );
      const unbound = unboundIn(given)
        // A pair that is wrong by itself says nothing about what goes with it.
        .filter(({ about }) => !about.some((name) => refused.has(name)))
        .map(({ key, value, sentence }) => ({ key, value, text: sentence }));
      return unbound.length === 0 ? verdict : { ok: false, problems: [...problems, ...unbound] };
    },

    validatePatch(map, { operator }) {
      if (!isMap(map)) return { ok: false, problems: [notAMap(map)] };
      const problems: OptionProblem[] = [];
      const valid: Record<string, OptionValue> = {};
      for (const [key, value] of Object.entries(map)) {
        const option = byName.get(key);
        if (option === undefined) {
          problems.push({ key, value, text: `Options Unknown field(s): '${key}'` });
          continue;
        }
        if (value === null) continue;
        const read = readValue(option, value);
        if (read === undefined) {
          problems.push({ key, value, text: `Options ${refusalOf(option, value)}` });
          continue;
        }
        const verdict = checkValue(option, read, operator);
        if (verdict === true) valid[key] = option.stored(read as never);
        else problems.push({ key, value, text: `Options ${key}: ${verdict}` });
      }
      const bytes = Buffer.byteLength(JSON.stringify(map));
      if (bytes > MAX_OPTIONS_BYTES) {
        const text = `Options must be smaller than ${MAX_OPTIONS_BYTES} bytes (actual size is ${bytes} bytes)`;
        problems.push({ key: "", value: map, text });
      }
      return problems.length > 0 ? { ok: false, problems } : { ok: true, options: valid };
    },

    mergeOptions(current, patch) {
      const merged: Record<string, OptionValue> = {};
      for (const [key, value] of Object.entries({ ...current, ...patch })) {
        if (value !== null) merged[key] = value;
      }
      for (const option of options) {
        if (!Object.hasOwn(patch, option.name) && !isBound(option, merged)) delete merged[option.name];
      }
      return merged;
    },

    honourOptions(map, onProblems, { operator } = { operator: {} }) {
      if (!isMap(map)) {
        if (map !== undefined && map !== null) onProblems([notAMap(map)], {});
        return {};
      }
      const problems: OptionProblem[] = [];
      const honoured: Record<string, OptionValue> = {};
      for (const [key, value] of Object.entries(map)) {
        const option = byAlias.get(key);
        if (option === undefined) {
          problems.push({ key, value, text: unknown(key, byAlias) });
          continue;
        }
        if (option.name !== key && Object.hasOwn(map, option.name)) continue;
        const read = readValue(option, value);
        if (read === undefined) {
          problems.push({ key, value, text: refusalOf(option, value) });
          continue;
        }
        const verdict = checkValue(option, read, operator);
        if (verdict === true) honoured[option.name] = read;
        else problems.push({ key, value, text: `${key}: ${verdict}` });
      }
      // Taking one away may leave another without its bond.
      for (let left = unboundIn(honoured); left.length > 0; left = unboundIn(honoured)) {
        for (const { key, value, text } of left) {
          if (Object.hasOwn(honoured, key)) problems.push({ key, value, text });
          delete honoured[key];
        }
      }
      if (problems.length > 0) onProblems(problems, honoured);
      return honoured;
    },

    companionsOf(name, value) {
      const map: Record<string, OptionValue> = { [name]: value };
      const bond = byName.get(name)?.bond ?? null;
      if (bond !== null) map[bond.option] = bond.value;
      for (const option of options) {
        if (Object.hasOwn(map, option.name) || option.bond === null || option.bond.missing === null) continue;
        const [example] = option.examples;
        if (example !== undefined && isBound(option, map)) map[option.name] = example.value as OptionValue;
      }
      delete map[name];
      return map;
    },

    compileHooks(given, { host, path }, kept = new Map(), limits = {}) {
      // As in `checkValue`: the list cannot say what each option's settings are.
      const operator = { ...defaultLimits, ...limits } as never;
      const hooks: OptionHooks[] = [];
      for (const option of options) {
        const { name } = option;
        const value = given[name];
        if (value === undefined) continue;
        const keep = <T>(create: () => T): T => {
          if (!kept.has(name)) kept.set(name, create());
          // Put there by the same line, for the same option.
          return kept.get(name) as T;
        };
        hooks.push(option.hooks(value as never, { host, path, keep, operator }));
      }
      return hooks;
    },

    findOption: (name) => byAlias.get(name),

    parseOptionText(name, text) {
      const option = byName.get(name);
      if (option === undefined) return { ok: false, text: unknown(name, byName) };
      const value = readValue(option, text);
      return value === undefined ? { ok: false, text: refusalOf(option, text) } : { ok: true, value };
    },
  };
  return set;
}

function defaultsOf(settings: OperatorSettings): OperatorLimits {
  return Object.fromEntries(
    Object.entries(settings).map(([name, { default: given, key, parse }]) => {
      const parsed = parse(given);
      if ("problem" in parsed) throw new Error(`default of the setting «${key}»: ${parsed.problem}`);
      return [name, parsed.value];
    }),
  );
}

function refusalOf({ refusal, namesValue }: AnyOption, given: unknown): string {
  const sentence = typeof refusal === "string" ? refusal : refusal(given);
  return namesValue ? `${sentence}, not ${shown(given)}` : sentence;
}

/** As JSON, and no more of it than somebody needs to know it again. */
function shown(given: unknown): string {
  const text = JSON.stringify(given);
  return text.length <= MAX_SHOWN_CHARACTERS ? text : `${text.slice(0, MAX_SHOWN_CHARACTERS)}…`;
}

/** The value in the option's type; undefined when it is none, not even as text. */
function readValue(option: AnyOption, raw: unknown): OptionValue | undefined {
  const readings = typeof raw === "string" ? [raw, ...readText(raw)] : [raw];
  return readings.filter(isScalar).find((value) => Check(option.schema, value));
}

/** What else a text may mean: a truth value or a number. */
function readText(text: string): readonly OptionValue[] {
  if (text === "true" || text === "false") return [text === "true"];
  return text.length <= MAX_NUMBER_CHARACTERS && /^-?\d+(?:\.\d+)?$/.test(text) ? [Number(text)] : [];
}

const isScalar = (value: unknown): value is OptionValue =>
  typeof value === "string" || typeof value === "boolean" || Number.isFinite(value);

const isMap = (map: unknown): map is Readonly<Record<string, unknown>> =>
  typeof map === "object" && map !== null && !Array.isArray(map);

const notAMap = (map: unknown): OptionProblem => ({
  key: "",
  value: map,
  text: "Options 'options' is not a valid object",
});

function unknown(name: string, names: ReadonlyMap<string, AnyOption>): string {
  const near = nearestName(name, [...names.keys()]);
  const remedy = near === null ? `there are ${[...names.keys()].join(", ")}` : `did you mean «${near}»?`;
  return `there is no route option «${name}»; ${remedy}`;
}
