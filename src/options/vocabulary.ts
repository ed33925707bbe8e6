/**
 * The options that this process knows: those of the list, and those that an operator's folder added. One for the
 * process and not a value passed along, because a route's options mean the same to every role in it; it grows once,
 * at the start, before any role looks at a route.
 */
import type { AnyOption } from "./define.ts";
import { createOptionSet, type OptionSet } from "./option-set.ts";

export interface Vocabulary {
  /** In order of execution. */
  readonly options: () => readonly AnyOption[];
  /** Behind those there are: they act last. @throws Error when a name is taken */
  readonly add: (added: readonly AnyOption[]) => void;
  readonly set: Omit<OptionSet, "options" | "operatorSettings">;
}

export function createVocabulary(builtIn: readonly AnyOption[]): Vocabulary {
  let current = createOptionSet(builtIn);
  return {
    options: () => current.options,
    add(added) {
      current = createOptionSet([...current.options, ...added]);
    },
    set: {
      validateOptions: (map, context) => current.validateOptions(map, context),
      validatePatch: (map, context) => current.validatePatch(map, context),
      mergeOptions: (options, patch) => current.mergeOptions(options, patch),
      honourOptions: (map, onProblems, context) => current.honourOptions(map, onProblems, context),
      companionsOf: (name, value) => current.companionsOf(name, value),
      compileHooks: (options, route, kept, operator) => current.compileHooks(options, route, kept, operator),
      findOption: (name) => current.findOption(name),
      parseOptionText: (name, text) => current.parseOptionText(name, text),
    },
  };
}
