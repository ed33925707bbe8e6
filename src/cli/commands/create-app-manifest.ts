import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { apiRefused } from "../../kernel/errors/cli.ts";
import { apiFlag, defineCommand } from "../command.ts";
import { findApp } from "../resources.ts";

const OK = 200;

export default defineCommand({
  usage: "create-app-manifest NAME [-p FILE]",
  examples: [
    { command: "viaduct create-app-manifest shop", effect: "writes shop_manifest.yml" },
    { command: "viaduct create-app-manifest shop -p -", effect: "prints it instead" },
  ],
  parameters: ["NAME"],
  options: {
    path: {
      type: "string",
      short: "p",
      value: "FILE",
      describe: "Where to write it (default: NAME_manifest.yml); - prints it.",
    },
    ...apiFlag,
  },
  async run({ flags, args: [name = ""], out, host, client }) {
    const api = await client();
    const guid = (await findApp(api, name)).text("guid");
    const { status, body } = await api.raw("GET", `/v3/apps/${guid}/manifest`);
    if (status !== OK) {
      throw apiRefused({
        status,
        problems: [{ detail: `the manifest of ${name} cannot be read (${status})` }],
      });
    }
    if (flags.path === "-") {
      out.line(body.trimEnd());
      return 0;
    }
    const path = resolve(host.cwd, flags.path ?? `${name}_manifest.yml`);
    await writeFile(path, body);
    out.note(`written to ${path}`);
    return 0;
  },
});
