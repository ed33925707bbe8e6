// From the vocabulary of options to fields of a form, from what is typed there to a change of the route, and from the
// API's refusals back to the fields. No option is known here by name.

/**
 * @param options  What `/v3/viaduct/options` lists.
 * @param set  The options of the route.
 */
export function fieldsOf(options, set) {
  const known = options.map((option) => ({
    name: option.name,
    summary: option.summary,
    details: option.details,
    format: option.schema.description ?? "",
    examples: option.examples,
    limits: option.operator_limits.filter(({ value }) => value !== ""),
    goesWith: option.goes_with,
    ...controlOf(option),
  }));
  const gone = Object.keys(set).filter((name) => !options.some((option) => option.name === name));
  return [...known, ...gone.map(unknownField)];
}

/** What an input is for: one of some values, a truth value, a number within bounds, a text. */
function controlOf({ schema, examples }) {
  const choices =
    schema.enum ??
    (isEvery(schema.anyOf, ({ const: value }) => value !== undefined)
      ? schema.anyOf.map((one) => one.const)
      : null);
  if (choices !== null) {
    const effectOf = (value) => examples.find((example) => example.value === value)?.effect ?? "";
    return { control: "select", choices: choices.map((value) => ({ value, effect: effectOf(value) })) };
  }
  if (schema.type === "boolean") return { control: "checkbox" };
  const kinds = schema.anyOf ?? [schema];
  if (isEvery(kinds, ({ type }) => type === "integer" || type === "number")) {
    return {
      control: "number",
      min: Math.min(...kinds.map((kind) => kind.const ?? kind.minimum ?? -Infinity)),
      max: Math.max(...kinds.map((kind) => kind.const ?? kind.maximum ?? Infinity)),
      step: isEvery(kinds, ({ type }) => type === "integer") ? 1 : "any",
    };
  }
  return { control: "text" };
}

const isEvery = (list, test) => Array.isArray(list) && list.every(test);

/** The operator took it away, or another version of the API set it. */
const unknownField = (name) => ({
  name,
  control: "text",
  summary:
    "The API does not know this option any more, and refuses every change of the route until this is empty.",
  details: "",
  format: "",
  examples: [],
  limits: [],
  goesWith: null,
});

/** What the inputs show. "" and false are «not set». */
export function valuesOf(fields, set) {
  return Object.fromEntries(
    fields.map(({ name, control }) => {
      const value = set[name];
      if (control === "checkbox") return [name, value === true || value === "true"];
      return [name, value === undefined ? "" : String(value)];
    }),
  );
}

/** What was changed, as the API wants to hear it: null takes an option away. */
export function patchOf(fields, before, values) {
  const changed = fields.filter(({ name }) => values[name] !== before[name]);
  return Object.fromEntries(changed.map((field) => [field.name, typed(field, values[field.name])]));
}

function typed({ control, choices }, value) {
  if (value === "" || value === false) return null;
  if (control === "select") return choices.find((choice) => String(choice.value) === value).value;
  return control === "number" ? Number(value) : value;
}

/** Which of the values the API's refusals are about: { "": [sentences about the whole], name: [sentences] }. */
export function sortProblems(sentences, names) {
  const sorted = { "": [] };
  for (const sentence of sentences) {
    const name = names.filter((each) => isAbout(sentence, each)).sort((a, b) => b.length - a.length)[0] ?? "";
    sorted[name] = [...(sorted[name] ?? []), sentence.replace(/^Options /, "")];
  }
  return sorted;
}

/** Sentences begin with the name as it is or in words: «Options retries: 9 are …», «Options Trim path must …». */
function isAbout(sentence, name) {
  const text = sentence.replace(/^Options /, "").toLowerCase();
  const words = name.replaceAll(/[-_]/g, " ").toLowerCase();
  return (
    text.startsWith(`${name.toLowerCase()}: `) ||
    text.startsWith(`${words} `) ||
    text.includes(`field(s): '${name.toLowerCase()}'`)
  );
}
