import { readFileSync } from "node:fs";
import { Answer } from "../answer.ts";
import { defineCommand, jsonFlag } from "../command.ts";

export default defineCommand({
  usage: "version",
  examples: [{ command: "viaduct version --json", effect: "the version of this program and of its runtime" }],
  parameters: [],
  options: jsonFlag,
  async run({ flags, out }) {
    const path = new URL("../../../package.json", import.meta.url);
    const version = new Answer(JSON.parse(readFileSync(path, "utf8")), "package.json").text("version");
    if (flags.json === true) out.json({ version, node: process.versions.node });
    else out.line(`viaduct ${version} (Node ${process.versions.node})`);
    return 0;
  },
});
