import { apiFlag, defineCommand, jsonFlag } from "../command.ts";
import { existingRoute } from "../resources.ts";
import { createRouteDescriber, optionsText } from "../route-facts.ts";

export default defineCommand({
  usage: "route HOST.DOMAIN[/PATH]",
  examples: [
    {
      command: "viaduct route shop.localhost/api",
      effect: "options, destinations, and whether routers have it",
    },
  ],
  parameters: ["HOST.DOMAIN[/PATH]"],
  options: { ...jsonFlag, ...apiFlag },
  async run({ flags, args: [url = ""], out, client }) {
    const api = await client();
    const route = await existingRoute(api, url);
    const describe = await createRouteDescriber(api);
    const facts = describe(route);
    const liveness = await api.getIfThere(`/v3/viaduct/routes/${facts.guid}/liveness`);
    const live =
      liveness === null ? null : { on: liveness.number("current"), of: liveness.number("readers") };
    if (flags.json === true) {
      out.json({ ...facts, live });
      return 0;
    }
    const fact = (key: string, value: string) =>
      out.line(`${out.paint("strong", `${key}:`.padEnd(10))} ${value}`);
    fact("url", facts.url);
    fact("protocol", facts.protocol);
    if (live !== null) fact("live", `on ${live.on} of ${live.of} routers`);
    fact("options", optionsText(facts.options) || out.paint("quiet", "none"));
    if (facts.destinations.length === 0) {
      fact("apps", out.paint("quiet", "none"));
      return 0;
    }
    out.line("");
    out.table(
      ["app", "process", "port", "protocol", "weight"],
      facts.destinations.map((d) => [
        d.app,
        d.process,
        String(d.port ?? ""),
        d.protocol,
        d.weight === null ? "" : `${d.weight} %`,
      ]),
    );
    return 0;
  },
});
