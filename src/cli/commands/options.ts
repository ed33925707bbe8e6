import { apiLacks } from "../../kernel/errors/cli.ts";
import { apiFlag, defineCommand, jsonFlag } from "../command.ts";
import { printable } from "../output.ts";

export default defineCommand({
  usage: "options",
  examples: [
    { command: "viaduct options", effect: "what -o KEY=VALUE may say, as the API understands it" },
    { command: "viaduct options --json", effect: "with the JSON schema of each value" },
    { command: "viaduct options --names", effect: "one name a line; this is what shells complete -o with" },
  ],
  parameters: [],
  options: {
    names: { type: "boolean", describe: "Print the names alone." },
    ...jsonFlag,
    ...apiFlag,
  },
  async run({ flags, out, client }) {
    const api = await client();
    const answer = await api.getIfThere("/v3/viaduct/options");
    if (answer === null) throw apiLacks({ api: api.session.api, feature: "list of route options" });
    const options = answer.list("resources");
    if (flags.json === true) {
      out.json(options.map((option) => option.value));
      return 0;
    }
    if (flags.names === true) {
      for (const option of options) out.line(printable(option.text("name")));
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
