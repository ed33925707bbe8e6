/**
 * The operator's page for errors of the router (`html_error_template_file`): the part of Go's template language that
 * such a page needs. Anything else is refused when the file is read, so that no client ever meets half a page.
 *
 *   {{ .Status }}   {{ .StatusText }}   {{ .Message }}   {{ .Header.Get "X-Cf-RouterError" }}   and comments
 *
 * `{{-` and `-}}` take the white space beside them away. Texts are latin1, one character per byte of the file.
 */

export interface ErrorPageValues {
  readonly status: number;
  readonly statusText: string;
  readonly message: string;
  /** A header of the answer; "" without it. */
  header(name: string): string;
}

export type ErrorPage = (values: ErrorPageValues) => string;

export type ErrorPageVerdict =
  | { readonly ok: true; readonly page: ErrorPage }
  /** What is wrong and where, as a sentence about the file. */
  | { readonly ok: false; readonly problem: string };

type Piece = string | ((values: ErrorPageValues) => string);

const FIELDS: ReadonlyMap<string, (values: ErrorPageValues) => string> = new Map([
  [".Status", ({ status }) => String(status)],
  [".StatusText", ({ statusText }) => statusText],
  [".Message", ({ message }) => message],
]);
const HEADER = /^\.Header\.Get\s+(?:"([!#$%&'*+.^_`|~0-9A-Za-z-]+)"|`([!#$%&'*+.^_|~0-9A-Za-z-]+)`)$/;
const COMMENT = /^\/\*[^]*\*\/$/;
const KNOWN = '.Status, .StatusText, .Message and .Header.Get "NAME"';

export function compileErrorPage(template: string): ErrorPageVerdict {
  const pieces: Piece[] = [];
  let at = 0;
  let trimsNext = false;
  for (;;) {
    const open = template.indexOf("{{", at);
    const text = template.slice(at, open === -1 ? template.length : open);
    const trimsText = open !== -1 && /^\{\{-\s/.test(template.slice(open, open + 4));
    const left = trimsNext ? text.trimStart() : text;
    pieces.push(trimsText ? left.trimEnd() : left);
    if (open === -1) break;

    const close = template.indexOf("}}", open);
    const line = template.slice(0, open).split("\n").length;
    if (close === -1) return { ok: false, problem: `«{{» in line ${line} is not closed` };
    trimsNext = /\s-$/.test(template.slice(open, close));
    const action = template.slice(open + (trimsText ? 3 : 2), close - (trimsNext ? 1 : 0)).trim();
    at = close + 2;
    if (COMMENT.test(action)) continue;
    const [, quoted, raw] = HEADER.exec(action) ?? [];
    const name = quoted ?? raw;
    const value =
      name === undefined
        ? FIELDS.get(action)
        : (values: ErrorPageValues) => values.header(name.toLowerCase());
    if (value === undefined) {
      const problem = `«{{ ${action} }}» in line ${line} is not understood; write ${KNOWN} only`;
      return { ok: false, problem };
    }
    const element = scriptAround(template.slice(0, open));
    if (element !== null) {
      // What a client sends stands in the message; there it could become code, escaped or not.
      return { ok: false, problem: `«{{ ${action} }}» in line ${line} is inside <${element}>; move it out` };
    }
    pieces.push((values) => escapeHtml(value(values)));
  }
  const page: ErrorPage = (values) => {
    let html = "";
    for (const piece of pieces) html += typeof piece === "string" ? piece : piece(values);
    return html;
  };
  return { ok: true, page };
}

/** The element that is still open and whose content is no HTML. */
function scriptAround(before: string): string | null {
  const text = before.toLowerCase();
  return (
    ["script", "style"].find((name) => text.lastIndexOf(`<${name}`) > text.lastIndexOf(`</${name}`)) ?? null
  );
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&#34;",
  "'": "&#39;",
};

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ESCAPES[character] ?? character);
}
