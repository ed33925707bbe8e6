import { usageInvalid } from "../../kernel/errors/cli.ts";
import { apiFlag, defineCommand } from "../command.ts";
import { allOrNothing, ensureRoute, findApp, mapRoute, resolveRoute, targetOf } from "../resources.ts";

export default defineCommand({
  usage: "map-internal-route APP HOST.DOMAIN",
  details: "The name resolves, by Viaduct's DNS server, to the addresses of the running instances.",
  examples: [
    {
      command: "viaduct map-internal-route shop shop.apps.internal",
      effect: "then: dig @127.0.0.1 -p 8053 shop.apps.internal",
    },
  ],
  parameters: ["APP", "HOST.DOMAIN"],
  options: apiFlag,
  async run({ args: [name = "", url = ""], out, client }) {
    const api = await client();
    const { space } = await targetOf(api);
    const app = await findApp(api, name);
    const resolved = await resolveRoute(api, url);
    if (!resolved.isInternal) {
      throw usageInvalid({
        problem: `${resolved.domain.name} is not an internal domain`,
        remedy: "«viaduct domains» shows which are; for other domains use «viaduct map-route»",
      });
    }
    await allOrNothing(async (undo) => {
      const route = await ensureRoute(api, space, resolved, {}, undo);
      await mapRoute(api, route.text("guid"), app.text("guid"));
      out.line(route.text("url"));
    });
    return 0;
  },
});
