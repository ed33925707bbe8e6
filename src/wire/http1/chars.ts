/** Which bytes may stand where (RFC 9110 §5.6.2, §5.5; RFC 9112 §3.2). One table, one bit per class. */

export const TOKEN = 1;
/** Field values and reason phrases: visible ASCII, space, tab, and bytes from 0x80 (obs-text). */
export const VALUE = 2;
/**
 * Request targets: visible ASCII and bytes from 0x80, as browsers send them raw, but no «#»: a fragment never
 * belongs on the wire, and servers disagree about what follows it.
 */
export const TARGET = 4;
/** Host header: reg-name, IP literal, port; no «@», no «/», no comma. */
export const HOST = 8;
export const DIGIT = 16;

export const CLASS = new Uint8Array(256);

for (let code = 0; code < 256; code++) {
  const char = String.fromCharCode(code);
  let classes = 0;
  if (/[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(char)) classes |= TOKEN;
  if (code === 9 || (code >= 0x20 && code !== 0x7f)) classes |= VALUE;
  if (code > 0x20 && code !== 0x7f && char !== "#") classes |= TARGET;
  if (/[!$%&'()*+\-.:;=[\]_~0-9A-Za-z]/.test(char)) classes |= HOST;
  if (/[0-9]/.test(char)) classes |= DIGIT;
  CLASS[code] = classes;
}

export const HTAB = 9;
export const LF = 10;
export const CR = 13;
export const SP = 32;
export const SLASH = 47;
export const COLON = 58;
