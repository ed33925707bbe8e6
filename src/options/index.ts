/**
 * Per-route options: the ordered list, and everything that is derived from it. The API, the manifest, the CLI, the
 * generated reference and the router read this list; adding an option is a file, its test, and a line here.
 */
import connectionLimit from "./connection-limit.ts";
import type { AnyOption } from "./define.ts";
import hashBalance from "./hash_balance.ts";
import hashHeader from "./hash_header.ts";
import loadbalancing from "./loadbalancing.ts";
import { createOptionSet } from "./option-set.ts";
import sessionCookie from "./session-cookie.ts";
import trimPath from "./trim-path.ts";

/** In order of execution: an option feels everything below it. */
export const options = [
  sessionCookie, // a session goes where it began: the balancer is not asked
  connectionLimit, // whom the balancer may pick
  loadbalancing, // picks an endpoint; what is below may know it
  hashHeader, // how `hash` picks
  hashBalance, // and how far it goes
  trimPath, // last, so that every option above sees the target as the client sent it
] as const satisfies readonly AnyOption[];

export const {
  validateOptions,
  validatePatch,
  mergeOptions,
  honourOptions,
  companionsOf,
  compileHooks,
  findOption,
  parseOptionText,
} = createOptionSet(options);

export { defineOption } from "./define.ts";
export { createOptionSet, MAX_OPTIONS_BYTES } from "./option-set.ts";
export type {
  AnyOption,
  ExchangeView,
  OperatorLimits,
  OptionBond,
  OptionExample,
  OptionHooks,
  OptionValue,
  RouteOption,
} from "./define.ts";
export type {
  OptionProblem,
  OptionSet,
  OptionsVerdict,
  OptionTextVerdict,
} from "./option-set.ts";
