import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createAuthority } from "../../../test/support/authority.ts";
import { loadConfig, ViaductError } from "../../kernel/index.ts";
import { routerConfigFrom, routerSection } from "../config.ts";

const load = (flags: Readonly<Record<string, string>>) =>
  routerConfigFrom(loadConfig([routerSection], { flags }).get(routerSection));

function problemsOf(flags: Readonly<Record<string, string>>): string {
  try {
    load(flags);
  } catch (error) {
    assert.ok(error instanceof ViaductError && error.code === "config_invalid", String(error));
    return error.message;
  }
  return "";
}

/** Files with a certificate, its key and its authority; null after the test was skipped. */
function writeFiles(t: TestContext) {
  const authority = createAuthority(t);
  if (authority === null) return null;
  const folder = mkdtempSync(join(tmpdir(), "viaduct-tls-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const { certificate, key } = authority.issue({ subject: "/CN=shop" });
  return {
    certificate: write("certificate.pem", certificate),
    key: write("key.pem", key),
    authority: write("authority.pem", authority.certificate),
    folder,
  };
}

test("without a port there is no TLS listener, and no file is read", () => {
  assert.equal(load({ "router.tls_certificate": "/nowhere" }).tls, null);
});

test("a TLS listener is a port and two files", (t) => {
  const files = writeFiles(t);
  if (files === null) return;
  const flags = {
    "router.tls_port": "8443",
    "router.tls_certificate": files.certificate,
    "router.tls_key": files.key,
  };
  const { tls } = load(flags);
  assert.deepEqual(
    [tls?.port, tls?.certificates.length, tls?.clientCertificates, tls?.trustsSystemAuthorities],
    [8_443, 1, "none", true],
  );
  const withClients = load({
    ...flags,
    "router.tls_client_certificates": "require",
    "router.tls_client_ca": files.authority,
    "router.forwarded_client_cert": "sanitize_set",
    "router.proxy_protocol": "true",
  });
  assert.deepEqual(
    [
      withClients.tls?.clientCertificates,
      withClients.tls?.trustsSystemAuthorities,
      withClients.forwardedClientCert,
      withClients.acceptsProxyHeader,
    ],
    ["require", false, "sanitize_set", true],
  );
});

test("files that are not there, or do not go together, are all said with their settings", (t) => {
  const files = writeFiles(t);
  if (files === null) return;
  assert.match(
    problemsOf({ "router.tls_port": "1", "router.tls_key": join(files.folder, "none") }),
    /router\.tls_certificate: is missing; router\.tls_port needs it\n *router\.tls_key: ENOENT/,
  );
  const swapped = {
    "router.tls_port": "1",
    "router.tls_certificate": files.authority,
    "router.tls_key": files.key,
  };
  assert.match(problemsOf(swapped), /router\.tls_certificate: does not go with router\.tls_key: /);
});
