import { apiFlag, defineCommand, jsonFlag, routeOptionFlag } from "../command.ts";
import { parseAppPort, parsePairs } from "../parse.ts";
import {
  allOrNothing,
  ensureRoute,
  existingRoute,
  findApp,
  mapRoute,
  resolveRoute,
  targetOf,
} from "../resources.ts";
import { createRouteDescriber, routeUrl } from "../route-facts.ts";

export default defineCommand({
  usage: "map-route APP HOST.DOMAIN[/PATH] [-o KEY=VALUE…]",
  examples: [
    {
      command: "viaduct map-route shop shop.localhost",
      effect: "creates the route if needed; doing it again is fine",
    },
    {
      command: "viaduct map-route shop shop.localhost/api -o loadbalancing=least-connection",
      effect: "sets an option on the route as well",
    },
  ],
  parameters: ["APP", "HOST.DOMAIN[/PATH]"],
  options: {
    ...routeOptionFlag,
    "app-port": {
      type: "string",
      value: "PORT",
      describe: "Port inside the instance (default: the app's first).",
    },
    ...jsonFlag,
    ...apiFlag,
  },
  async run({ flags, args: [name = "", url = ""], out, client }) {
    const options = parsePairs("--option", flags.option ?? []);
    const { "app-port": port } = flags;
    const appPort = port === undefined ? undefined : await parseAppPort("--app-port", port);
    const api = await client();
    const { space } = await targetOf(api);
    const app = await findApp(api, name);
    const resolved = await resolveRoute(api, url);
    const route = await allOrNothing(async (undo) => {
      const ensured = await ensureRoute(api, space, resolved, options, undo);
      await mapRoute(api, ensured.text("guid"), app.text("guid"), appPort);
      return ensured;
    });
    if (flags.json === true) {
      out.json((await createRouteDescriber(api))(await existingRoute(api, url)));
      return 0;
    }
    out.line(routeUrl(api, route, resolved.isInternal));
    return 0;
  },
});
