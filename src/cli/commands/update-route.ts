import { usageInvalid } from "../../kernel/errors/cli.ts";
import { apiFlag, defineCommand, jsonFlag, routeOptionFlag } from "../command.ts";
import { parsePairs } from "../parse.ts";
import { existingRoute } from "../resources.ts";
import { createRouteDescriber, optionsText } from "../route-facts.ts";

export default defineCommand({
  usage: "update-route HOST.DOMAIN[/PATH] [-o KEY=VALUE…] [--remove-option KEY…]",
  examples: [
    {
      command: "viaduct update-route shop.localhost -o loadbalancing=least-connection",
      effect: "sets or replaces one option",
    },
    {
      command: "viaduct update-route shop.localhost --remove-option loadbalancing",
      effect: "goes back to the default",
    },
  ],
  parameters: ["HOST.DOMAIN[/PATH]"],
  options: {
    ...routeOptionFlag,
    "remove-option": {
      type: "string",
      short: "r",
      multiple: true,
      value: "KEY",
      describe: "Remove an option; repeatable.",
    },
    ...jsonFlag,
    ...apiFlag,
  },
  async run({ flags, args: [url = ""], out, client }) {
    const set = parsePairs("--option", flags.option ?? []);
    const remove = flags["remove-option"] ?? [];
    if (Object.keys(set).length + remove.length === 0) {
      throw usageInvalid({
        problem: "«viaduct update-route» has nothing to change",
        remedy: "add -o KEY=VALUE or --remove-option KEY",
      });
    }
    const both = remove.find((key) => Object.hasOwn(set, key));
    if (both !== undefined) {
      throw usageInvalid({
        problem: `«${both}» is to be set and removed`,
        remedy: "leave --option or --remove-option out",
      });
    }
    const api = await client();
    const route = await existingRoute(api, url);
    const changed = await api.patch(`/v3/routes/${route.text("guid")}`, {
      options: { ...set, ...Object.fromEntries(remove.map((key) => [key, null])) },
    });
    if (flags.json === true) {
      out.json((await createRouteDescriber(api))(changed));
      return 0;
    }
    out.line(`${changed.text("url")}  ${optionsText(changed.pairs("options")) || "no options"}`);
    return 0;
  },
});
