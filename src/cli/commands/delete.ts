import { apiFlag, defineCommand } from "../command.ts";
import { findApp } from "../resources.ts";

export default defineCommand({
  usage: "delete NAME [--routes]",
  examples: [
    {
      command: "viaduct delete shop",
      effect: "ends and forgets the app; its routes stay, without destination",
    },
    { command: "viaduct delete shop --routes", effect: "deletes the routes that only this app had, too" },
  ],
  parameters: ["NAME"],
  options: {
    routes: { type: "boolean", short: "r", describe: "Delete routes that point to no other app, too." },
    ...apiFlag,
  },
  async run({ flags, args: [name = ""], out, client }) {
    const api = await client();
    const guid = (await findApp(api, name)).text("guid");
    const routes = flags.routes === true ? await api.list(`/v3/apps/${guid}/routes`) : [];
    await api.delete(`/v3/apps/${guid}`);
    for (const route of routes) {
      const isShared = route.list("destinations").some((d) => d.text("app", "guid") !== guid);
      if (!isShared) await api.delete(`/v3/routes/${route.text("guid")}`);
    }
    out.note(`${name}: deleted`);
    return 0;
  },
});
