/** What a TLS listener is told. Checked before: every certificate fits its key, every suite is known. */
import type { SecureVersion } from "node:tls";

/** Whether clients are asked for a certificate; one that is given is verified in any case. */
export const CLIENT_CERTIFICATE_MODES = ["none", "request", "require"] as const;
export type ClientCertificateMode = (typeof CLIENT_CERTIFICATE_MODES)[number];

/** PEM texts. */
export interface KeyPair {
  /** The certificate, and those between it and its authority. */
  readonly certificate: string;
  readonly key: string;
}

/** Attributes of a distinguished name under OpenSSL's short names (`CN`, `O`, …), values sorted. */
export type Subject = Readonly<Record<string, readonly string[]>>;

/** Certificates that chain to an authority of this name must have one of these names. */
export interface CertificateRule {
  readonly authority: Subject;
  readonly subjects: readonly Subject[];
}

export interface TlsListenerConfig {
  readonly port: number;
  /** Name of the setting that holds the port, for the message when it is taken. */
  readonly portSetting: string;
  /** Chosen by server name; the first one when none fits. Never empty. */
  readonly certificates: readonly KeyPair[];
  /** OpenSSL's names; empty leaves the choice to the runtime. */
  readonly cipherSuites: readonly string[];
  readonly minVersion: SecureVersion;
  readonly maxVersion: SecureVersion;
  readonly clientCertificates: ClientCertificateMode;
  /** PEM texts of the authorities of clients' certificates. */
  readonly clientAuthorities: readonly string[];
  /** Besides those: the authorities that this machine trusts. */
  readonly trustsSystemAuthorities: boolean;
  readonly certificateRules: readonly CertificateRule[];
}
