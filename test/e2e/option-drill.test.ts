/**
 * The promise of the options room: a new option is one file and one line. A copy of the tree gets both and nothing
 * else, and everything that deals with options knows the new one: API, command line, the dashboard's form, documents,
 * both feeds, the router and `viaduct explain`.
 */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test, type TestContext } from "node:test";
import { promisify } from "node:util";
import { encodeRegister, SUBJECTS } from "../../src/bus/index.ts";
import { startBrowser } from "../support/browser.ts";
import { connectRegistrar, startNats } from "../support/nats.ts";
import { adminPasswordOf, checkout, get, programOf, startFoundation } from "../support/viaduct.ts";

const MOTTO = `
import { Type } from "typebox";
import { defineOption } from "./define.ts";

/** Says something to clients. */
export default defineOption({
  name: "motto",
  summary: "Says something to clients.",
  details: "In a header of its own.",
  schema: Type.String({ pattern: "^[A-Za-z ]{1,20}$" }),
  protocols: ["http1", "http2"],
  since: "0.1",
  examples: [{ value: "Per aspera", effect: "clients read it" }],
  refusal: "Motto must be up to 20 letters and spaces",
  explain: (words) => \`clients are told \${words}\`,
  hooks: (words) => ({ responseHeaders: { hides: new Set(["x-motto"]), lines: \`X-Motto: \${words}\\r\\n\` } }),
});
`;

/** An operator's own, besides. */
const OWN_OPTIONS = join(checkout, "examples", "options");
const SUNSET = "Wed, 30 Jun 2027 00:00:00 GMT";

/** The whole product; what is installed is shared. */
function copyTree(t: TestContext): string {
  const tree = mkdtempSync(join(tmpdir(), "viaduct-drill-"));
  t.after(() => rmSync(tree, { recursive: true, force: true }));
  for (const name of ["bin", "docs", "examples", "src"]) {
    cpSync(join(checkout, name), join(tree, name), { recursive: true });
  }
  cpSync(join(checkout, "package.json"), join(tree, "package.json"));
  symlinkSync(join(checkout, "node_modules"), join(tree, "node_modules"));
  return tree;
}

/** All that adding an option takes. */
function addOption(tree: string): void {
  writeFileSync(join(tree, "src", "options", "motto.ts"), MOTTO);
  const path = join(tree, "src", "options", "index.ts");
  const list = readFileSync(path, "utf8");
  const changed = list
    .replace('import trimPath from "./trim-path.ts";', 'import motto from "./motto.ts";\n$&')
    .replace("\n  trimPath, ", "\n  motto,\n  trimPath, ");
  assert.equal(changed.length - list.length, 'import motto from "./motto.ts";\n  motto,\n'.length);
  writeFileSync(path, changed);
}

test("a new option is one file and one line, and one of the operator's own only a file in a folder", {
  timeout: 120_000,
}, async (t) => {
  const tree = copyTree(t);
  addOption(tree);

  await t.test("the reference has it", async () => {
    await promisify(execFile)(process.execPath, [programOf(tree), "docs", "generate"], { cwd: tree });
    const page = readFileSync(join(tree, "docs", "reference", "options.md"), "utf8");
    assert.match(page, /## motto\n\nSays something to clients\.\n/);
    assert.match(page, /cf update-route example\.com --hostname shop --option 'motto=Per aspera'/);
  });

  await t.test("API, command line, native feed, router and explain know it", async (step) => {
    const foundation = await startFoundation(step, { tree, settings: { "options.folder": OWN_OPTIONS } });
    const { cli, ok, up } = foundation;
    const refused = await cli(
      "run",
      "--name",
      "shop",
      "--route",
      "shop.localhost",
      "-o",
      "motto=1!",
      "--",
      "true",
    );
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /Motto must be up to 20 letters and spaces/);
    await foundation.runShop("-o", "motto=Per aspera");
    assert.equal((await foundation.get("shop.localhost")).headers["x-motto"], "Per aspera");

    const changed = await cli("update-route", "shop.localhost", "-o", "motto=2!");
    assert.match(changed.stderr, /Motto must be up to 20 letters and spaces/);
    await ok("update-route", "shop.localhost", "-o", "motto=Ad astra");
    await ok("wait", "shop.localhost");
    assert.equal((await foundation.get("shop.localhost")).headers["x-motto"], "Ad astra");
    assert.match(
      await ok("explain", "shop.localhost"),
      /motto=Ad astra \(reservation\): clients are told Ad astra/,
    );

    const applyManifest = async (motto: string) => {
      const spaces = JSON.parse(await ok("curl", "/v3/spaces")) as { resources: { guid: string }[] };
      const path = `/v3/spaces/${spaces.resources[0]?.guid}/actions/apply_manifest`;
      const manifest = `applications:\n- name: shop\n  routes:\n  - route: shop.localhost\n    options: {motto: ${motto}}\n`;
      return cli("curl", path, "-d", manifest, "-H", "Content-Type: application/x-yaml");
    };
    const refusedManifest = await applyManifest("3!");
    assert.equal(refusedManifest.code, 1);
    assert.match(
      refusedManifest.stdout,
      /Route 'shop\.localhost': Motto must be up to 20 letters and spaces/,
    );
    assert.equal((await applyManifest("Ex libris")).code, 0);
    await ok("wait", "shop.localhost");
    assert.equal((await foundation.get("shop.localhost")).headers["x-motto"], "Ex libris");

    await ok("update-route", "shop.localhost", "--remove-option", "motto");
    await ok("wait", "shop.localhost");
    assert.equal((await foundation.get("shop.localhost")).headers["x-motto"], undefined);

    await ok("update-route", "shop.localhost", "-o", "sunset=2027-06-30");
    await ok("wait", "shop.localhost");
    assert.equal((await foundation.get("shop.localhost")).headers["sunset"], SUNSET);

    assert.match(await ok("options"), /motto +Says something to clients\. +Per aspera/);
    assert.match(await ok("options", "--names"), /^motto$[^]*^sunset$/m);
    const document = await fetch(`${up.api}/v3/openapi.json`);
    const { components } = (await document.json()) as {
      components: { schemas: { RouteOptions: { properties: Record<string, { description: string }> } } };
    };
    const described = components.schemas.RouteOptions.properties["motto"];
    assert.equal(described?.description, "Says something to clients. In a header of its own.");

    await step.test("so does the form of the dashboard", async (form) => {
      const browser = await startBrowser(form);
      if (browser === null) return;
      const page = await browser.newPage({ expectedErrors: /status of 422/ });
      await page.goto(up.dashboard);
      await page.getByRole("button", { name: "Change shop.localhost" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("User").fill(up.username);
      await dialog.getByLabel("Password").fill(adminPasswordOf(foundation));
      await dialog.getByRole("button", { name: "Log in" }).click();
      const motto = dialog.getByLabel("motto", { exact: true });
      await motto.fill("4!");
      assert.equal(await motto.getAttribute("placeholder"), "not set; for instance Per aspera");
      assert.equal(await dialog.getByLabel("sunset", { exact: true }).inputValue(), "2027-06-30");
      await dialog.getByRole("button", { name: "Save" }).click();
      await dialog
        .locator("#option-motto-help")
        .getByText("Motto must be up to 20 letters and spaces")
        .waitFor();
      await motto.fill("Sine die");
      await dialog.getByRole("button", { name: "Save" }).click();
      await dialog.getByRole("status").getByText("Saved: live on 1 of 1 router.").waitFor();
      assert.equal((await foundation.get("shop.localhost")).headers["x-motto"], "Sine die");
    });
  });

  await t.test("a router in gorouter's place takes it from NATS", async (step) => {
    const nats = await startNats(step);
    if (nats === null) return;
    const app = createServer((_request, response) => response.end("ok")).listen(0, "127.0.0.1");
    await once(app, "listening");
    step.after(() => app.close());
    const file = join(tree, "gorouter.yml");
    writeFileSync(
      file,
      `port: 0\nviaduct: {host: 127.0.0.1, options: {folder: "${OWN_OPTIONS}"}}\nstatus: {host: 127.0.0.1, port: 0, user: a, pass: b, routes: {port: 0}}\n` +
        `nats: {hosts: [{hostname: 127.0.0.1, port: ${nats.port}}]}\nstart_response_delay_interval: 10ms\ndroplet_stale_threshold: 120s\n`,
    );
    const router = spawn(process.execPath, [programOf(tree), "router", "-c", file], {
      cwd: tree,
      stdio: ["ignore", "pipe", "inherit"],
    });
    step.after(async () => {
      const ended = once(router, "exit");
      if (router.exitCode === null && router.kill()) await ended;
    });
    const lines = createInterface({ input: router.stdout });
    const line = (word: string) =>
      new Promise<string>((resolve, reject) => {
        router.once("exit", (code) => reject(new Error(`the router ended with ${code} before «${word}»`)));
        lines.on("line", (text) => {
          if (text.includes(word)) resolve(text);
        });
      });
    const started = JSON.parse(await line("gorouter.started")) as { data: { port: number } };
    const registered = line("endpoint-registered");
    const registrar = await connectRegistrar(step, nats.port);
    const { port } = app.address() as AddressInfo;
    registrar.publish(
      SUBJECTS.routerRegister,
      encodeRegister({
        host: "127.0.0.1",
        port,
        uris: ["shop.example.com"],
        options: { motto: "Ad astra", sunset: "2027-06-30" },
      }),
    );
    await registered;
    const answer = await get(started.data.port, "shop.example.com", "/");
    assert.deepEqual(
      [answer.status, answer.headers["x-motto"], answer.headers["sunset"]],
      [200, "Ad astra", SUNSET],
    );
  });
});
