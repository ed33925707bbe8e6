import type { Answer } from "../answer.ts";
import type { ApiClient } from "../client.ts";
import { apiFlag, defineCommand, jsonFlag } from "../command.ts";
import { listInstances, STATE_TONES } from "../instances.ts";
import { targetOf } from "../resources.ts";

export default defineCommand({
  usage: "apps",
  examples: [
    { command: "viaduct apps", effect: "one line per app: state, running instances, routes" },
    { command: "viaduct apps --json | jq '.[].name'", effect: "the names, for a script" },
  ],
  parameters: [],
  options: { ...jsonFlag, ...apiFlag },
  async run({ flags, out, client }) {
    const api = await client();
    const { space } = await targetOf(api);
    const apps = await api.list("/v3/apps", { space_guids: space.guid, order_by: "name" });
    const rows = await Promise.all(apps.map((app) => describeApp(api, app)));
    if (flags.json === true) {
      out.json(rows);
      return 0;
    }
    if (rows.length === 0) {
      out.note("no apps yet; «viaduct run --name NAME --route NAME.localhost -- COMMAND» makes one");
      return 0;
    }
    out.table(
      ["name", "state", "instances", "routes"],
      rows.map((row) => [
        row.name,
        out.paint(STATE_TONES[row.state] ?? "strong", row.state.toLowerCase()),
        `${row.running}/${row.instances}`,
        row.routes.join(", "),
      ]),
    );
    return 0;
  },
});

async function describeApp(api: ApiClient, app: Answer) {
  const guid = app.text("guid");
  const isStarted = app.text("state") === "STARTED";
  const [process, routes, instances] = await Promise.all([
    api.getIfThere(`/v3/apps/${guid}/processes/web`),
    api.list(`/v3/apps/${guid}/routes`),
    isStarted ? listInstances(api, guid) : [],
  ]);
  return {
    guid,
    name: app.text("name"),
    state: app.text("state"),
    instances: process?.number("instances") ?? 0,
    running: instances.filter(({ state }) => state === "RUNNING").length,
    routes: routes.map((route) => route.text("url")),
  };
}
