/**
 * The files of the page: exactly these, read once, served from memory. Libraries come from `node_modules` as they
 * are; an import map tells the browser where, so nothing is bundled and nothing comes from another host.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface Asset {
  readonly type: string;
  readonly body: Buffer;
  readonly etag: string;
}

export interface Assets {
  /** The page itself, with its import map. */
  readonly page: Asset;
  /** By path below the prefix: `style.css`, `lib/preact.js`. */
  readonly files: ReadonlyMap<string, Asset>;
  readonly contentSecurityPolicy: string;
}

const JAVASCRIPT = "text/javascript; charset=utf-8";
const OWN_FILES: Readonly<Record<string, string>> = {
  "style.css": "text/css; charset=utf-8",
  "icon.svg": "image/svg+xml",
  "main.js": JAVASCRIPT,
  "feed.js": JAVASCRIPT,
  "html.js": JAVASCRIPT,
  "state.js": JAVASCRIPT,
  "components.js": JAVASCRIPT,
  "api.js": JAVASCRIPT,
  "fields.js": JAVASCRIPT,
  "option-fields.js": JAVASCRIPT,
  "route-form.js": JAVASCRIPT,
};

/** Name in an `import` → where it is served. */
const LIBRARIES: Readonly<Record<string, string>> = {
  preact: "lib/preact.js",
  "preact/hooks": "lib/preact-hooks.js",
  "@preact/signals-core": "lib/signals-core.js",
  "@preact/signals": "lib/signals.js",
  htm: "lib/htm.js",
};

export function loadAssets(): Assets {
  const pageFolder = join(import.meta.dirname, "page");
  const files = new Map<string, Asset>();
  for (const [name, type] of Object.entries(OWN_FILES)) {
    files.set(name, asset(type, readFileSync(join(pageFolder, name))));
  }
  const imports: Record<string, string> = {};
  for (const [name, served] of Object.entries(LIBRARIES)) {
    const text = readFileSync(fileURLToPath(import.meta.resolve(name)), "utf8");
    files.set(served, asset(JAVASCRIPT, withoutSourceMap(text)));
    imports[name] = `./${served}`;
  }
  const importMap = JSON.stringify({ imports });
  const html = readFileSync(join(pageFolder, "index.html"), "utf8").replace("{{import map}}", importMap);
  return {
    page: asset("text/html; charset=utf-8", Buffer.from(html)),
    files,
    // An import map must stand in the page; its hash allows this one and no other inline script.
    contentSecurityPolicy: [
      "default-src 'none'",
      `script-src 'self' 'sha256-${createHash("sha256").update(importMap).digest("base64")}'`,
      "style-src 'self'",
      "img-src 'self'",
      "connect-src 'self'",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join("; "),
  };
}

function asset(type: string, body: Buffer): Asset {
  return { type, body, etag: `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"` };
}

// The map is not served, and a browser's tools would ask for it.
const withoutSourceMap = (text: string): Buffer =>
  Buffer.from(text.replace(/\n?\/\/# sourceMappingURL=.*\n?$/, "\n"));
