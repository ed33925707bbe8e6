import { apiFlag, defineCommand } from "../command.ts";
import { existingRoute, findApp } from "../resources.ts";

export default defineCommand({
  usage: "unmap-route APP HOST.DOMAIN[/PATH]",
  details: "The route itself stays; «viaduct delete-route» removes it.",
  examples: [
    { command: "viaduct unmap-route shop shop.localhost/api", effect: "the route no longer reaches shop" },
  ],
  parameters: ["APP", "HOST.DOMAIN[/PATH]"],
  options: apiFlag,
  async run({ args: [name = "", url = ""], out, client }) {
    const api = await client();
    const [app, route] = await Promise.all([findApp(api, name), existingRoute(api, url)]);
    const destinations = route.list("destinations").filter((d) => d.text("app", "guid") === app.text("guid"));
    for (const destination of destinations) {
      await api.delete(`/v3/routes/${route.text("guid")}/destinations/${destination.text("guid")}`);
    }
    out.note(
      destinations.length === 0 ? `${url} did not point to ${name}` : `${url} no longer points to ${name}`,
    );
    return 0;
  },
});
