import { usageInvalid } from "../../kernel/errors/cli.ts";
import { isWhole } from "../client.ts";
import { apiFlag, defineCommand } from "../command.ts";

export default defineCommand({
  usage: "curl PATH [-X METHOD] [-d BODY] [-i]",
  details: "Prints the body as it comes. Exit code 1 when the status is 400 or more.",
  examples: [
    { command: "viaduct curl /v3/routes", effect: "the API's own JSON" },
    {
      command: `viaduct curl /v3/organizations -X POST -d '{"name":"acme"}'`,
      effect: "creates an organization",
    },
  ],
  parameters: ["PATH"],
  options: {
    request: {
      type: "string",
      short: "X",
      value: "METHOD",
      describe: "HTTP method (default: GET, with -d POST).",
    },
    data: { type: "string", short: "d", value: "BODY", describe: "Request body, or @FILE." },
    header: {
      type: "string",
      short: "H",
      multiple: true,
      value: "NAME: VALUE",
      describe: "Request header; repeatable.",
    },
    include: { type: "boolean", short: "i", describe: "Print status and headers first." },
    ...apiFlag,
  },
  async run({ flags, args: [path = ""], out, host, client }) {
    const body = await readBody(host.cwd, flags.data ?? "");
    const headers = Object.fromEntries((flags.header ?? []).map(readHeader));
    const api = await client();
    demandOwnApi(path, api.session.api);
    const answer = await api.raw(flags.request ?? (body === "" ? "GET" : "POST"), path, body, headers);
    if (flags.include === true) {
      out.line(`HTTP ${answer.status}`);
      for (const [name, value] of Object.entries(answer.headers)) out.line(`${name}: ${String(value)}`);
      out.line("");
    }
    if (answer.body !== "") out.line(answer.body.replace(/\n$/, ""));
    return answer.status >= 400 ? 1 : 0;
  },
});

/** Every call carries the user's token, which is for this API alone. @throws usageInvalid */
function demandOwnApi(path: string, api: string): void {
  if (!isWhole(path) || URL.parse(path)?.origin === new URL(api).origin) return;
  throw usageInvalid({
    problem: `${path} is not on ${api}, and this login is for no other API`,
    remedy: "write the path only, or name that API with --api",
  });
}

function readHeader(text: string): readonly [string, string] {
  const at = text.indexOf(":");
  if (at < 1)
    throw usageInvalid({
      problem: `--header «${text}» has no colon`,
      remedy: "write --header 'Name: value'",
    });
  return [text.slice(0, at).toLowerCase(), text.slice(at + 1).trim()];
}

async function readBody(cwd: string, data: string): Promise<string> {
  if (!data.startsWith("@")) return data;
  const [{ readFileSync }, { resolve }] = await Promise.all([import("node:fs"), import("node:path")]);
  const path = resolve(cwd, data.slice(1));
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw usageInvalid({ problem: `${path} cannot be read`, remedy: "check the name after @" }, error);
  }
}
