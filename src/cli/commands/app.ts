import { apiFlag, defineCommand, jsonFlag } from "../command.ts";
import { listInstances, STATE_TONES, uptimeText, webProcess } from "../instances.ts";
import { findApp } from "../resources.ts";
import { createRouteDescriber, optionsText } from "../route-facts.ts";

export default defineCommand({
  usage: "app NAME",
  examples: [
    { command: "viaduct app shop", effect: "state, routes, and one line per instance with its address" },
    {
      command: "viaduct app shop --json | jq -r '.instances[].address'",
      effect: "the addresses, for a script",
    },
  ],
  parameters: ["NAME"],
  options: { ...jsonFlag, ...apiFlag },
  async run({ flags, args: [name = ""], out, client }) {
    const api = await client();
    const app = await findApp(api, name);
    const guid = app.text("guid");
    const [process, routes, describe] = await Promise.all([
      webProcess(api, guid),
      api.list(`/v3/apps/${guid}/routes`),
      createRouteDescriber(api),
    ]);
    const state = app.text("state");
    const instances = state === "STARTED" ? await listInstances(api, process.text("guid")) : [];
    const facts = {
      guid,
      name: app.text("name"),
      state,
      command: String(process.find("command") ?? ""),
      directory: String(app.find("lifecycle", "data", "directory") ?? ""),
      wantedInstances: process.number("instances"),
      memoryMb: process.number("memory_in_mb"),
      healthCheck: process.text("health_check", "type"),
      routes: routes.map(describe).map(({ url, options }) => ({ url, options })),
      instances,
    };
    if (flags.json === true) {
      out.json(facts);
      return 0;
    }
    const fact = (key: string, value: string) => {
      if (value !== "") out.line(`${out.paint("strong", `${key}:`.padEnd(10))} ${value}`);
    };
    fact("name", facts.name);
    fact("state", out.paint(STATE_TONES[state] ?? "strong", state.toLowerCase()));
    fact("command", facts.command);
    fact("folder", facts.directory);
    fact("memory", `${facts.memoryMb} MB`);
    fact("health", facts.healthCheck);
    for (const route of facts.routes)
      fact("route", `${route.url}  ${out.paint("quiet", optionsText(route.options))}`.trim());
    if (instances.length === 0) return 0;
    out.line("");
    out.table(
      ["#", "state", "address", "since", "details"],
      instances.map((instance) => [
        String(instance.index),
        out.paint(STATE_TONES[instance.state] ?? "strong", instance.state.toLowerCase()),
        instance.address,
        uptimeText(instance.uptimeS),
        instance.details,
      ]),
    );
    return 0;
  },
});
