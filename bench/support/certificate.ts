import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findProgram } from "../../test/support/needs.ts";

/** Files for the proxies' TLS listeners, in PEM. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
  /** Both in one, as HAProxy wants them. */
  readonly both: string;
}

/** A certificate that signed itself, ECDSA on P-256. @throws when openssl is missing */
export function writeCertificate(folder: string): CertificateFiles {
  const openssl = findProgram("openssl");
  if (openssl === null) throw new Error("cases with TLS need openssl");
  const [certificate, key, both] = ["tls.pem", "tls.key", "tls.both.pem"].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  const request =
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost";
  execFileSync(openssl, [...request.split(" "), "-keyout", key, "-out", certificate], { stdio: "ignore" });
  writeFileSync(both, readFileSync(certificate, "utf8") + readFileSync(key, "utf8"));
  return { certificate, key, both };
}
