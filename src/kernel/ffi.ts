/**
 * `node:ffi`, by which functions of the process are called that Node has no names for: `ring/` calls the system,
 * `openssl/` what Node itself is linked with.
 */
import type * as Ffi from "node:ffi";

/**
 * Without the warning that it is experimental: who runs a role cannot act on it, and there is a way without it.
 * @throws Error where this Node has none
 */
export function loadFfi(): typeof Ffi {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    const ffi: typeof Ffi | undefined = process.getBuiltinModule("node:ffi");
    if (ffi === undefined) throw new Error("this Node has no node:ffi");
    return ffi;
  } finally {
    process.emitWarning = emitWarning;
  }
}
