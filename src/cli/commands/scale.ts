import { usageInvalid } from "../../kernel/errors/cli.ts";
import { apiFlag, defineCommand, timeoutFlag } from "../command.ts";
import { waitUntilRunning, webProcess } from "../instances.ts";
import { parseCount, parseTimeout } from "../parse.ts";
import { findApp, named } from "../resources.ts";

export default defineCommand({
  usage: "scale NAME --instances N",
  examples: [
    { command: "viaduct scale shop --instances 4", effect: "starts or ends instances until four run" },
  ],
  parameters: ["NAME"],
  options: {
    instances: {
      type: "string",
      short: "i",
      value: "N",
      describe: "How many instances shall run (required).",
    },
    ...timeoutFlag,
    ...apiFlag,
  },
  async run({ flags, args: [name = ""], out, client }) {
    if (flags.instances === undefined) {
      throw usageInvalid({ problem: "«viaduct scale» needs a count", remedy: "add --instances N" });
    }
    const instances = parseCount("--instances", flags.instances);
    const timeoutMs = await parseTimeout(flags.timeout);
    const api = await client();
    const app = await findApp(api, name);
    const process = await webProcess(api, app.text("guid"));
    await api.post(`/v3/processes/${process.text("guid")}/actions/scale`, { instances });
    if (app.text("state") === "STARTED") await waitUntilRunning(api, out, named(app), timeoutMs);
    else out.note(`${name}: ${instances} instances once it is started`);
    return 0;
  },
});
