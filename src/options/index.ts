/**
 * Per-route options: the ordered list, and everything that is derived from it. The API, the manifest, the CLI, the
 * generated reference and the router read this list; adding an option is a file, its test, and a line here.
 */
import type { AnyOption } from "./define.ts";
import loadbalancing from "./loadbalancing.ts";
import { createOptionSet } from "./option-set.ts";
import trimPath from "./trim-path.ts";

/** In order of execution: an option feels everything below it. */
export const options = [
  loadbalancing, // picks an endpoint; what is below may know it
  trimPath, // last, so that every option above sees the target as the client sent it
] as const satisfies readonly AnyOption[];

export const { validateOptions, mergeOptions, honourOptions, compileHooks, findOption, parseOptionText } =
  createOptionSet(options);

export { defineOption } from "./define.ts";
export { createOptionSet, MAX_OPTIONS_BYTES } from "./option-set.ts";
export type {
  AnyOption,
  ExchangeView,
  OperatorLimits,
  OptionExample,
  OptionHooks,
  RouteOption,
} from "./define.ts";
export type {
  OptionProblem,
  OptionSet,
  OptionsVerdict,
  OptionTextVerdict,
  OptionValue,
} from "./option-set.ts";
