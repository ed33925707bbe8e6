import { readFileSync } from "node:fs";
import { join } from "node:path";

const PROGRAM = join(import.meta.dirname, "../../viaduct");

/** What `./viaduct` starts Node with, so that nothing else is measured. */
export const viaductFlags: readonly string[] = (() => {
  const exec = /^exec "\$runtime" (.*) "\$root/m.exec(readFileSync(PROGRAM, "utf8"));
  if (exec?.[1] === undefined) throw new Error("./viaduct does not say how it starts Node");
  return exec[1].split(" ");
})();
