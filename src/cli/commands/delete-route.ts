import { apiFlag, defineCommand } from "../command.ts";
import { existingRoute } from "../resources.ts";

export default defineCommand({
  usage: "delete-route HOST.DOMAIN[/PATH]",
  examples: [
    { command: "viaduct delete-route shop.localhost/api", effect: "the route answers 404 from then on" },
  ],
  parameters: ["HOST.DOMAIN[/PATH]"],
  options: apiFlag,
  async run({ args: [url = ""], out, client }) {
    const api = await client();
    const route = await existingRoute(api, url);
    await api.delete(`/v3/routes/${route.text("guid")}`);
    out.note(`${route.text("url")}: deleted`);
    return 0;
  },
});
