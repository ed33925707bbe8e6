/** The API's documentation as one page for people: no script, nothing from elsewhere, made from the endpoints. */
import type { Endpoint } from "./endpoint.ts";
import { collectionOf, shapesOf } from "./openapi.ts";
import { shownAs } from "./respond.ts";

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
h2{margin-top:2.5rem;border-bottom:1px solid #ccc}h3{font:600 1rem ui-monospace,monospace;margin-bottom:.2rem}
code,pre{font-family:ui-monospace,monospace;font-size:.9em}pre{background:#f4f4f4;padding:.6rem;overflow:auto}
p{margin:.2rem 0}nav{columns:4 11rem}.method{display:inline-block;min-width:4.5rem}`;

export function renderDocs(endpoints: readonly Endpoint[], url: string): string {
  const byCollection = Map.groupBy(endpoints, collectionOf);
  const names = [...byCollection.keys()];
  const shapes = Object.entries(shapesOf(endpoints));
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Viaduct API</title><style>${STYLE}</style>
<h1>Viaduct API</h1>
<p>At <code>${escape(url)}</code>, for programs as <a href="/v3/openapi.json">OpenAPI</a>. A token goes into
<code>Authorization: bearer …</code>. Lists have pages (<code>page</code>, <code>per_page</code>) and an order
(<code>order_by</code>, with <code>-</code> for descending).</p>
<nav>${names.map((name) => `<a href="#${escape(name)}">${escape(name)}</a><br>`).join("")}</nav>
${names.map((name) => section(name, byCollection.get(name) ?? [])).join("\n")}
<h2 id="answers">Answers</h2>
${shapes.map(([name, shape]) => `<h3 id="${escape(name)}">${escape(name)}</h3>\n<pre>${outline(shape, "")}</pre>`).join("\n")}
</html>
`;
}

const section = (name: string, endpoints: readonly Endpoint[]) =>
  `<h2 id="${escape(name)}">${escape(name)}</h2>\n${endpoints.map(entry).join("\n")}`;

function entry(endpoint: Endpoint): string {
  const { method, path, summary, access, parameters, body, answers, refuses = [] } = endpoint;
  const good = Object.entries(answers).map(
    ([status, shape]) => `${status} ${shape === null ? "" : kindOf(shape)}`,
  );
  const bad = refuses.map((error) => `${error.definition.status} ${shownAs(error)?.title ?? ""}`);
  const facts = [
    `<h3><span class="method">${method}</span> ${escape(path)}</h3>`,
    `<p>${escape(summary)}${access === "public" ? " Needs no token." : ""}</p>`,
    ...(parameters.length === 0
      ? []
      : [`<p>Query: ${parameters.map((name) => `<code>${escape(name)}</code>`).join(", ")}</p>`]),
    ...(body === undefined ? [] : [`<pre>${outline(body, "")}</pre>`]),
    `<p>Answers: ${[...good, ...bad.map(escape)].join(" · ")}</p>`,
  ];
  return `<article>${facts.join("\n")}</article>`;
}

interface SchemaNode {
  readonly title?: string;
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly SchemaNode[];
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly items?: SchemaNode;
}

/** `name: string, required`, a line for each key, indented as the body is. As HTML. */
function outline(schema: object, indent: string): string {
  const { properties = {}, required = [] } = schema as SchemaNode;
  return Object.entries(properties)
    .map(([name, node]) => {
      const line = `${indent}${escape(name)}: ${kindOf(node)}${required.includes(name) ? ", required" : ""}`;
      const inside = outline(node.items ?? node, `${indent}  `);
      return inside === "" ? line : `${line}\n${inside}`;
    })
    .join("\n");
}

/** What a value is, in a few words; a shape that has a name leads to where it is told. */
function kindOf({ title, type, format, enum: values, const: only, anyOf, $ref, items }: SchemaNode): string {
  const shape = $ref?.split("/").at(-1) ?? title;
  if (shape !== undefined) return `<a href="#${escape(shape)}">${escape(shape)}</a>`;
  if (anyOf !== undefined) return anyOf.map(kindOf).join(" | ");
  if (only !== undefined) return escape(JSON.stringify(only));
  if (values !== undefined) return values.map((value) => escape(JSON.stringify(value))).join(" | ");
  if (type === "array" && items !== undefined) return `array of ${kindOf(items)}`;
  return type === undefined
    ? "any"
    : [type].flat().join(" | ") + (format === undefined ? "" : ` (${format})`);
}

const escape = (text: string) =>
  text.replaceAll(
    /[&<>"]/g,
    (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign] ?? sign,
  );
