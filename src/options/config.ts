/** The `options:` section of `viaduct.yml`: where the operator's own options are, and what routes may ask for. */
import { configSection, type Setting, setting } from "../kernel/index.ts";
import type { AnyOption } from "./define.ts";
import { createOptionSet } from "./option-set.ts";

export function createOptionsSection(options: readonly AnyOption[]) {
  return configSection("options", {
    folder: setting.string({
      key: "folder",
      default: "",
      describe:
        "Folder with route options of your own, `.ts`, `.js` or `.mjs`, loaded at the start; empty for none. Every machine needs the same.",
    }),
    // Each option brings its own.
    ...(createOptionSet(options).operatorSettings as Record<never, Setting<unknown>>),
  });
}
