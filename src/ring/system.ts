/** The system calls that Node has no names for, by `node:ffi`. */
import type * as Ffi from "node:ffi";
import { loadFfi } from "../kernel/index.ts";

const SIGNATURES = {
  // The number, and what the call behind it takes; six are enough for all of them.
  syscall: { arguments: ["i64", "i64", "i64", "i64", "i64", "i64", "i64"], return: "i64" },
  mmap: { arguments: ["pointer", "u64", "i32", "i32", "i32", "i64"], return: "pointer" },
  pipe2: { arguments: ["pointer", "i32"], return: "i32" },
  dup3: { arguments: ["i32", "i32", "i32"], return: "i32" },
  eventfd: { arguments: ["u32", "i32"], return: "i32" },
  read: { arguments: ["i32", "pointer", "u32"], return: "i32" },
  splice: { arguments: ["i32", "pointer", "i32", "pointer", "u32", "u32"], return: "i32" },
  fcntl: { arguments: ["i32", "i32", "i32"], return: "i32" },
  close: { arguments: ["i32"], return: "i32" },
  recv: { arguments: ["i32", "pointer", "u32", "i32"], return: "i32" },
  send: { arguments: ["i32", "pointer", "u32", "i32"], return: "i32" },
  listen: { arguments: ["i32", "i32"], return: "i32" },
  accept4: { arguments: ["i32", "pointer", "pointer", "i32"], return: "i32" },
  getpeername: { arguments: ["i32", "pointer", "pointer"], return: "i32" },
  getsockname: { arguments: ["i32", "pointer", "pointer"], return: "i32" },
  setsockopt: { arguments: ["i32", "i32", "i32", "pointer", "u32"], return: "i32" },
  inet_ntop: { arguments: ["i32", "pointer", "pointer", "u32"], return: "pointer" },
  if_indextoname: { arguments: ["u32", "pointer"], return: "pointer" },
  shutdown: { arguments: ["i32", "i32"], return: "i32" },
  __errno_location: { arguments: [], return: "pointer" },
} as const;
/** `syscall` again, with arguments that cost no `bigint`: it is what is called all the time. */
const ENTER_SIGNATURE = {
  syscall: { arguments: ["i32", "i32", "u32", "u32", "u32", "pointer"], return: "i32" },
} as const;

type Calls = Ffi.DynamicLibraryResult<typeof SIGNATURES>["functions"];

export interface System {
  readonly ffi: typeof Ffi;
  readonly calls: Calls;
  readonly enter: Ffi.DynamicLibraryResult<typeof ENTER_SIGNATURE>["functions"]["syscall"];
  /** Of the last call, which returned -1. */
  errno(): number;
}

/** @throws what `node:ffi` says where there is none of it, or no such functions */
export function openSystem(): System {
  const ffi = loadFfi();
  // The process itself: whatever C library Node runs on has these, under any file name.
  const { functions: calls } = ffi.dlopen(null, SIGNATURES);
  const { functions } = ffi.dlopen(null, ENTER_SIGNATURE);
  return {
    ffi,
    calls,
    enter: functions.syscall,
    errno: () => ffi.getInt32(calls.__errno_location()),
  };
}
