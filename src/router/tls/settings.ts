/** The TLS listener in `viaduct.yml`: certificate and key are files. */
import { readFileSync } from "node:fs";
import { configInvalid } from "../../kernel/errors/config.ts";
import { type ConfigOf, type Section, setting } from "../../kernel/index.ts";
import { CLIENT_CERT_MODES } from "../xfcc.ts";
import { checkKeyPair } from "./key-pair.ts";
import { CLIENT_CERTIFICATE_MODES, type TlsListenerConfig } from "./listener-config.ts";

export const tlsSettings = {
  tlsPort: setting.port({ key: "tls_port", default: 0, describe: "Port for TLS; 0 has no TLS listener." }),
  tlsCertificate: setting.string({
    key: "tls_certificate",
    default: "",
    describe: "File with the certificate of the TLS listener and those above it, in PEM.",
  }),
  tlsKey: setting.string({ key: "tls_key", default: "", describe: "File with its private key, in PEM." }),
  tlsClientCertificates: setting.oneOf({
    key: "tls_client_certificates",
    default: "none",
    values: CLIENT_CERTIFICATE_MODES,
    describe: "Whether TLS clients are asked for a certificate; one that is given must be good.",
  }),
  tlsClientCa: setting.string({
    key: "tls_client_ca",
    default: "",
    describe: "File with the authorities of clients' certificates, in PEM; empty trusts the system's.",
  }),
  acceptsProxyHeader: setting.boolean({
    key: "proxy_protocol",
    default: false,
    describe: "Connections may begin with a PROXY protocol header, version 1 or 2, on both listeners.",
  }),
  forwardedClientCert: setting.oneOf({
    key: "forwarded_client_cert",
    default: "always_forward",
    values: CLIENT_CERT_MODES,
    describe:
      "X-Forwarded-Client-Cert: always_forward keeps what was sent, forward does so for clients with a certificate, sanitize_set writes the client's own.",
  }),
};

/**
 * Null when `tls_port` is 0; then no file is read.
 * @throws configInvalid
 */
export function tlsListenerFrom(given: ConfigOf<Section<typeof tlsSettings>>): TlsListenerConfig | null {
  if (given.tlsPort === 0) return null;
  const problems: string[] = [];
  const read = (key: string, path: string): string => {
    try {
      if (path !== "") return readFileSync(path, "utf8");
      problems.push(`router.${key}: is missing; router.tls_port needs it`);
    } catch (error) {
      problems.push(`router.${key}: ${(error as Error).message}`);
    }
    return "";
  };
  const pair = {
    certificate: read("tls_certificate", given.tlsCertificate),
    key: read("tls_key", given.tlsKey),
  };
  const clientCa = given.tlsClientCa === "" ? "" : read("tls_client_ca", given.tlsClientCa);
  if (problems.length === 0) {
    checkKeyPair(pair.certificate, pair.key, (reason) =>
      problems.push(`router.tls_certificate: does not go with router.tls_key: ${reason}`),
    );
  }
  if (problems.length > 0) throw configInvalid({ problems });
  return {
    port: given.tlsPort,
    portSetting: "router.tls_port",
    certificates: [pair],
    cipherSuites: [],
    minVersion: "TLSv1.2",
    maxVersion: "TLSv1.3",
    clientCertificates: given.tlsClientCertificates,
    clientAuthorities: [clientCa],
    trustsSystemAuthorities: clientCa === "",
    certificateRules: [],
  };
}
