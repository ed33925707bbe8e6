/** The API's documentation as one page for people: no script, nothing from elsewhere, made from the endpoints. */
import type { Endpoint } from "./endpoint.ts";
import { collectionOf } from "./openapi.ts";

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
h2{margin-top:2.5rem;border-bottom:1px solid #ccc}h3{font:600 1rem ui-monospace,monospace;margin-bottom:.2rem}
code,pre{font-family:ui-monospace,monospace;font-size:.9em}pre{background:#f4f4f4;padding:.6rem;overflow:auto}
p{margin:.2rem 0}nav{columns:4 11rem}.method{display:inline-block;min-width:4.5rem}`;

export function renderDocs(endpoints: readonly Endpoint[], url: string): string {
  const byCollection = Map.groupBy(endpoints, collectionOf);
  const names = [...byCollection.keys()];
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Viaduct API</title><style>${STYLE}</style>
<h1>Viaduct API</h1>
<p>At <code>${escape(url)}</code>, for programs as <a href="/v3/openapi.json">OpenAPI</a>. A token goes into
<code>Authorization: bearer …</code>. Lists have pages (<code>page</code>, <code>per_page</code>) and an order
(<code>order_by</code>, with <code>-</code> for descending).</p>
<nav>${names.map((name) => `<a href="#${escape(name)}">${escape(name)}</a><br>`).join("")}</nav>
${names.map((name) => section(name, byCollection.get(name) ?? [])).join("\n")}
</html>
`;
}

const section = (name: string, endpoints: readonly Endpoint[]) =>
  `<h2 id="${escape(name)}">${escape(name)}</h2>\n${endpoints.map(entry).join("\n")}`;

function entry({ method, path, summary, access, parameters, body }: Endpoint): string {
  const facts = [
    `<h3><span class="method">${method}</span> ${escape(path)}</h3>`,
    `<p>${escape(summary)}${access === "public" ? " Needs no token." : ""}</p>`,
    ...(parameters.length === 0
      ? []
      : [`<p>Query: ${parameters.map((name) => `<code>${escape(name)}</code>`).join(", ")}</p>`]),
    ...(body === undefined ? [] : [`<pre>${escape(outline(body, ""))}</pre>`]),
  ];
  return `<article>${facts.join("\n")}</article>`;
}

interface SchemaNode {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly items?: SchemaNode;
}

/** `name: string, required`, a line for each key, indented as the body is. */
function outline(schema: object, indent: string): string {
  const { properties = {}, required = [] } = schema as SchemaNode;
  return Object.entries(properties)
    .map(([name, node]) => {
      const line = `${indent}${name}: ${kindOf(node)}${required.includes(name) ? ", required" : ""}`;
      const inside = outline(node.items ?? node, `${indent}  `);
      return inside === "" ? line : `${line}\n${inside}`;
    })
    .join("\n");
}

function kindOf({ type, enum: values }: SchemaNode): string {
  if (values !== undefined) return values.map((value) => JSON.stringify(value)).join(" | ");
  return type === undefined ? "any" : [type].flat().join(" | ");
}

const escape = (text: string) =>
  text.replaceAll(
    /[&<>"]/g,
    (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign] ?? sign,
  );
