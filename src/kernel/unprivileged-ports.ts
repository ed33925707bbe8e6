/** Ports that a program without special rights may listen on, as apps are. */
export const UNPRIVILEGED_PORTS = Object.freeze({ first: 1024, last: 65_535 });

export const isUnprivilegedPort = (port: unknown): port is number =>
  typeof port === "number" &&
  Number.isInteger(port) &&
  port >= UNPRIVILEGED_PORTS.first &&
  port <= UNPRIVILEGED_PORTS.last;
