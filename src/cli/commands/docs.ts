import { usageInvalid } from "../../kernel/errors/cli.ts";
import { defineCommand } from "../command.ts";
import { openApp } from "../roles.ts";

export default defineCommand({
  usage: "docs generate [--check]",
  details: "Options, errors, settings and commands, written to docs/reference from the code that owns them.",
  examples: [
    { command: "viaduct docs generate", effect: "rewrites the pages that are out of date and names them" },
    { command: "viaduct docs generate --check", effect: "writes nothing; fails when a page is out of date" },
  ],
  parameters: ["generate"],
  options: {
    check: { type: "boolean", describe: "Only say what is out of date; exit code 1 if anything is." },
  },
  async run({ flags, args: [action = ""], out }) {
    if (action !== "generate") {
      throw usageInvalid({
        problem: `there is no «viaduct docs ${action}»`,
        remedy: "write «docs generate»",
      });
    }
    const isCheck = flags.check === true;
    const [{ cliReference }, { generateDocs }] = await Promise.all([
      import("../reference.ts"),
      openApp("generate-docs"),
    ]);
    const changed = await generateDocs({ isCheck, cli: await cliReference() });
    for (const path of changed) out.line(path);
    return isCheck && changed.length > 0 ? 1 : 0;
  },
});
