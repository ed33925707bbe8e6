export {
  NOTHING_YET,
  RECEIVE_BYTES,
  type RingListener,
  type RingSocket,
  type SocketRing,
} from "./socket-ring.ts";
export type { Acceptor, AcceptListener } from "./acceptor.ts";
export type { SocketAddress } from "./descriptors.ts";
export { openSocketRing, type RingOrReason } from "./open.ts";
