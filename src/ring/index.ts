export { RECEIVE_BYTES, type RingListener, type RingSocket, type SocketRing } from "./socket-ring.ts";
export { openSocketRing, type RingOrReason } from "./open.ts";
