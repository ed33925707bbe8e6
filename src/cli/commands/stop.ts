import { apiFlag, defineCommand } from "../command.ts";
import { findApp } from "../resources.ts";

export default defineCommand({
  usage: "stop NAME",
  details: "The routes stay: they answer 503 (no_endpoints) until the app runs again.",
  examples: [{ command: "viaduct stop shop", effect: "ends every instance of shop" }],
  parameters: ["NAME"],
  options: apiFlag,
  async run({ args: [name = ""], out, client }) {
    const api = await client();
    const app = await findApp(api, name);
    await api.post(`/v3/apps/${app.text("guid")}/actions/stop`);
    out.note(`${name}: stopped`);
    return 0;
  },
});
