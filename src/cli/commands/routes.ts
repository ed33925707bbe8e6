import type { ApiClient, Query } from "../client.ts";
import { apiFlag, defineCommand, jsonFlag } from "../command.ts";
import { targetOf } from "../resources.ts";
import { createRouteDescriber, optionsText } from "../route-facts.ts";

export default defineCommand({
  usage: "routes [--all]",
  examples: [
    { command: "viaduct routes", effect: "one line per route: apps it points to, options" },
    {
      command: "viaduct routes --all --json | jq '.[].url'",
      effect: "every route one may see, for a script",
    },
  ],
  parameters: [],
  options: {
    all: { type: "boolean", describe: "Routes of every space one may see." },
    ...jsonFlag,
    ...apiFlag,
  },
  async run({ flags, out, client }) {
    const api = await client();
    const routes = await listRoutes(api, flags.all === true);
    if (flags.json === true) {
      out.json(routes);
      return 0;
    }
    if (routes.length === 0) {
      out.note("no routes yet; «viaduct map-route APP HOST.DOMAIN» makes one");
      return 0;
    }
    out.table(
      ["route", "protocol", "apps", "options"],
      routes.map((route) => [
        route.url,
        route.protocol,
        route.destinations.map((d) => d.app).join(", ") || out.paint("quiet", "none"),
        optionsText(route.options),
      ]),
    );
    return 0;
  },
});

async function listRoutes(api: ApiClient, isEverywhere: boolean) {
  const scope: Query = isEverywhere ? {} : { space_guids: (await targetOf(api)).space.guid };
  const [describe, routes] = await Promise.all([createRouteDescriber(api), api.list("/v3/routes", scope)]);
  return routes.map(describe).toSorted((a, b) => (a.route < b.route ? -1 : 1));
}
