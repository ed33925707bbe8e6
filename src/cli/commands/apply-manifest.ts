import { resolve } from "node:path";
import { apiFlag, defineCommand } from "../command.ts";
import { targetOf } from "../resources.ts";

export default defineCommand({
  usage: "apply-manifest [-f FILE]",
  details:
    "Makes apps, routes and settings what the manifest says, and uploads nothing. All of it, or nothing.",
  examples: [
    { command: "viaduct apply-manifest", effect: "applies ./manifest.yml" },
    { command: "viaduct apply-manifest -f shop.yml", effect: "applies another file" },
  ],
  parameters: [],
  options: {
    file: { type: "string", short: "f", value: "FILE", describe: "The manifest (default: manifest.yml)." },
    ...apiFlag,
  },
  async run({ flags, out, host, client }) {
    const { readManifestFile } = await import("../manifest-file.ts");
    const path = resolve(host.cwd, flags.file ?? "manifest.yml");
    const { text, apps } = await readManifestFile(host.cwd, path, null, {});
    const api = await client();
    const { space } = await targetOf(api);
    await api.send("POST", `/v3/spaces/${space.guid}/actions/apply_manifest`, text, "application/x-yaml");
    out.note(`applied to ${apps.map(({ name }) => name).join(", ")}; restart what runs to use it`);
    return 0;
  },
});
