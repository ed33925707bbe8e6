/**
 * The catalogue as a list, for those who walk all of it: the generated reference and the test.
 */
import type { ErrorDefinition } from "./define.ts";
import * as index from "./index.ts";

export interface CataloguedError {
  /** `routing-api`, the name of the area's file. */
  readonly area: string;
  readonly definition: ErrorDefinition<unknown>;
  /** The error's sentence with each detail shown by its name: `port ‹port› is taken`. */
  readonly sentence: string;
}

/** Every error, by area in the order of `index.ts`, then as the area's file has it, which is alphabetical. */
export function cataloguedErrors(): readonly CataloguedError[] {
  return Object.entries(index).flatMap(([name, area]) =>
    typeof area !== "object"
      ? []
      : Object.values(area)
          .filter(isFactory)
          .map(({ definition }) => ({ area: areaName(name), definition, sentence: sentenceOf(definition) })),
  );
}

/** `routingApiErrors` → `routing-api` */
const areaName = (name: string) =>
  name.replace(/Errors$/, "").replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

// A detail that is calculated with cannot show its name: arithmetic takes numbers only.
const sentenceOf = (definition: ErrorDefinition<unknown>) =>
  String(definition.explain(placeholder("details"))).replaceAll("NaN", "‹number›");

function isFactory(value: unknown): value is { readonly definition: ErrorDefinition<unknown> } {
  return typeof value === "function" && "definition" in value;
}

/**
 * Stands for details of any shape: reads as its own name, and whatever is asked of it is a placeholder again, so
 * that every `explain` runs as it is written.
 */
function placeholder(name: string): unknown {
  const shown = `‹${name}›`;
  const read = () => shown;
  return new Proxy(read, {
    get(_target, key) {
      if (key === Symbol.toPrimitive || key === "toString" || key === "toJSON") return read;
      if (key === Symbol.iterator) return () => [placeholder(name)].values();
      // A method of a value, such as `join`, or a field of the details: what it returns goes by the value's name.
      return placeholder(name === "details" ? String(key) : name);
    },
    apply: () => placeholder(name),
  });
}
