/** A certificate that signed itself, made for one test by openssl. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { needs } from "./needs.ts";

export interface TestCertificate {
  /** PEM; its own authority too. */
  readonly certificate: string;
  readonly key: string;
  readonly certificatePath: string;
  readonly keyPath: string;
}

/** @returns null after marking the test as skipped, and the test must return. */
export function selfSigned(t: TestContext, names = "IP:127.0.0.1,DNS:localhost"): TestCertificate | null {
  const openssl = needs(t, "openssl");
  if (openssl === null) return null;
  const folder = mkdtempSync(join(tmpdir(), "viaduct-certificate-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const certificatePath = join(folder, "certificate.pem");
  const keyPath = join(folder, "key.pem");
  const request =
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost";
  execFileSync(
    openssl,
    [
      ...request.split(" "),
      "-addext",
      `subjectAltName=${names}`,
      "-keyout",
      keyPath,
      "-out",
      certificatePath,
    ],
    { stdio: "ignore" },
  );
  return {
    certificate: readFileSync(certificatePath, "utf8"),
    key: readFileSync(keyPath, "utf8"),
    certificatePath,
    keyPath,
  };
}
