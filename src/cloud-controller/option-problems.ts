/** What is wrong with a route's options: upstream's sentences, each with the route, the pair and what is allowed. */
import { type RefusedOption, unprocessable } from "../kernel/errors/cloud-controller.ts";
import { knownOptions, type OptionProblem, validateOptions } from "../options/index.ts";
import type { RouteOptions } from "../table/index.ts";
import type { Context } from "./context.ts";

/** @param route  As the request names it: host and path, or the GUID. */
export function refusedOptions(
  route: string,
  options: unknown,
  context: Context,
  validate: typeof validateOptions,
): readonly RefusedOption[] {
  if (options === undefined) return [];
  const verdict = validate(options, context);
  return verdict.ok ? [] : verdict.problems.map((problem) => describe(route, problem));
}

/**
 * The options in the form to be stored.
 * @throws unprocessable
 */
export function validOptions(route: string, options: unknown, context: Context): RouteOptions {
  const verdict = validateOptions(options ?? {}, context);
  if (verdict.ok) return verdict.options;
  const problems = verdict.problems.map((problem) => describe(route, problem));
  throw unprocessable({ problems: problems.map(({ text }) => text), options: problems });
}

const describe = (route: string, { key, value, text }: OptionProblem): RefusedOption => ({
  text,
  route,
  option: key,
  value,
  allowed: allowedFor(key),
});

function allowedFor(key: string): RefusedOption["allowed"] {
  if (key === "") return { type: "object" };
  const known = knownOptions();
  const option = known.find(({ name }) => name === key);
  if (option === undefined) return known.map(({ name }) => name);
  return (option.schema as { readonly enum?: readonly unknown[] }).enum ?? option.schema;
}
