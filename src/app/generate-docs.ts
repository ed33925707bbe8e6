/**
 * Keeps `docs/reference` in line with the code. The pages are never edited by hand: a test fails when they say
 * anything else.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { renderGorouterKeys, renderJsonAccessLog } from "../router/index.ts";
import { renderConfiguration, renderErrors, renderOptions } from "./reference.ts";
import { allSections } from "./sections.ts";

const ROOT = new URL("../../", import.meta.url);

/**
 * Brings the pages in `docs/reference` up to date; with `isCheck` only says which are not.
 *
 * @param cli  The page of the command line, which that room renders itself.
 * @returns paths of the pages that are, or were, out of date, relative to the checkout.
 */
export async function generateDocs({
  isCheck,
  cli,
}: {
  readonly isCheck: boolean;
  readonly cli: string;
}): Promise<readonly string[]> {
  const pages: Readonly<Record<string, string>> = {
    "docs/reference/options.md": renderOptions(),
    "docs/reference/errors.md": renderErrors(),
    "docs/reference/configuration.md": renderConfiguration(allSections),
    "docs/reference/gorouter-config.md": renderGorouterKeys(),
    "docs/reference/access-log.md": renderJsonAccessLog(),
    "docs/reference/cli.md": cli,
  };
  const outdated = Object.entries(pages).filter(([path, text]) => {
    const file = new URL(path, ROOT);
    return !existsSync(file) || readFileSync(file, "utf8") !== text;
  });
  for (const [path, text] of isCheck ? [] : outdated) {
    const file = fileURLToPath(new URL(path, ROOT));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  return outdated.map(([path]) => path);
}
