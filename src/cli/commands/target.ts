import { nothingTargeted, usageInvalid } from "../../kernel/errors/cli.ts";
import { apiFlag, defineCommand, jsonFlag } from "../command.ts";
import { writeSession } from "../data-dir.ts";
import { listTargets, targetOf } from "../resources.ts";

export default defineCommand({
  usage: "target [-o ORG] [-s SPACE]",
  examples: [
    { command: "viaduct target", effect: "shows the API, the user, the organization and the space" },
    { command: "viaduct target -o acme -s staging", effect: "later commands work in that space" },
  ],
  parameters: [],
  options: {
    organization: { type: "string", short: "o", value: "ORG", describe: "Organization to work in." },
    space: { type: "string", short: "s", value: "SPACE", describe: "Space to work in." },
    ...jsonFlag,
    ...apiFlag,
  },
  async run({ flags, out, client }) {
    const api = await client();
    let target = null;
    if (flags.organization === undefined && flags.space === undefined) target = await targetOf(api);
    else {
      const all = await listTargets(api);
      const inOrganization = flags.organization ?? api.session.organization?.name;
      const fitting = all.filter(
        ({ organization, space }) =>
          (inOrganization === undefined || organization.name === inOrganization) &&
          (flags.space === undefined || space.name === flags.space),
      );
      target = fitting[0];
      if (target === undefined) {
        const wanted = `${inOrganization ?? "*"}/${flags.space ?? "*"}`;
        throw nothingTargeted({
          wanted,
          spaces: all.map((t) => `${t.organization.name}/${t.space.name}`),
        });
      }
      if (fitting.length > 1) {
        throw usageInvalid({
          problem: "more than one space fits",
          remedy: `name one of ${fitting.map((t) => `-o ${t.organization.name} -s ${t.space.name}`).join(" | ")}`,
        });
      }
      writeSession(api.host, { ...api.session, ...target });
    }
    const facts = {
      api: api.session.api,
      user: api.session.username,
      organization: target.organization.name,
      space: target.space.name,
    };
    if (flags.json === true) out.json(facts);
    else
      for (const [key, value] of Object.entries(facts))
        out.line(`${out.paint("strong", `${key}:`.padEnd(14))} ${value}`);
    return 0;
  },
});
