import type { AnyOption } from "./define.ts";

/**
 * An option map as a JSON schema: what a document can say of it. Bonds and an operator's limits it cannot. A null takes
 * an option away.
 */
export function describeOptionMap(options: readonly AnyOption[]): object {
  return {
    type: "object",
    additionalProperties: false,
    properties: Object.fromEntries(
      options.map(({ name, summary, details, schema, examples }) => [
        name,
        {
          anyOf: [schema, { type: "null" }],
          description: `${summary} ${details}`,
          examples: examples.map(({ value }) => value),
        },
      ]),
    ),
  };
}
