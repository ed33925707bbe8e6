/**
 * Zip archives as uploads carry them: the directory of an archive, checked before anything is unpacked.
 * Not here: files, and inflating (`cloud-controller/bits/`).
 */
export { dataOffset, findEnd, isInside, LOCAL_BYTES, MAX_END_BYTES, readDirectory } from "./directory.ts";
export type { ZipEnd, ZipEntry, ZipLimits } from "./directory.ts";
