/**
 * What a machine may lack. A test that needs a program says so; where it is missing the test is skipped with a
 * reason, unless VIADUCT_TEST_STRICT=1 (CI), where a missing program is a failure.
 */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { TestContext } from "node:test";

// Debian keeps servers in sbin and PostgreSQL's programs in versioned folders that are on nobody's PATH.
const EXTRA_FOLDERS = [
  "/usr/sbin",
  "/usr/local/sbin",
  ...[18, 17, 16, 15, 14].map((version) => `/usr/lib/postgresql/${version}/bin`),
];

/** Every program some test asks for; `.ci/run` installs them all. */
export const TEST_PROGRAMS = [
  "nats-server",
  "initdb",
  "chromium",
  "dig",
  "curl",
  "openssl",
  "pgrep",
  "nginx",
  "apache2",
  "lighttpd",
  "haproxy",
  "caddy",
  "wrk",
  "zip",
] as const;
/** Not in Debian, nor to be had everywhere: what they judge is tested in another way, too, so their absence is no failure. */
export const OPTIONAL_PROGRAMS = ["cf", "cloudfoundry-client", "h2spec"] as const;
export type TestProgram = (typeof TEST_PROGRAMS)[number] | (typeof OPTIONAL_PROGRAMS)[number];

/** Full path of a program, or null. */
export function findProgram(name: string): string | null {
  for (const folder of [...(process.env["PATH"] ?? "").split(delimiter), ...EXTRA_FOLDERS]) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder; the next one may have it.
    }
  }
  return null;
}

/**
 * @returns the program's path; or null after marking the test as skipped, and the test must return.
 * @example
 * const nats = needs(t, "nats-server");
 * if (nats === null) return;
 */
export function needs(t: TestContext, program: TestProgram): string | null {
  const path = findProgram(program);
  if (path !== null) return path;
  const isOptional = OPTIONAL_PROGRAMS.some((each) => each === program);
  if (!isOptional && process.env["VIADUCT_TEST_STRICT"] === "1")
    throw new Error(`${program} is not installed`);
  t.skip(`skipped, not installed: ${program}`);
  return null;
}
