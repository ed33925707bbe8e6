/**
 * The same scripts over Node's sockets alone, as where there is no io_uring: those about bodies, ends and limits, which
 * is what the two ways could differ in, and all about clients on TLS, whom Node's TLS sockets serve then.
 */
process.env.VIADUCT_TEST_IO_URING = "off";

await import("./bodies.test.ts");
await import("./client-abort.test.ts");
await import("./http2-client.test.ts");
await import("./keep-alive.test.ts");
await import("./large-bodies.test.ts");
await import("./killed-endpoint.test.ts");
await import("./timeouts.test.ts");
await import("./tls-listener.test.ts");
await import("./upgrade.test.ts");
