import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { type Authority, createAuthority } from "../../../test/support/authority.ts";
import { ViaductError } from "../../kernel/index.ts";
import { loadGorouterConfig } from "../gorouter-config.ts";
import { CIPHER_SUITE_NAMES, parseCipherSuites } from "./cipher-suites.ts";

type Settings = Readonly<Record<string, unknown>>;

/** JSON is YAML. */
const load = (settings: Settings) => loadGorouterConfig(JSON.stringify(settings), "gorouter.yml").config;

function problemsOf(settings: Settings): readonly string[] {
  try {
    load(settings);
  } catch (error) {
    assert.ok(error instanceof ViaductError && error.code === "config_invalid", String(error));
    return (error.details as { problems: readonly string[] }).problems;
  }
  return [];
}

interface Ground {
  readonly authority: Authority;
  /** What is needed at least. */
  readonly settings: Settings;
}

/** Null after the test was skipped. */
function prepare(t: TestContext): Ground | null {
  const authority = createAuthority(t);
  if (authority === null) return null;
  const { certificate, key } = authority.issue({ subject: "/CN=shop" });
  return {
    authority,
    settings: {
      enable_ssl: true,
      tls_pem: [{ cert_chain: certificate, private_key: key }],
      cipher_suites: "ECDHE-RSA-AES128-GCM-SHA256:TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
      client_cert_validation: "none",
    },
  };
}

test("a TLS listener is what gorouter's file says, with gorouter's defaults", (t) => {
  const ground = prepare(t);
  if (ground === null) return;
  const { tls, ...config } = load({ ...ground.settings, ca_certs: ["ca"], disable_http: true });
  assert.ok(tls !== null);
  assert.equal(config.listensPlain, false);
  assert.deepEqual(
    { ...tls, certificates: tls.certificates.length },
    {
      port: 443,
      portSetting: "ssl_port",
      certificates: 1,
      cipherSuites: ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"],
      minVersion: "TLSv1.2",
      maxVersion: "TLSv1.2",
      clientCertificates: "none",
      clientAuthorities: ["", "ca"],
      trustsSystemAuthorities: true,
      certificateRules: [],
    },
  );
});

test("nothing about TLS is checked while it is off", () => {
  assert.deepEqual(
    problemsOf({ cipher_suites: "nonsense", client_cert_validation: "maybe", tls_pem: [] }),
    [],
  );
  assert.equal(load({}).tls, null);
});

test("versions have Go's names", (t) => {
  const ground = prepare(t);
  if (ground === null) return;
  const { tls } = load({ ...ground.settings, min_tls_version: "TLSv1.0", max_tls_version: "TLSv1.3" });
  assert.deepEqual([tls?.minVersion, tls?.maxVersion], ["TLSv1", "TLSv1.3"]);
});

const refusals: readonly { readonly name: string; readonly given: Settings; readonly problem: string }[] = [
  {
    name: "no certificate",
    given: { tls_pem: [] },
    problem: "router.tls_pem must be provided if router.enable_ssl is set to true",
  },
  {
    name: "a certificate without its key",
    given: { tls_pem: [{ cert_chain: "x" }] },
    problem: "Error parsing PEM blocks of router.tls_pem, missing cert or key.",
  },
  {
    name: "texts that are no key pair",
    given: { tls_pem: [{ cert_chain: "x", private_key: "y" }] },
    problem: "Error loading key pair: tls_pem[0]: ",
  },
  {
    name: "no cipher suites",
    given: { cipher_suites: "" },
    problem: "must specify list of cipher suite when ssl is enabled",
  },
  {
    name: "an unknown cipher suite",
    given: { cipher_suites: "AES128-SHA:ROT13" },
    problem: "Invalid cipher string configuration: ROT13, please choose from [RC4-SHA ",
  },
  {
    name: "a cipher suite that OpenSSL has given up",
    given: { cipher_suites: "RC4-SHA" },
    problem: "RC4-SHA is too weak for the OpenSSL in use, which cannot speak it; remove it",
  },
  {
    name: "an unknown lowest version",
    given: { min_tls_version: "SSLv3" },
    problem: 'router.min_tls_version should be one of "", "TLSv1.3", "TLSv1.2", "TLSv1.1", "TLSv1.0"',
  },
  {
    name: "an unknown highest version",
    given: { max_tls_version: "TLSv1.1" },
    problem: 'router.max_tls_version should be one of "TLSv1.2" or "TLSv1.3"',
  },
  {
    name: "versions that leave none",
    given: { min_tls_version: "TLSv1.3" },
    problem: "TLSv1.2 is below min_tls_version TLSv1.3, so that no client could connect",
  },
  {
    name: "no word about client certificates",
    given: { client_cert_validation: "" },
    problem: "router.client_cert_validation must be one of 'none', 'request' or 'require'.",
  },
  {
    name: "only own authorities, and none",
    given: { client_cert_validation: "request", only_trust_client_ca_certs: true },
    problem:
      "router.client_ca_certs cannot be empty if router.only_trust_client_ca_certs is 'true' and router.client_cert_validation is set to 'request' or 'require'.",
  },
  {
    name: "client authorities without a certificate",
    given: { client_ca_certs: "nothing" },
    problem: "holds no certificate",
  },
  {
    name: "a rule about an authority that is not there",
    given: {
      enable_verify_client_certificate_metadata: true,
      verify_client_certificate_metadata: [
        { issuer_in_chain: { common_name: "Nobody", organization: ["A"] } },
      ],
    },
    problem: "no CA certificate found for rule with ca subject CN=Nobody,O=A",
  },
  {
    name: "a rule with an attribute that names do not have",
    given: { verify_client_certificate_metadata: [{ issuer_in_chain: { colour: "red" } }] },
    problem: "issuer_in_chain has colour, which is none of country, ",
  },
];
for (const { name, given, problem } of refusals) {
  test(`TLS is refused with a sentence: ${name}`, (t) => {
    const ground = prepare(t);
    if (ground === null) return;
    const problems = problemsOf({ ...ground.settings, ...given });
    assert.equal(problems.length, 1, problems.join("\n"));
    assert.ok(problems[0]?.includes(`: ${problem}`), problems.join("\n"));
  });
}

test("rules about client certificates are read with the names of their attributes", (t) => {
  const ground = prepare(t);
  if (ground === null) return;
  const { tls } = load({
    ...ground.settings,
    client_cert_validation: "require",
    client_ca_certs: ground.authority.certificate,
    only_trust_client_ca_certs: true,
    enable_verify_client_certificate_metadata: true,
    verify_client_certificate_metadata: [
      {
        issuer_in_chain: { organization: ["Viaduct"], common_name: "Test Authority" },
        valid_cert_subjects: [{ country: ["DE"], organizational_unit: ["b", "a"], serial_number: "" }],
      },
    ],
  });
  assert.deepEqual(tls?.certificateRules, [
    {
      authority: { O: ["Viaduct"], CN: ["Test Authority"] },
      subjects: [{ C: ["DE"], OU: ["a", "b"] }],
    },
  ]);
  assert.deepEqual(
    [tls?.clientAuthorities, tls?.trustsSystemAuthorities],
    [[ground.authority.certificate], false],
  );
});

test("a client certificate towards endpoints needs its key", (t) => {
  const ground = prepare(t);
  if (ground === null) return;
  const { certificate, key } = ground.authority.issue({ subject: "/CN=router" });
  const { endpointClientCertificate } = load({ backends: { cert_chain: certificate, private_key: key } });
  assert.deepEqual(endpointClientCertificate, { certificate, key });
  assert.match(
    problemsOf({ backends: { cert_chain: certificate } })[0] ?? "",
    /^backends\.cert_chain: Error loading key pair: /,
  );
});

test("every name of a suite is understood or refused with a sentence, and Go's means the same as OpenSSL's", () => {
  for (const name of CIPHER_SUITE_NAMES) {
    const parsed = parseCipherSuites(name);
    if ("problem" in parsed) assert.match(parsed.problem, /RC4|3DES|DES-CBC3/);
    else assert.equal(parsed.suites.length, 1);
  }
  assert.deepEqual(parseCipherSuites("TLS_RSA_WITH_AES_128_GCM_SHA256:AES128-GCM-SHA256"), {
    suites: ["AES128-GCM-SHA256"],
  });
});
