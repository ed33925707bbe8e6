/**
 * Routes changed in a real browser, through our own router, by the form that is made of the option vocabulary; and a
 * page of another site that tries the same.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { startBrowser } from "../support/browser.ts";
import { adminPasswordOf, type Foundation, startFoundation } from "../support/viaduct.ts";

/** Who serves each of some requests. */
async function servedBy(foundation: Foundation, headers: Record<string, string> = {}): Promise<Set<string>> {
  const answers = [];
  for (let i = 0; i < 8; i++) answers.push(await foundation.get("shop.localhost", "/", headers));
  return new Set(answers.map(({ body }) => body));
}

test("a route is changed, made and deleted on the page, and the router acts on it", {
  timeout: 120_000,
}, async (t) => {
  const browser = await startBrowser(t);
  if (browser === null) return;
  const foundation = await startFoundation(t);
  await foundation.runShop("--instances", "2");
  assert.equal((await servedBy(foundation)).size, 2, "both instances in turn");
  const page = await browser.newPage({ expectedErrors: /status of (401|422|412)/ });
  await page.goto(foundation.up.dashboard);
  page.setDefaultTimeout(15_000);
  const dialog = page.getByRole("dialog");
  const change = page.getByRole("button", { name: "Change shop.localhost" });

  // === only who logs in changes anything, with the keyboard alone ===
  {
    await change.focus();
    await page.keyboard.press("Enter");
    await dialog.getByLabel("User").fill("admin");
    await dialog.getByLabel("Password").fill("guess");
    await page.keyboard.press("Enter");
    await dialog.getByRole("alert").getByText("Bad credentials").waitFor();
    await dialog.getByLabel("Password").fill(adminPasswordOf(foundation));
    await page.keyboard.press("Enter");
    await dialog.getByLabel("loadbalancing", { exact: true }).waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    assert.equal(await change.evaluate((button) => button.ownerDocument.activeElement === button), true);
  }

  // === what does not go together is said beside the field, and nothing is changed ===
  {
    await change.click();
    await dialog.getByLabel("loadbalancing", { exact: true }).selectOption("hash");
    await dialog
      .getByText("requests with the same value of hash_header go to the same instance")
      .first()
      .waitFor();
    await dialog.getByLabel("retries", { exact: true }).fill("9");
    await dialog.getByRole("button", { name: "Save" }).click();
    const header = dialog.getByLabel("hash_header", { exact: true });
    await dialog.locator('[aria-invalid="true"]').first().waitFor();
    const described = async (name: string) => {
      const control = dialog.getByLabel(name, { exact: true });
      assert.equal(await control.getAttribute("aria-invalid"), "true", name);
      return dialog.locator(`[id="${await control.getAttribute("aria-describedby")}"]`).innerText();
    };
    assert.match(await described("retries"), /9 are more than the 5 that the operator allows/);
    assert.equal(await page.evaluate("document.activeElement.id"), "option-retries");
    await dialog.getByLabel("retries", { exact: true }).fill("");
    await dialog.getByRole("button", { name: "Save" }).click();
    await header.and(page.locator('[aria-invalid="true"]')).waitFor();
    assert.match(await described("hash_header"), /must be present when loadbalancing is set to hash/);
    assert.doesNotMatch(await foundation.ok("routes"), /hash/);
    await header.fill("X-Tenant-Id");
  }

  // === what is saved is live on the router, and balances by the header ===
  {
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog.getByRole("status").getByText("Saved: live on 1 of 1 router.").waitFor();
    assert.equal((await servedBy(foundation, { "x-tenant-id": "acme" })).size, 1);
    await page.keyboard.press("Escape");
    assert.match(
      (await page.locator('[data-route="shop.localhost"]').textContent()) ?? "",
      /loadbalancing=hash.*hash_header=X-Tenant-Id/,
    );
  }

  // === a change by somebody else meanwhile is not overwritten ===
  {
    await change.click();
    const cookie = dialog.getByLabel("session-cookie");
    await cookie.fill("mine");
    await foundation.ok("update-route", "shop.localhost", "-o", "session-cookie=theirs");
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog.getByRole("alert").getByText("was changed meanwhile").waitFor();
    await dialog.getByRole("button", { name: "Discard" }).click();
    await dialog.getByRole("alert").getByText("was changed meanwhile").waitFor({ state: "detached" });
    assert.equal(await cookie.inputValue(), "theirs");
    await page.keyboard.press("Escape");
  }

  // === a new route leads to its app, and is gone after a second question ===
  {
    await page.getByRole("button", { name: "New route" }).click();
    await dialog.getByLabel("Host", { exact: true }).fill("blog");
    await dialog.getByLabel("Path", { exact: true }).fill("health");
    await dialog.getByLabel("App", { exact: true }).selectOption("shop");
    await dialog.getByRole("button", { name: "Create" }).click();
    await dialog.locator("#route-path-help").getByText("must begin with /").waitFor();
    await dialog.getByLabel("Path", { exact: true }).fill("/health");
    await dialog.getByRole("button", { name: "Create" }).click();
    await dialog.getByRole("status").getByText("Created: live on 1 of 1 router.").waitFor();
    await page.locator('[data-route="blog.localhost/health"][data-state="active"]').waitFor();
    assert.equal((await foundation.get("blog.localhost", "/health")).body, "ok\n");

    await dialog.getByRole("button", { name: "Delete …" }).click();
    await dialog.getByRole("button", { name: "Keep it" }).click();
    await dialog.getByRole("button", { name: "Delete …" }).click();
    await dialog.getByRole("button", { name: "Delete the route" }).click();
    await dialog.waitFor({ state: "detached" });
    await page.locator('[data-route="blog.localhost/health"]').waitFor({ state: "detached" });
    const gone = await foundation.get("blog.localhost", "/health");
    assert.equal(gone.headers["x-cf-routererror"], "unknown_route");
  }

  // === a page of another site changes nothing, with a form or with a script ===
  {
    const before = await foundation.ok("routes", "--json");
    const site = createServer((_request, response) => response.end("<!doctype html>")).listen(0, "127.0.0.1");
    await once(site, "listening");
    t.after(() => site.close());
    const evil = await browser.newPage({ expectedErrors: /CORS policy|ERR_FAILED|status of 40|ERR_BLOCKED/ });
    await evil.goto(`http://evil.localhost:${(site.address() as AddressInfo).port}/`);
    const target = `${foundation.up.dashboard}session`;
    const body = JSON.stringify({ username: "admin", password: adminPasswordOf(foundation) });
    const read = await evil.evaluate(
      async ([target, body]) => {
        const attempts = [{ mode: "no-cors" }, { headers: { "content-type": "application/json" } }] as const;
        const outcomes = [];
        for (const how of attempts) {
          const sent = fetch(target ?? "", { method: "POST", body: body ?? "", ...how });
          outcomes.push(
            await sent.then(
              (answer) => `${answer.type} ${answer.status}`,
              () => "refused",
            ),
          );
        }
        return outcomes;
      },
      [target, body],
    );
    assert.deepEqual(read, ["refused", "refused"]);
    // What the browser keeps from the page was refused by us, too: the password was right.
    const headers = { "content-type": "application/json", origin: new URL(evil.url()).origin };
    assert.equal((await fetch(target, { method: "POST", body, headers })).status, 403);
    assert.equal(await foundation.ok("routes", "--json"), before);
  }
});

test("behind a login the page changes routes with the rights of that login", {
  timeout: 60_000,
}, async (t) => {
  const browser = await startBrowser(t);
  if (browser === null) return;
  const foundation = await startFoundation(t, { settings: { "dashboard.login": "always" } });
  await foundation.runShop();
  const page = await browser.newPage();
  const { username } = foundation.up;
  await page.context().setHTTPCredentials({ username, password: adminPasswordOf(foundation) });
  let sessions = 0;
  page.on("request", (request) => {
    if (request.url().endsWith("/session")) sessions++;
  });
  await page.goto(foundation.up.dashboard);
  const dialog = page.getByRole("dialog");
  await page.getByRole("button", { name: "New route" }).click();
  await dialog.getByLabel("Host", { exact: true }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Change shop.localhost" }).click();
  await dialog.getByLabel("trim-path").check();
  assert.equal(sessions, 1, "however many calls waited for it");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.getByRole("status").getByText("Saved: live on 1 of 1 router.").waitFor();
  assert.match(await foundation.ok("routes"), /trim-path=true/);
});
