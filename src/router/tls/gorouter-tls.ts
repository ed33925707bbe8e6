/** The TLS listener in a gorouter configuration file, with gorouter's own sentences for what is wrong. */
import { X509Certificate } from "node:crypto";
import type { SecureVersion } from "node:tls";
import type { GorouterFile } from "../gorouter-config.ts";
import { type Kind, listOf } from "../gorouter-values.ts";
import { splitPem } from "./authorities.ts";
import { parseCipherSuites } from "./cipher-suites.ts";
import { checkKeyPair } from "./key-pair.ts";
import { isSame, showSubject, subjectOf } from "./client-certificates.ts";
import {
  type CertificateRule,
  CLIENT_CERTIFICATE_MODES,
  type KeyPair,
  type Subject,
  type TlsListenerConfig,
} from "./listener-config.ts";

const MIN_VERSIONS: Readonly<Record<string, SecureVersion>> = {
  "": "TLSv1.2",
  "TLSv1.3": "TLSv1.3",
  "TLSv1.2": "TLSv1.2",
  "TLSv1.1": "TLSv1.1",
  "TLSv1.0": "TLSv1",
};
const MAX_VERSIONS: Readonly<Record<string, SecureVersion>> = {
  "": "TLSv1.2",
  "TLSv1.3": "TLSv1.3",
  "TLSv1.2": "TLSv1.2",
};

// === kinds of values ===

const isText = (value: unknown): value is string => typeof value === "string";

/** Empty texts are refused where TLS is on, with gorouter's sentence. */
export const keyPairs: Kind<readonly KeyPair[]> = listOf(
  "list of {cert_chain, private_key}",
  ({ cert_chain: certificate = "", private_key: key = "" }) =>
    isText(certificate) && isText(key) ? { certificate, key } : "cert_chain and private_key are PEM texts",
);

/** gorouter's names of the attributes of a distinguished name, and OpenSSL's. */
const ATTRIBUTES: Readonly<Record<string, string>> = {
  country: "C",
  organization: "O",
  organizational_unit: "OU",
  common_name: "CN",
  serial_number: "serialNumber",
  locality: "L",
  province: "ST",
  street_address: "street",
  postal_code: "postalCode",
};

export const certificateRules: Kind<readonly CertificateRule[]> = listOf(
  "list of {issuer_in_chain, valid_cert_subjects}",
  ({ issuer_in_chain: authority, valid_cert_subjects: subjects = [] }) => {
    const read = readSubject(authority);
    if (isText(read)) return `issuer_in_chain ${read}`;
    if (!Array.isArray(subjects)) return "valid_cert_subjects is not a list of subjects";
    const valid: Subject[] = [];
    for (const given of subjects as unknown[]) {
      const subject = readSubject(given);
      if (isText(subject)) return `valid_cert_subjects ${subject}`;
      valid.push(subject);
    }
    return { authority: read, subjects: valid };
  },
);

/** A subject, or what is wrong with it. */
function readSubject(given: unknown): Subject | string {
  if (typeof given !== "object" || given === null || Array.isArray(given))
    return "is not a map of attributes";
  const subject: Record<string, readonly string[]> = {};
  for (const [name, value] of Object.entries(given)) {
    const attribute = ATTRIBUTES[name];
    if (attribute === undefined) return `has ${name}, which is none of ${Object.keys(ATTRIBUTES).join(", ")}`;
    const values: unknown[] = [value ?? []].flat();
    if (!values.every(isText)) return `has ${name} that is neither text nor a list of texts`;
    const texts = values.filter((text) => text !== "");
    if (texts.length > 0) subject[attribute] = texts.toSorted();
  }
  return subject;
}

// === the listener ===

/** Null when `enable_ssl` is off; then nothing of it is checked, as in gorouter. */
export function mapTlsListener(file: GorouterFile): TlsListenerConfig | null {
  const { get, problem } = file;
  if (!get("enable_ssl")) return null;

  const certificates = get("tls_pem");
  if (certificates.length === 0) {
    problem("tls_pem", "router.tls_pem must be provided if router.enable_ssl is set to true");
  }
  for (const [i, { certificate, key }] of certificates.entries()) {
    if (certificate === "" || key === "") {
      problem("tls_pem", "Error parsing PEM blocks of router.tls_pem, missing cert or key.");
    } else
      checkKeyPair(certificate, key, (reason) =>
        problem("tls_pem", `Error loading key pair: tls_pem[${i}]: ${reason}`),
      );
  }

  const minVersion = MIN_VERSIONS[get("min_tls_version")];
  const maxVersion = MAX_VERSIONS[get("max_tls_version")];
  if (minVersion === undefined) {
    problem(
      "min_tls_version",
      'router.min_tls_version should be one of "", "TLSv1.3", "TLSv1.2", "TLSv1.1", "TLSv1.0"',
    );
  }
  if (maxVersion === undefined) {
    problem("max_tls_version", 'router.max_tls_version should be one of "TLSv1.2" or "TLSv1.3"');
  }
  if (minVersion === "TLSv1.3" && maxVersion === "TLSv1.2") {
    problem("max_tls_version", "TLSv1.2 is below min_tls_version TLSv1.3, so that no client could connect");
  }

  return {
    port: get("ssl_port"),
    portSetting: "ssl_port",
    certificates,
    cipherSuites: cipherSuites(file),
    minVersion: minVersion ?? "TLSv1.2",
    maxVersion: maxVersion ?? "TLSv1.2",
    ...mapClientCertificates(file),
  };
}

function cipherSuites({ get, problem }: GorouterFile): readonly string[] {
  const list = get("cipher_suites");
  if (list === "") {
    problem("cipher_suites", "must specify list of cipher suite when ssl is enabled");
    return [];
  }
  const parsed = parseCipherSuites(list);
  if ("suites" in parsed) return parsed.suites;
  problem("cipher_suites", parsed.problem);
  return [];
}

function mapClientCertificates({ get, problem }: GorouterFile) {
  const mode = CLIENT_CERTIFICATE_MODES.find((known) => known === get("client_cert_validation"));
  if (mode === undefined) {
    problem(
      "client_cert_validation",
      "router.client_cert_validation must be one of 'none', 'request' or 'require'.",
    );
  }
  const own = get("client_ca_certs");
  const isAlone = get("only_trust_client_ca_certs");
  if (isAlone && own === "" && (mode === "request" || mode === "require")) {
    problem(
      "client_ca_certs",
      "router.client_ca_certs cannot be empty if router.only_trust_client_ca_certs is 'true' and router.client_cert_validation is set to 'request' or 'require'.",
    );
  }
  const clientAuthorities = isAlone ? [own] : [own, ...get("ca_certs")];
  const authorities = readCertificates(splitPem([own]), (reason) =>
    problem("client_ca_certs", `holds something that is no certificate: ${reason}`),
  );
  if (own.trim() !== "" && authorities.length === 0) problem("client_ca_certs", "holds no certificate");

  const rules = get("enable_verify_client_certificate_metadata")
    ? get("verify_client_certificate_metadata")
    : [];
  for (const { authority } of rules) {
    if (authorities.some((certificate) => isSame(subjectOf(certificate), authority))) continue;
    problem(
      "verify_client_certificate_metadata",
      `no CA certificate found for rule with ca subject ${showSubject(authority)}`,
    );
  }
  return {
    clientCertificates: mode ?? "none",
    clientAuthorities,
    trustsSystemAuthorities: !isAlone,
    certificateRules: rules,
  } as const;
}

function readCertificates(pems: readonly string[], onProblem: (reason: string) => void): X509Certificate[] {
  const certificates: X509Certificate[] = [];
  for (const pem of pems) {
    try {
      certificates.push(new X509Certificate(pem));
    } catch (error) {
      onProblem((error as Error).message);
    }
  }
  return certificates;
}
