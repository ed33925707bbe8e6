import { apiFlag, defineCommand, jsonFlag } from "../command.ts";
import { browserUrl, destinationsOf, existingRoute, listAppNames, optionsText } from "../resources.ts";

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
    const appNames = await listAppNames(api);
    const facts = {
      guid: route.text("guid"),
      url: browserUrl(api, route),
      protocol: String(route.find("protocol") ?? "http"),
      options: route.pairs("options"),
      destinations: destinationsOf(route, appNames),
    };
    if (flags.json === true) {
      out.json(facts);
      return 0;
    }
    const fact = (key: string, value: string) =>
      out.line(`${out.paint("strong", `${key}:`.padEnd(10))} ${value}`);
    fact("url", facts.url);
    fact("protocol", facts.protocol);
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
