/** A certificate authority for one test, made by openssl, and certificates that it signs. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { needs } from "./needs.ts";

export interface IssuedPair {
  /** PEM */
  readonly certificate: string;
  readonly key: string;
}

export interface Authority {
  /** PEM */
  readonly certificate: string;
  issue(given: {
    /** `/CN=shop` */
    readonly subject: string;
    /** `DNS:shop.example.com`; none without it. */
    readonly alternativeNames?: string;
    /** It ended yesterday. */
    readonly isExpired?: boolean;
    /** It may sign others. */
    readonly isAuthority?: boolean;
  }): IssuedPair & Authority;
}

const EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** @returns null after marking the test as skipped, and the test must return. */
export function createAuthority(t: TestContext, subject = "/O=Viaduct/CN=Test Authority"): Authority | null {
  const openssl = needs(t, "openssl");
  if (openssl === null) return null;
  const folder = mkdtempSync(join(tmpdir(), "viaduct-authority-"));
  t.after(() => rmSync(folder, { recursive: true }));
  let count = 0;

  const run = (...args: readonly string[]) => execFileSync(openssl, args, { stdio: "ignore", cwd: folder });
  const read = (name: string): IssuedPair => ({
    certificate: readFileSync(join(folder, `${name}.pem`), "utf8"),
    key: readFileSync(join(folder, `${name}.key`), "utf8"),
  });
  const issuedBy =
    (issuer: string): Authority["issue"] =>
    (given) => {
      const name = `issued-${++count}`;
      run("req", "-new", ...EC, "-subj", given.subject, "-keyout", `${name}.key`, "-out", `${name}.csr`);
      const extensions = [
        `basicConstraints=critical,CA:${given.isAuthority === true ? "TRUE" : "FALSE"}`,
        ...(given.alternativeNames === undefined ? [] : [`subjectAltName=${given.alternativeNames}`]),
      ];
      writeFileSync(join(folder, `${name}.ext`), extensions.join("\n"));
      const days = given.isExpired === true ? "-1" : "2";
      const issuing = ["-CA", `${issuer}.pem`, "-CAkey", `${issuer}.key`, "-CAcreateserial", "-days", days];
      run("x509", "-req", "-in", `${name}.csr`, ...issuing, "-extfile", `${name}.ext`, "-out", `${name}.pem`);
      return { ...read(name), issue: issuedBy(name) };
    };

  run("req", "-x509", ...EC, "-days", "2", "-subj", subject, "-keyout", "root.key", "-out", "root.pem");
  return { ...read("root"), issue: issuedBy("root") };
}
