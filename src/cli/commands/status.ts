import { apiFlag, defineCommand, jsonFlag } from "../command.ts";
import { readUpFile } from "../data-dir.ts";

export default defineCommand({
  usage: "status",
  examples: [{ command: "viaduct status", effect: "prints the addresses, the user and the target" }],
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
      dashboard: local?.dashboard || null,
      dns: local?.dns || null,
      pid: local?.pid || null,
    };
    if (flags.json === true) {
      out.json(facts);
      return 0;
    }
    for (const [key, value] of Object.entries(facts)) {
      if (value !== null && value !== "") out.line(`${out.paint("strong", `${key}:`.padEnd(14))} ${value}`);
    }
    return 0;
  },
});
