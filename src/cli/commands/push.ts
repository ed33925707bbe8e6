import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  deploymentEnded,
  nothingToPush,
  stagingFailed,
  usageInvalid,
  waitExpired,
} from "../../kernel/errors/cli.ts";
import type { Answer } from "../answer.ts";
import type { ApiClient } from "../client.ts";
import { apiFlag, defineCommand, type Flags, type FlagValues, jsonFlag, timeoutFlag } from "../command.ts";
import { waitUntilRunning } from "../instances.ts";
import type { PushedApp } from "../manifest-file.ts";
import type { Output } from "../output.ts";
import { parseCount, parseTimeout } from "../parse.ts";
import { findAppIn, targetOf } from "../resources.ts";
import { createRouteDescriber } from "../route-facts.ts";

const BOUNDARY = "viaduct-push-5f2b8c1e9d7a4036";
const POLL_MS = 200;

const pushFlags = {
  file: {
    type: "string",
    short: "f",
    value: "FILE",
    describe: "The manifest (default: manifest.yml in DIR, or none).",
  },
  name: {
    type: "string",
    short: "n",
    value: "NAME",
    describe: "One app of the manifest, or the name of the app (default: the folder's name).",
  },
  command: { type: "string", short: "c", value: "COMMAND", describe: "How the app starts." },
  instances: { type: "string", short: "i", value: "N", describe: "How many copies run." },
  memory: { type: "string", short: "m", value: "SIZE", describe: "Memory limit of one instance: 256M, 1G." },
  "no-start": { type: "boolean", describe: "Leave the app as it is, ready to be started." },
  "no-route": { type: "boolean", describe: "No route points to the app, and those that do stop doing so." },
  "random-route": { type: "boolean", describe: "Invent a route for an app that has none." },
  strategy: {
    type: "string",
    value: "rolling",
    describe: "Replace running instances one by one, while the others serve.",
  },
  ...timeoutFlag,
  ...jsonFlag,
  ...apiFlag,
} as const satisfies Flags;

export default defineCommand({
  usage: "push [DIR] [-f FILE]",
  details:
    "Uploads a folder, finds out how it starts (Procfile, package.json, server.js, a single executable) and runs it.\nWhat .cfignore names stays at home. An app that is given no route gets NAME.DOMAIN, unless it has one.",
  examples: [
    { command: "viaduct push examples/hello", effect: "the app hello at http://hello.localhost:8080/" },
    {
      command: "viaduct push -f manifest.yml --strategy rolling",
      effect: "the manifest's apps, without losing a request",
    },
    { command: "viaduct push site -n docs -c 'python3 -m http.server $PORT'", effect: "any program will do" },
  ],
  parameters: ["DIR?"],
  options: pushFlags,
  async run({ flags, args: [directory = "."], out, host, client }) {
    if (flags.strategy !== undefined && flags.strategy !== "rolling") {
      throw usageInvalid({
        problem: `--strategy «${flags.strategy}» is none`,
        remedy: "write rolling, or leave it out",
      });
    }
    const timeoutMs = await parseTimeout(flags.timeout);
    const { readManifestFile } = await import("../manifest-file.ts");
    const file = flags.file === undefined ? null : resolve(host.cwd, flags.file);
    const folder = resolve(host.cwd, directory);
    const changes = changesOf(flags);
    const manifest = await readManifestFile(folder, file, flags.name ?? null, changes);
    if (manifest.apps.length > 1 && Object.keys(changes).length > 0) {
      throw usageInvalid({
        problem: `the manifest has ${manifest.apps.length} apps, and flags are about one`,
        remedy: "name it with -n NAME",
      });
    }
    const api = await client();
    const { space } = await targetOf(api);
    // Looked at before anything is changed: an empty folder leaves nothing half done.
    const archives = [];
    for (const app of manifest.apps) archives.push({ ...app, bits: await pack(app, out) });

    await api.send(
      "POST",
      `/v3/spaces/${space.guid}/actions/apply_manifest`,
      manifest.text,
      "application/x-yaml",
    );
    const describe = await createRouteDescriber(api);
    const pushed = [];
    for (const { name, bits } of archives) {
      const app = await findAppIn(api, space, name);
      if (app === null) throw stagingFailed({ app: name, reason: "it was deleted meanwhile" });
      const droplet = await stage(api, app, bits, timeoutMs, out);
      await bringUp(api, app, droplet, { ...flags, timeoutMs }, out);
      const routes = (await api.list(`/v3/apps/${app.text("guid")}/routes`)).map(describe);
      pushed.push({ name, guid: app.text("guid"), droplet, urls: routes.map(({ url }) => url) });
    }
    if (flags.json === true) out.json(pushed);
    else for (const { urls } of pushed) for (const url of urls) out.line(url);
    return 0;
  },
});

function changesOf(flags: FlagValues<typeof pushFlags>): Record<string, unknown> {
  return {
    ...(flags.command !== undefined && { command: flags.command }),
    ...(flags.instances !== undefined && { instances: parseCount("--instances", flags.instances) }),
    ...(flags.memory !== undefined && { memory: flags.memory }),
    ...(flags["no-route"] === true && { "no-route": true }),
    ...(flags["random-route"] === true && { "random-route": true }),
  };
}

async function pack({ name, folder }: PushedApp, out: Output): Promise<Buffer> {
  const { readIgnores } = await import("../ignored-files.ts");
  const { zipFolder } = await import("../zip-folder.ts");
  const ignored = await readFile(join(folder, ".cfignore"), "utf8").catch(() => "");
  const { archive, files } = await zipFolder(folder, readIgnores(ignored)).catch(async (error: unknown) => {
    const { systemReason } = await import("../../kernel/index.ts");
    throw nothingToPush({ path: folder, reason: systemReason(error) }, error);
  });
  if (files === 0) throw nothingToPush({ path: folder, reason: "there is no file" });
  out.note(`${name}: ${files} files of ${folder}, ${Math.ceil(archive.length / 1024)} KiB to upload`);
  return archive;
}

/** Uploads the files and has a droplet made of them. */
async function stage(
  api: ApiClient,
  app: Answer,
  bits: Buffer,
  timeoutMs: number,
  out: Output,
): Promise<string> {
  const name = app.text("name");
  const source = await api.post("/v3/packages", {
    type: "bits",
    relationships: { app: { data: { guid: app.text("guid") } } },
  });
  const form = Buffer.concat([
    Buffer.from(
      `--${BOUNDARY}\r\nContent-Disposition: form-data; name="resources"\r\n\r\n[]\r\n` +
        `--${BOUNDARY}\r\nContent-Disposition: form-data; name="bits"; filename="package.zip"\r\n` +
        "Content-Type: application/zip\r\n\r\n",
    ),
    bits,
    Buffer.from(`\r\n--${BOUNDARY}--\r\n`),
  ]);
  const guid = source.text("guid");
  await api.send("POST", `/v3/packages/${guid}/upload`, form, `multipart/form-data; boundary=${BOUNDARY}`);
  let build = await api.post("/v3/builds", { package: { guid } });
  const deadline = performance.now() + timeoutMs;
  while (build.text("state") === "STAGING") {
    if (performance.now() > deadline) {
      throw waitExpired({ what: `the staging of ${name}`, afterMs: timeoutMs, state: "still going on" });
    }
    await sleep(POLL_MS);
    build = await api.get(`/v3/builds/${build.text("guid")}`);
  }
  if (build.text("state") !== "STAGED") {
    throw stagingFailed({ app: name, reason: String(build.find("error") ?? build.text("state")) });
  }
  out.note(`${name}: staged`);
  return build.text("droplet", "guid");
}

async function bringUp(
  api: ApiClient,
  app: Answer,
  droplet: string,
  how: FlagValues<typeof pushFlags> & { readonly timeoutMs: number },
  out: Output,
): Promise<void> {
  const [guid, name] = [app.text("guid"), app.text("name")];
  const isRolling = how.strategy === "rolling" && app.text("state") === "STARTED" && how["no-start"] !== true;
  if (isRolling) {
    await roll(api, { guid, name }, droplet, how.timeoutMs, out);
    return;
  }
  await api.patch(`/v3/apps/${guid}/relationships/current_droplet`, { data: { guid: droplet } });
  if (how["no-start"] === true) return;
  await api.post(`/v3/apps/${guid}/actions/restart`);
  await waitUntilRunning(api, out, { name, guid }, how.timeoutMs);
}

async function roll(
  api: ApiClient,
  app: { readonly guid: string; readonly name: string },
  droplet: string,
  timeoutMs: number,
  out: Output,
): Promise<void> {
  let deployment = await api.post("/v3/deployments", {
    droplet: { guid: droplet },
    strategy: "rolling",
    relationships: { app: { data: { guid: app.guid } } },
  });
  out.note(`${app.name}: replacing instances one by one`);
  const deadline = performance.now() + timeoutMs;
  while (deployment.text("status", "value") === "ACTIVE") {
    if (performance.now() > deadline) {
      throw waitExpired({
        what: `the deployment of ${app.name}`,
        afterMs: timeoutMs,
        state: "still replacing instances; the old ones go on serving",
      });
    }
    await sleep(POLL_MS);
    deployment = await api.get(`/v3/deployments/${deployment.text("guid")}`);
  }
  const reason = deployment.text("status", "reason");
  if (reason !== "DEPLOYED") throw deploymentEnded({ app: app.name, reason });
}
