import { nearestName } from "../kernel/index.ts";
import { type OperatorLimits, optionsSection } from "../options/index.ts";
import type { Kind } from "./gorouter-values.ts";

/** What stands in the section `options:` of `viaduct.yml`, by the names that the code has for it. */
export type OptionSettings = OperatorLimits & { readonly folder?: string };

/** That section inside a gorouter file; what is not given has its default. */
export const optionSettings: Kind<OptionSettings> = {
  name: "the section `options` of [configuration.md](configuration.md#options)",
  show: () => "`{}`",
  parse({ value }) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return { problem: "is not a map of settings" };
    }
    const known = Object.entries(optionsSection.settings);
    const keys = known.map(([, { key }]) => key);
    const problems: string[] = [];
    const settings: Record<string, unknown> = {};
    for (const [key, raw] of Object.entries(value)) {
      const found = known.find(([, setting]) => setting.key === key);
      if (found === undefined) {
        const near = nearestName(key, keys);
        problems.push(`there is no ${key}${near === null ? "" : `; did you mean ${near}?`}`);
        continue;
      }
      const [name, setting] = found;
      const parsed = setting.parse(raw);
      if ("problem" in parsed) problems.push(`${key}: ${parsed.problem}`);
      else settings[name] = parsed.value;
    }
    // The folder is text, because its setting is; all else is handed to checks that know what they declared.
    return problems.length > 0 ? { problem: problems.join("; ") } : { value: settings as OptionSettings };
  },
};
