import { defineCommand } from "../command.ts";
import { configFlags, requiredConfigPath } from "../roles.ts";

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
    const { runRouterRole } = await import("../../app/router-role.ts");
    return runRouterRole({ configPath });
  },
});
