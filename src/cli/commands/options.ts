import { apiLacks } from "../../kernel/errors/cli.ts";
import { apiFlag, defineCommand, jsonFlag } from "../command.ts";

export default defineCommand({
  usage: "options",
  examples: [
    { command: "viaduct options", effect: "what -o KEY=VALUE may say, as the API understands it" },
    { command: "viaduct options --json", effect: "with the JSON schema of each value" },
  ],
  parameters: [],
  options: { ...jsonFlag, ...apiFlag },
  async run({ flags, out, client }) {
    const api = await client();
    const answer = await api.getIfThere("/v3/viaduct/options");
    if (answer === null) throw apiLacks({ api: api.session.api, feature: "list of route options" });
    const options = answer.list("resources");
    if (flags.json === true) {
      out.json(options.map((option) => option.value));
      return 0;
    }
    out.table(
      ["option", "what it does", "example"],
      options.map((option) => {
        const example = option.has("examples") ? option.list("examples")[0]?.find("value") : undefined;
        return [option.text("name"), option.text("summary"), example === undefined ? "" : String(example)];
      }),
    );
    return 0;
  },
});
