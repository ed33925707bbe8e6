/**
 * The kinds of values in a gorouter configuration file, as Go's YAML decoder takes them: an absent or null value is
 * the default, a plain `123` may be text, `yes` is a boolean.
 */
import { parseDurationMs } from "../kernel/index.ts";

/** A value in the file: decoded, and as it was written when it is a scalar. */
export interface Given {
  readonly value: unknown;
  readonly source: string | null;
}

export type Parsed<T> = { readonly value: T } | { readonly problem: string };

export interface Kind<T> {
  /** In words, for the reference. */
  readonly name: string;
  parse(given: Given): Parsed<T>;
  /** How a value is written, for the reference. */
  show(value: T): string;
}

const shown = (value: unknown) => JSON.stringify(value) ?? String(value);

const TRUE_WORDS = ["true", "yes", "on", "y"];
const FALSE_WORDS = ["false", "no", "off", "n"];

export const boolean: Kind<boolean> = {
  name: "true or false",
  parse({ value, source }) {
    const word = (source ?? "").toLowerCase();
    if (value === true || TRUE_WORDS.includes(word)) return { value: true };
    if (value === false || FALSE_WORDS.includes(word)) return { value: false };
    return { problem: `${shown(value)} is neither true nor false` };
  },
  show: String,
};

export function integer(minimum: number, maximum = Number.MAX_SAFE_INTEGER): Kind<number> {
  const range = maximum === Number.MAX_SAFE_INTEGER ? `≥ ${minimum}` : `${minimum}–${maximum}`;
  return {
    name: `whole number ${range}`,
    parse({ value }) {
      if (typeof value !== "number" || !Number.isInteger(value)) {
        return { problem: `${shown(value)} is not a whole number; write one ${range}` };
      }
      if (value < minimum || value > maximum) return { problem: `${value} is outside ${range}` };
      return { value };
    },
    show: String,
  };
}

export const port: Kind<number> = { ...integer(0, 65_535), name: "port" };

/** Milliseconds inside, `30s` outside. */
export const duration: Kind<number> = {
  name: "duration",
  parse({ value }) {
    if (value === 0) return { value: 0 };
    const ms = typeof value === "string" ? parseDurationMs(value) : null;
    if (ms !== null) return { value: ms };
    const hint =
      typeof value === "number" ? `has no unit; write "${value}s"` : 'is no duration; write one like "30s"';
    return { problem: `${shown(value)} ${hint}` };
  },
  show: (ms) => (ms === 0 ? "0" : ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`),
};

export const text: Kind<string> = {
  name: "text",
  parse({ value, source }) {
    if (typeof value === "string") return { value };
    return source === null ? { problem: `${shown(value)} is not text` } : { value: source };
  },
  show: (value) => (value === "" ? "empty" : value),
};

/** `host:port`, `[::1]:514`. */
export const address: Kind<string> = {
  name: "host:port",
  parse({ value }) {
    return typeof value === "string" && hostAndPortOf(value) !== null
      ? { value }
      : { problem: `${shown(value)} is no address; write one like "127.0.0.1:514"` };
  },
  show: String,
};

/** Null when it is none. */
export function hostAndPortOf(text: string): { readonly host: string; readonly port: number } | null {
  const [, ipv6, host = ipv6, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text) ?? [];
  const number = Number(digits);
  return host !== undefined && number >= 1 && number <= 65_535 ? { host, port: number } : null;
}

/** @param refusal  The sentence for any other value. */
export function oneOf<const V extends string>(
  values: readonly V[],
  refusal: (value: string) => string,
): Kind<V> {
  return {
    name: values.join(", "),
    parse({ value, source }) {
      const found = values.find((candidate) => candidate === value);
      return found === undefined ? { problem: refusal(source ?? shown(value)) } : { value: found };
    },
    show: (value) => (value === "" ? "empty" : value),
  };
}

export const texts: Kind<readonly string[]> = {
  name: "list of texts",
  parse({ value }) {
    return Array.isArray(value) && value.every((item) => typeof item === "string")
      ? { value }
      : { problem: `${shown(value)} is not a list of texts` };
  },
  show: (value) => `[${value.join(", ")}]`,
};

/** A list of maps; `read` takes one of them, or returns what is wrong with it. */
export function listOf<T>(
  name: string,
  read: (item: Readonly<Record<string, unknown>>) => T | string,
): Kind<readonly T[]> {
  return {
    name,
    parse({ value }) {
      if (!Array.isArray(value)) return { problem: `${shown(value)} is not a ${name}` };
      const items: T[] = [];
      for (const item of value as unknown[]) {
        if (typeof item !== "object" || item === null || Array.isArray(item)) {
          return { problem: `${shown(item)} is not a map in a ${name}` };
        }
        const result = read(item as Readonly<Record<string, unknown>>);
        if (typeof result === "string") return { problem: result };
        items.push(result);
      }
      return { value: items };
    },
    show: (value) => (value.length === 0 ? "[]" : shown(value)),
  };
}

/** For keys that nothing here reads. */
export const anything: Kind<unknown> = {
  name: "any",
  parse: ({ value }) => ({ value }),
  show: (value) =>
    typeof value === "string" && value !== "" ? value : value === "" ? "empty" : shown(value),
};
