import { defineCommand } from "../command.ts";
import { configFlags, openApp, requiredConfigPath } from "../roles.ts";

export default defineCommand({
  usage: "router -c FILE",
  details: "The file is gorouter's own YAML: the same keys, and NATS as the feed.",
  examples: [
    {
      command: "viaduct router -c gorouter.yml",
      effect: "routes what is registered on the file's NATS servers",
    },
  ],
  parameters: [],
  options: { config: { ...configFlags.config, describe: "gorouter's configuration file." } },
  async run({ flags, host }) {
    const configPath = await requiredConfigPath(host, "router", flags.config);
    const { runRouterRole } = await openApp("router-role");
    return runRouterRole({ configPath });
  },
});
