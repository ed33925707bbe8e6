import { defineCommand } from "../command.ts";
import { configFlags, openApp, requiredConfigPath } from "../roles.ts";

export default defineCommand({
  usage: "registrar -c FILE",
  details: "The file is route-registrar's own configuration: the same keys.",
  examples: [
    {
      command: "viaduct registrar -c registrar.yml",
      effect: "keeps the file's routes registered while it runs",
    },
  ],
  parameters: [],
  options: { config: { ...configFlags.config, describe: "route-registrar's configuration file." } },
  async run({ flags, host }) {
    const configPath = await requiredConfigPath(host, "registrar", flags.config);
    const { runRegistrarRole } = await openApp("registrar-role");
    return runRegistrarRole({ configPath });
  },
});
