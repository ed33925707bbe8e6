import { usageInvalid } from "../../kernel/errors/cli.ts";
import { ApiClient } from "../client.ts";
import { apiFlag, defineCommand } from "../command.ts";
import { blankSession, chooseApi, discoverUaa, type Grant, logIn } from "../connection.ts";
import { readSession, readUpFile } from "../data-dir.ts";
import type { Host } from "../output.ts";
import { listTargets, targetOf } from "../resources.ts";

export default defineCommand({
  usage: "login [--api URL] [-u USER] [-p PASSWORD]",
  details:
    "Not needed for a Viaduct that runs here: its admin is logged in silently. A password on the command line is\nvisible to other users of the machine; VIADUCT_PASSWORD or the prompt is not.",
  examples: [
    {
      command: "viaduct login --api https://api.example.com -u ada",
      effect: "asks for the password and keeps the tokens",
    },
    { command: "VIADUCT_PASSWORD=… viaduct login -u ada", effect: "the same, for scripts" },
  ],
  parameters: [],
  options: {
    user: { type: "string", short: "u", value: "USER", describe: "User name." },
    password: {
      type: "string",
      short: "p",
      value: "PASSWORD",
      describe: "Password (default: VIADUCT_PASSWORD, or asked).",
    },
    "client-credentials": { type: "boolean", describe: "USER and PASSWORD are a client's id and secret." },
    ...apiFlag,
  },
  async run({ flags, out, host }) {
    const up = readUpFile(host);
    const api = chooseApi(host, flags.api, readSession(host), up);
    const username = flags.user ?? (await ask(host, "user name", false));
    const password =
      flags.password ?? host.environment["VIADUCT_PASSWORD"] ?? (await ask(host, "password", true));
    const grant: Grant =
      flags["client-credentials"] === true
        ? { kind: "client", clientId: username, clientSecret: password }
        : { kind: "password", username, password };
    const uaa = up?.api === api ? up.uaa : await discoverUaa(api);
    const session = await logIn(host, blankSession(api, uaa, true), grant);
    out.note(`logged in to ${api} as ${username}`);

    const client = new ApiClient(host, out, session, async (old) => old);
    if ((await listTargets(client)).length === 1) {
      const { organization, space } = await targetOf(client);
      out.note(`targeted ${organization.name}/${space.name}`);
    }
    return 0;
  },
});

/** @throws usageInvalid when there is nobody to ask */
async function ask(host: Host, question: string, isSecret: boolean): Promise<string> {
  const answer = await host.ask(question, isSecret);
  if (answer !== null) return answer;
  throw usageInvalid({
    problem: `no ${question} was given, and there is no terminal to ask on`,
    remedy: isSecret ? "set VIADUCT_PASSWORD" : "add --user NAME",
  });
}
