import { apiFlag, defineCommand, timeoutFlag } from "../command.ts";
import { waitUntilRunning } from "../instances.ts";
import { parseTimeout } from "../parse.ts";
import { findApp, named } from "../resources.ts";

export default defineCommand({
  usage: "restart NAME",
  examples: [
    { command: "viaduct restart shop", effect: "replaces every instance and waits until the new ones run" },
  ],
  parameters: ["NAME"],
  options: { ...timeoutFlag, ...apiFlag },
  async run({ flags, args: [name = ""], out, client }) {
    const timeoutMs = await parseTimeout(flags.timeout);
    const api = await client();
    const app = named(await findApp(api, name));
    await api.post(`/v3/apps/${app.guid}/actions/restart`);
    await waitUntilRunning(api, out, app, timeoutMs);
    return 0;
  },
});
