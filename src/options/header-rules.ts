/**
 * The text of `request-headers` and `response-headers`, and what the router makes of it.
 *
 *   rules  = rule *( ";" rule )
 *   rule   = ( "set" / "append" ) name ":" value  /  "remove" name
 *   value  = text without ";"  /  DQUOTE text with \" for a quote and \\ for a backslash DQUOTE
 */
import { Type } from "typebox";
import type { HeaderRules } from "./define.ts";
import { TOKEN } from "./token.ts";

/** Less than all options of a route may have together. */
const MAX_TEXT_CHARACTERS = 960;
const MAX_VALUE_CHARACTERS = 512;

/** One rule and what separates it from the next; sticky, so that nothing is skipped. */
const RULE = new RegExp(
  `\\s*(?:(set|append)\\s+(${TOKEN})\\s*:\\s*(?:"((?:[^"\\\\]|\\\\["\\\\])*)"|([^";]*?))|(remove)\\s+(${TOKEN}))\\s*(;|$)`,
  "y",
);
/** What a field value may hold here (RFC 9110 §5.5, without obs-text). */
const VALUE = /^[\x20-\x7e\t]*$/;

/** They frame messages, or end at the next hop, or switch protocols: nobody else's business, either way. */
const NOBODYS = [
  "connection",
  "content-length",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "sec-websocket-*",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];
/** What the router says itself, and apps rely on. */
const ROUTERS = ["x-cf-*", "x-vcap-*"];

export const PROTECTED_REQUEST_HEADERS: readonly string[] = [
  ...NOBODYS,
  ...ROUTERS,
  "b3",
  "expect",
  "forwarded",
  "host",
  "traceparent",
  "tracestate",
  "x-b3-*",
  "x-forwarded-*",
  "x-request-start",
];
export const PROTECTED_RESPONSE_HEADERS: readonly string[] = [...NOBODYS, ...ROUTERS, "date"];

export interface HeaderRule {
  readonly action: "set" | "append" | "remove";
  readonly name: string;
  /** "" of `remove`. */
  readonly value: string;
}

/** @param words  The option's name in words: `Request headers`. */
export function headerRulesOf(words: string) {
  return {
    schema: Type.String({
      description: "rules, with `;` between",
      minLength: 1,
      maxLength: MAX_TEXT_CHARACTERS,
    }),
    refusal: (given: unknown) =>
      typeof given === "string" && given.length > MAX_TEXT_CHARACTERS
        ? `${words} must be at most ${MAX_TEXT_CHARACTERS} characters`
        : `${words} must be rules like 'set NAME: VALUE; append NAME: VALUE; remove NAME'`,
  };
}

/** For `check`. @param kept  Names that no rule may have, lower case; `x-cf-*` is all that begin so. */
export function checkHeaderRules(text: string, kept: readonly string[]): true | string {
  const rules = parseHeaderRules(text);
  if (typeof rules === "string") return rules;
  const seen = new Map<string, HeaderRule>();
  for (const rule of rules) {
    const name = rule.name.toLowerCase();
    const owner = kept.find((one) => (one.endsWith("*") ? name.startsWith(one.slice(0, -1)) : name === one));
    if (owner !== undefined) return `${rule.name} is the router's own (${owner}); no rule may touch it`;
    if (rule.value.length > MAX_VALUE_CHARACTERS)
      return `the value of ${rule.name} has more than ${MAX_VALUE_CHARACTERS} characters`;
    if (!VALUE.test(rule.value)) return `the value of ${rule.name} may hold printable ASCII characters only`;
    const before = seen.get(name);
    if (before !== undefined && (before.action === "remove" || rule.action !== "append"))
      return `${rule.name} has two rules that contradict each other; after «set» or «append» only «append» may follow`;
    seen.set(name, rule);
  }
  return true;
}

/** Of a text that {@link checkHeaderRules} took. */
export function compileHeaderRules(text: string): HeaderRules {
  const rules = parseHeaderRules(text);
  if (typeof rules === "string") throw new Error(`header rules were not checked: ${rules}`);
  return {
    hides: new Set(rules.filter(({ action }) => action !== "append").map(({ name }) => name.toLowerCase())),
    lines: rules
      .filter(({ action }) => action !== "remove")
      .map(({ name, value }) => `${name}: ${value}\r\n`)
      .join(""),
  };
}

/** For `explain`. */
export const headerRulesInWords = (text: string): string => {
  const rules = parseHeaderRules(text);
  return typeof rules === "string" ? "" : rules.map(({ action, name }) => `${action}s ${name}`).join(", ");
};

/** The rules in their order, or what is wrong. */
export function parseHeaderRules(text: string): readonly HeaderRule[] | string {
  const rules: HeaderRule[] = [];
  let at = 0;
  for (;;) {
    RULE.lastIndex = at;
    const match = RULE.exec(text);
    if (match === null) {
      return `«${text.slice(at, at + 40).trim()}» is no rule; write «set NAME: VALUE», «append NAME: VALUE» or «remove NAME», with ; between`;
    }
    const [, sets, name, quoted, bare = "", removes, removed = "", end] = match;
    if (removes !== undefined) rules.push({ action: "remove", name: removed, value: "" });
    else {
      const value = quoted === undefined ? bare : quoted.replaceAll(/\\(["\\])/g, "$1");
      rules.push({ action: sets === "append" ? "append" : "set", name: name as string, value });
    }
    at = RULE.lastIndex;
    // A separator at the very end is a habit, not a mistake.
    if (end === "" || text.slice(at).trim() === "") return rules;
  }
}
