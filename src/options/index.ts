/**
 * Per-route options: the ordered list, and everything that is derived from it. The API, the manifest, the CLI, the
 * generated reference and the router read this list; adding an option is a file, its test, and a line here.
 */
import allowedRanges from "./allowed-ranges.ts";
import concurrencyLimit from "./concurrency-limit.ts";
import { createOptionsSection } from "./config.ts";
import connectTimeout from "./connect-timeout.ts";
import connectionLimit from "./connection-limit.ts";
import type { AnyOption } from "./define.ts";
import hashBalance from "./hash_balance.ts";
import hashHeader from "./hash_header.ts";
import hsts from "./hsts.ts";
import httpsRedirect from "./https-redirect.ts";
import idleTimeout from "./idle-timeout.ts";
import { loadOptionFolder } from "./load-folder.ts";
import loadbalancing from "./loadbalancing.ts";
import maintenance from "./maintenance.ts";
import maxBody from "./max-body.ts";
import { describeOptionMap } from "./option-map-schema.ts";
import rateLimit from "./rate-limit.ts";
import requestHeaders from "./request-headers.ts";
import responseHeaders from "./response-headers.ts";
import responseTimeout from "./response-timeout.ts";
import retries from "./retries.ts";
import retryBudget from "./retry-budget.ts";
import retryOn from "./retry-on.ts";
import sessionCookie from "./session-cookie.ts";
import trimPath from "./trim-path.ts";
import { createVocabulary } from "./vocabulary.ts";

/** In order of execution: an option feels everything below it. */
export const options = [
  hsts, // whatever is answered, and whoever answers
  allowedRanges, // refuse first what costs nothing to tell
  httpsRedirect, // what follows may hold secrets that should not come by http
  maintenance, // closed is closed, however seldom or little is asked
  rateLimit, // before anything that takes time
  maxBody, // and before a place is taken for what is refused anyway
  concurrencyLimit, // may hold the request, so nothing below has begun
  sessionCookie, // a session goes where it began: the balancer is not asked
  connectionLimit, // whom the balancer may pick
  loadbalancing, // picks an endpoint; what is below may know it
  hashHeader, // how `hash` picks
  hashBalance, // and how far it goes
  retries, // whether the balancer is asked again
  retryOn, // after what
  retryBudget, // and how often
  connectTimeout, // the waits, in the order in which an exchange has them
  responseTimeout,
  idleTimeout,
  trimPath, // the app sees another target, and is told of it before the route's own rules
  requestHeaders, // what the app sees
  responseHeaders, // last, so that it has the last word on what the client sees
] as const satisfies readonly AnyOption[];

const vocabulary = createVocabulary(options);

/** The options of this process: the list, and what {@link addOptionFolder} has added. */
export const knownOptions = vocabulary.options;

export const {
  validateOptions,
  validatePatch,
  mergeOptions,
  honourOptions,
  companionsOf,
  compileHooks,
  findOption,
  parseOptionText,
} = vocabulary.set;

/** A route's options as JSON schema, for documents. */
export const optionMapSchema = (): object => describeOptionMap(knownOptions());

export const optionsSection = createOptionsSection(options);

/**
 * Teaches this process the options of an operator's folder, behind its own. Call it at the start, before a role looks
 * at a route; "" adds none.
 * @throws optionFolderUnreadable, optionFileInvalid
 */
export async function addOptionFolder(folder: string): Promise<void> {
  if (folder !== "") vocabulary.add(await loadOptionFolder(folder, knownOptions()));
}

export { DEFAULT_RETRY_BUDGET_PERCENT, defineOption, MIN_RETRY_BUDGET } from "./define.ts";
export { createOptionSet, MAX_OPTIONS_BYTES } from "./option-set.ts";
export { createVocabulary } from "./vocabulary.ts";
export type {
  Admission,
  AnyOption,
  ExchangeView,
  Foreseen,
  HeaderRules,
  OperatorLimits,
  OperatorSettings,
  OptionBond,
  OptionExample,
  OptionHooks,
  OptionValue,
  RetryCondition,
  RetryRules,
  RouteFacts,
  RouteOption,
} from "./define.ts";
export type { OptionKit } from "./load-folder.ts";
export type { OptionProblem, OptionSet, OptionsVerdict, OptionTextVerdict } from "./option-set.ts";
