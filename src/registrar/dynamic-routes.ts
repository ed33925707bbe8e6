/**
 * Routes that are not known when the registrar starts: YAML files that other jobs write, `{ routes: [...] }` with the
 * same fields. A file or route with a problem is logged and left out; the others count.
 */
import { glob, readFile } from "node:fs/promises";
import { parse } from "yaml";
import type { Logger } from "../kernel/index.ts";
import { readRoute } from "./route-schema.ts";
import type { RegistrarRoute } from "./types.ts";

/** Reads all files that match now. Never throws for what they hold. */
export async function readDynamicRoutes(
  globs: readonly string[],
  globalHost: string,
  log: Logger,
): Promise<readonly RegistrarRoute[]> {
  const files = new Set<string>();
  for await (const file of glob([...globs])) files.add(file);
  const routes: RegistrarRoute[] = [];
  for (const file of [...files].sort()) {
    try {
      for (const [index, item] of listIn(parse(await readFile(file, "utf8"))).entries()) {
        const { route, problems } = readRoute(item, index, globalHost);
        if (route === null) log.error({ file, problems: String(problems) }, "dynamic route left out");
        else routes.push(route);
      }
    } catch (error) {
      log.error({ file, err: error }, "dynamic route file left out");
    }
  }
  return routes;
}

function listIn(document: unknown): readonly unknown[] {
  if (document === null || document === undefined) return [];
  const routes = (document as { routes?: unknown }).routes ?? [];
  if (Array.isArray(routes)) return routes;
  throw new Error("routes is not a list");
}
