import assert from "node:assert/strict";
import { test } from "node:test";
import { startBrowser } from "../support/browser.ts";
import { startFoundation } from "../support/viaduct.ts";

test("the dashboard shows through our own router what the command line does, as it happens", async (t) => {
  const browser = await startBrowser(t);
  if (browser === null) return;
  const foundation = await startFoundation(t);
  const page = await browser.newPage();
  await page.goto(foundation.up.dashboard);
  await page.getByRole("status").getByText("live").waitFor();

  await foundation.runShop("-o", "loadbalancing=least-connection");
  const row = page.locator('[data-route="shop.localhost"]');
  await row.and(page.locator('[data-state="active"]')).waitFor();
  assert.match((await row.textContent()) ?? "", /loadbalancing=least-connection/);

  await foundation.ok("stop", "shop");
  await row.and(page.locator('[data-state="reserved"]')).waitFor();

  await foundation.ok("delete-route", "shop.localhost");
  await row.waitFor({ state: "detached" });
});
