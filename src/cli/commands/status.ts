import { join } from "node:path";
import type { ApiClient } from "../client.ts";
import { apiFlag, defineCommand, jsonFlag } from "../command.ts";
import { dataDirectory, readUpFile } from "../data-dir.ts";
import { listInstances } from "../instances.ts";

export default defineCommand({
  usage: "status",
  examples: [
    {
      command: "viaduct status",
      effect: "prints the addresses, the user, the target, what runs and what should, and where the logs are",
    },
  ],
  parameters: [],
  options: { ...jsonFlag, ...apiFlag },
  async run({ flags, out, host, client }) {
    const api = await client();
    const info = await api.get("/v3/info");
    const up = readUpFile(host);
    const local = up?.api === api.session.api ? up : null;
    const { organization, space, username } = api.session;
    const facts = {
      api: api.session.api,
      name: String(info.find("name") ?? ""),
      build: String(info.find("build") ?? ""),
      user: username,
      organization: organization?.name ?? null,
      space: space?.name ?? null,
      ...(await countWhatRuns(api)),
      dashboard: local?.dashboard || null,
      dns: local?.dns || null,
      logs: local === null ? null : join(dataDirectory(host), "logs"),
      pid: local?.pid || null,
    };
    if (flags.json === true) {
      out.json(facts);
      return 0;
    }
    for (const [key, value] of Object.entries(facts)) {
      if (value === null || value === "") continue;
      const text = typeof value === "object" ? `${value.running} of ${value.wanted} running` : value;
      out.line(`${out.paint("strong", `${key}:`.padEnd(14))} ${text}`);
    }
    return 0;
  },
});

/** In every space that the user sees. */
async function countWhatRuns(api: ApiClient) {
  const [apps, routes] = await Promise.all([api.list("/v3/apps"), api.get("/v3/routes", { per_page: "1" })]);
  const started = apps.filter((app) => app.text("state") === "STARTED");
  const instances = { wanted: 0, running: 0 };
  await Promise.all(
    started.map(async (app) => {
      const process = await api.getIfThere(`/v3/apps/${app.text("guid")}/processes/web`);
      // Deleted since the list was made.
      if (process === null) return;
      instances.wanted += process.number("instances");
      const found = await listInstances(api, process.text("guid"));
      instances.running += found.filter(({ state }) => state === "RUNNING").length;
    }),
  );
  return { apps: apps.length, instances, routes: routes.number("pagination", "total_results") };
}
