import { OpenSsl } from "./library.ts";

/** OpenSSL, or why it cannot be called: a sentence for the log. */
export type OpenSslOrReason =
  | { readonly openssl: OpenSsl }
  | { readonly openssl: null; readonly reason: string };

let opened: OpenSslOrReason | null = null;

/** That of this thread. */
export function openOpenSsl(): OpenSslOrReason {
  opened ??= open();
  return opened;
}

function open(): OpenSslOrReason {
  const version = process.versions.openssl;
  // Numbers and names are those of this one; its ABI stays within it.
  if (!version.startsWith("3.")) return { openssl: null, reason: `Node has OpenSSL ${version}, not 3` };
  try {
    return { openssl: new OpenSsl() };
  } catch (error) {
    return { openssl: null, reason: error instanceof Error ? error.message : String(error) };
  }
}
