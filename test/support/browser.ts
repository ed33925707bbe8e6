/**
 * Debian's Chromium for tests: without network beyond loopback, gone when the test is over.
 */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { type Browser, chromium, type Page } from "playwright-core";
import { needs } from "./needs.ts";

/** Quiet: no first-run pages, no updates, no accounts; every connection is one that the page made. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const LOOPBACK = /^(localhost|.*\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

export interface PageOptions {
  readonly width?: number;
  readonly height?: number;
  readonly colorScheme?: "light" | "dark";
  /** Console errors that the test provokes. */
  readonly expectedErrors?: RegExp;
}

export interface TestBrowser {
  /** A page in a fresh profile. When the test ends, it has written no error to its console and left no loopback. */
  newPage(options?: PageOptions): Promise<Page>;
}

/**
 * @returns null after marking the test as skipped, when there is no Chromium.
 * @example
 * const browser = await startBrowser(t);
 * if (browser === null) return;
 */
export async function startBrowser(t: TestContext): Promise<TestBrowser | null> {
  const executablePath = needs(t, "chromium");
  if (executablePath === null) return null;
  const browser: Browser = await chromium.launch({ executablePath, headless: true, args: FLAGS });
  const problems: string[] = [];
  t.after(async () => {
    await browser.close();
    assert.deepEqual(problems, [], "console errors and requests that leave the machine");
  });
  return {
    async newPage({ width = 1280, height = 900, colorScheme = "light", expectedErrors } = {}) {
      const context = await browser.newContext({ viewport: { width, height }, colorScheme });
      const page = await context.newPage();
      page.on("pageerror", (error) => problems.push(`error: ${error.message}`));
      page.on("console", (message) => {
        if (message.type() === "error" && expectedErrors?.test(message.text()) !== true)
          problems.push(`console: ${message.text()}`);
      });
      page.on("request", (request) => {
        const { protocol, hostname } = new URL(request.url());
        if (protocol.startsWith("http") && !LOOPBACK.test(hostname))
          problems.push(`request: ${request.url()}`);
      });
      return page;
    },
  };
}
