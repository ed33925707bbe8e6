/**
 * Numbers of Linux's io_uring, from `linux/io_uring.h`: they are part of the kernel's interface and never change. The
 * system call numbers are the same on x86-64 and arm64.
 */
export const SYS_SETUP = 425;
export const SYS_ENTER = 426;
export const SYS_REGISTER = 427;

// === io_uring_setup ===
/** The completion queue has the size that is asked for. */
export const SETUP_CQSIZE = 1 << 3;
/** One bad entry does not keep those behind it from being submitted. */
export const SETUP_SUBMIT_ALL = 1 << 7;
/** No interrupt of the running code when something completes. */
export const SETUP_COOP_TASKRUN = 1 << 8;
/** A flag in the submission ring says that completions wait to be made. */
export const SETUP_TASKRUN_FLAG = 1 << 9;
export const SETUP_SINGLE_ISSUER = 1 << 12;
/** Completions are made when they are asked for, all together. Linux 6.1. */
export const SETUP_DEFER_TASKRUN = 1 << 13;
/** Entries are submitted in their order, without a table of indices. Linux 6.6. */
export const SETUP_NO_SQARRAY = 1 << 16;

/** Byte offsets in `struct io_uring_params`. */
export const PARAMS_BYTES = 120;
export const PARAMS = {
  sqEntries: 0,
  cqEntries: 4,
  flags: 8,
  features: 20,
  sqHead: 40,
  sqTail: 44,
  sqFlags: 56,
  cqHead: 80,
  cqTail: 84,
  cqCqes: 100,
  cqFlags: 104,
} as const;
/** Both rings are one mapping. */
export const FEATURE_SINGLE_MMAP = 1 << 0;
export const OFFSET_SQ_RING = 0n;
export const OFFSET_SQES = 0x10000000n;

// === io_uring_enter ===
export const ENTER_GETEVENTS = 1 << 0;
/** In the flags of the submission ring: completions wait to be made. */
export const SQ_TASKRUN = 1 << 2;
/** The same: the completion queue was full, and the rest waits in the kernel. */
export const SQ_CQ_OVERFLOW = 1 << 1;
/** In the flags of the completion ring: nobody wants to be woken now. */
export const CQ_EVENTFD_DISABLED = 1 << 0;

// === io_uring_register ===
export const REGISTER_EVENTFD = 4;
export const REGISTER_PBUF_RING = 22;

// === entries ===
export const SQE_BYTES = 64;
export const CQE_BYTES = 16;
export const OP_POLL_ADD = 6;
export const OP_ACCEPT = 13;
export const OP_ASYNC_CANCEL = 14;
export const OP_CLOSE = 19;
export const OP_SEND = 26;
export const OP_RECV = 27;
/** No completion unless it fails. */
export const SQE_CQE_SKIP_SUCCESS = 1 << 6;
/** The kernel takes a buffer from the group when there are bytes for it. */
export const SQE_BUFFER_SELECT = 1 << 5;
/** No attempt before there is something. */
export const RECV_POLL_FIRST = 1 << 0;
/** It goes on until it fails. */
export const ACCEPT_MULTISHOT = 1 << 0;
export const CQE_BUFFER_SHIFT = 16;
export const CQE_HAS_BUFFER = 1 << 0;
/** The same entry will have more completions. */
export const CQE_MORE = 1 << 1;

// === elsewhere in the system ===
export const MSG_DONTWAIT = 0x40;
/** Of a send in the ring: less than all is a failure, whose result says how much it was. */
export const MSG_WAITALL = 0x100;
export const MSG_NOSIGNAL = 0x4000;
/** Something follows at once, and may share its packet. */
export const MSG_MORE = 0x8000;
export const POLLIN = 1;
export const POLLOUT = 4;
export const F_DUPFD_CLOEXEC = 1030;
export const F_SETPIPE_SZ = 1031;
export const O_NONBLOCK = 0o4000;
export const SPLICE_F_MOVE = 1;
export const SPLICE_F_NONBLOCK = 2;
export const PROT_READ_WRITE = 3;
export const MAP_SHARED = 1;
export const MAP_PRIVATE_ANONYMOUS = 0x22;
export const EFD_NONBLOCK = 0o4000;
export const O_CLOEXEC = 0o2000000;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const SHUT_WR = 1;
export const SOL_SOCKET = 1;
export const SO_LINGER = 13;
/** Of `struct linger`: on, and for no time, so that closing resets. */
export const RESETTING_LINGER: readonly number[] = [1, 0];
export const IPPROTO_TCP = 6;
export const TCP_NODELAY = 1;
export const TCP_NOTSENT_LOWAT = 25;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const EINTR = 4;
export const EAGAIN = 11;
export const EBUSY = 16;
export const ECONNABORTED = 103;
export const ENOBUFS = 105;
export const ECANCELED = 125;
