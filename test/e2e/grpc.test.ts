/**
 * gRPC through the router, with its framing written by hand over node:http2 on both sides: every kind of call, statuses
 * in trailers and in a head alone, deadlines and cancelling.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import type {
  ClientHttp2Session,
  ClientHttp2Stream,
  IncomingHttpHeaders,
  ServerHttp2Stream,
} from "node:http2";
import type { TestContext } from "node:test";
import { HOST, openSession, startHttp2Endpoint, startHttp2Router } from "../wire/http2-support.ts";
import { deadPort, script } from "../wire/support.ts";

/** Length-prefixed messages: a flag for compression, four bytes of length, the message. */
function frame(message: string): Buffer {
  const bytes = Buffer.from(message);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}

/** @returns the messages of a stream, more of them as they become complete */
function readMessages(
  stream: ClientHttp2Stream | ServerHttp2Stream,
  onMessage: (message: string) => void = () => {},
): readonly string[] {
  const messages: string[] = [];
  let held = Buffer.alloc(0);
  stream.on("data", (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    while (held.length >= 5) {
      const size = held.readUInt32BE(1);
      if (held.length < 5 + size) return;
      const message = held.toString("utf8", 5, 5 + size);
      held = held.subarray(5 + size);
      messages.push(message);
      onMessage(message);
    }
  });
  return messages;
}

function endWith(stream: ServerHttp2Stream, status: number, message = ""): void {
  stream.on("wantTrailers", () =>
    stream.sendTrailers({ "grpc-status": String(status), "grpc-message": message }),
  );
  stream.end();
}

const answer = (stream: ServerHttp2Stream) =>
  stream.respond({ ":status": 200, "content-type": "application/grpc+proto" }, { waitForTrailers: true });

/** What each method of the service does. */
const SERVICE: Readonly<Record<string, (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void>> = {
  "/shop.Cart/Get": (stream) => {
    const all = readMessages(stream);
    stream.on("end", () => {
      answer(stream);
      stream.write(frame(`got ${all.join()}`));
      endWith(stream, 0);
    });
  },
  "/shop.Cart/List": (stream) => {
    stream.resume();
    answer(stream);
    for (const item of ["one", "two", "three"]) stream.write(frame(item));
    endWith(stream, 0);
  },
  "/shop.Cart/Fill": (stream) => {
    const all = readMessages(stream);
    stream.on("end", () => {
      answer(stream);
      stream.write(frame(`${all.length} items`));
      endWith(stream, 0);
    });
  },
  "/shop.Cart/Chat": (stream) => {
    answer(stream);
    readMessages(stream, (message) => stream.write(frame(`re: ${message}`)));
    stream.on("end", () => endWith(stream, 0));
  },
  "/shop.Cart/Denied": (stream) => {
    stream.resume();
    // Trailers-Only: one header block that ends the stream.
    stream.respond(
      { ":status": 200, "content-type": "application/grpc", "grpc-status": "7", "grpc-message": "no" },
      { endStream: true },
    );
  },
  "/shop.Cart/Headers": (stream, headers) => {
    stream.resume();
    answer(stream);
    stream.write(frame(`${headers.te} ${headers["content-type"]} ${headers["grpc-timeout"]}`));
    endWith(stream, 0);
  },
  "/shop.Cart/Broken": (stream) => {
    answer(stream);
    stream.write(frame("half"), () => stream.close(2));
  },
};

async function start(t: TestContext) {
  const router = await startHttp2Router(t);
  if (router === null) return null;
  const cancelled: number[] = [];
  const waiting: ServerHttp2Stream[] = [];
  const endpoint = await startHttp2Endpoint(t, (stream, headers) => {
    const method = SERVICE[headers[":path"] ?? ""];
    if (method !== undefined) method(stream, headers);
    else {
      waiting.push(stream);
      stream.on("close", () => cancelled.push(stream.rstCode));
    }
  });
  router.map({ uri: HOST, ports: [endpoint.port], endpoint: { protocol: "http2" } });
  return { router, endpoint, session: openSession(t, router), cancelled, waiting };
}

function call(session: ClientHttp2Session, method: string, headers: Record<string, string> = {}) {
  const stream = session.request({
    ":authority": HOST,
    ":method": "POST",
    ":path": `/shop.Cart/${method}`,
    "content-type": "application/grpc+proto",
    te: "trailers",
    ...headers,
  });
  stream.on("error", () => {});
  let head: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders = {};
  stream.on("response", (given) => (head = given));
  stream.on("trailers", (given) => (trailers = given));
  const messages = readMessages(stream);
  const ended = async () => {
    await new Promise((resolve) => stream.once("close", resolve));
    return {
      messages,
      httpStatus: head[":status"] as unknown,
      status: trailers["grpc-status"] ?? head["grpc-status"],
      isHeadOnly: head["grpc-status"] !== undefined,
      code: stream.rstCode,
    };
  };
  return { stream, messages, ended };
}

const GOOD = { httpStatus: 200, status: "0", isHeadOnly: false, code: 0 };

for (const { name, method, sent, messages } of [
  { name: "a unary call", method: "Get", sent: ["milk"], messages: ["got milk"] },
  { name: "a stream from the server", method: "List", sent: ["all"], messages: ["one", "two", "three"] },
  { name: "a stream from the client", method: "Fill", sent: ["a", "b", "c"], messages: ["3 items"] },
]) {
  script(`${name} has its messages and its status`, async (t) => {
    const started = await start(t);
    if (started === null) return;
    const { stream, ended } = call(started.session, method);
    for (const message of sent) stream.write(frame(message));
    stream.end();
    assert.deepEqual(await ended(), { ...GOOD, messages });
    assert.match(
      started.router.accessLog()[0] ?? "",
      new RegExp(`"POST /shop.Cart/${method} HTTP/2.0" 200 `),
    );
  });
}

script("both sides of a call speak in turns, each message as soon as it is said", async (t) => {
  const started = await start(t);
  if (started === null) return;
  const { stream, messages, ended } = call(started.session, "Chat");
  for (const [i, word] of ["hello", "how are you", "bye"].entries()) {
    stream.write(frame(word));
    await started.router.eventually(() => messages.length === i + 1);
  }
  stream.end();
  assert.deepEqual(await ended(), { ...GOOD, messages: ["re: hello", "re: how are you", "re: bye"] });
});

script("an answer of trailers only stays one block that ends the stream", async (t) => {
  const started = await start(t);
  if (started === null) return;
  const { stream, ended } = call(started.session, "Denied");
  let dataEvents = 0;
  stream.on("data", () => dataEvents++);
  stream.end(frame("please"));
  const [, flags] = (await once(stream, "response")) as [IncomingHttpHeaders, number];
  assert.equal(flags & 1, 1, "END_STREAM is on the head");
  assert.deepEqual(await ended(), { ...GOOD, messages: [], status: "7", isHeadOnly: true });
  assert.equal(dataEvents, 0);
});

script("te, the content type and the deadline reach the service", async (t) => {
  const started = await start(t);
  if (started === null) return;
  const { stream, ended } = call(started.session, "Headers", { "grpc-timeout": "5S" });
  stream.end(frame(""));
  assert.deepEqual((await ended()).messages, ["trailers application/grpc+proto 5S"]);
});

script("a client that cancels at its deadline cancels the call at the service", async (t) => {
  const started = await start(t);
  if (started === null) return;
  const { stream } = call(started.session, "Never");
  stream.write(frame("waiting"));
  await started.router.eventually(() => started.waiting.length === 1);
  stream.close(8);
  await started.router.eventually(() => started.cancelled.length === 1);
  assert.deepEqual(started.cancelled, [8]);
  assert.match(started.router.accessLog()[0] ?? "", / 499 /);
});

script("a call that the service breaks off ends without a status, by a reset", async (t) => {
  const started = await start(t);
  if (started === null) return;
  const { stream, ended } = call(started.session, "Broken");
  stream.end(frame("x"));
  const { status, code } = await ended();
  assert.deepEqual([status, code], [undefined, 2]);
});

script("an error of ours is plain HTTP, which clients of gRPC turn into a status", async (t) => {
  const router = await startHttp2Router(t, {
    routes: [{ uri: HOST, ports: [await deadPort()], endpoint: { protocol: "http2" } }],
  });
  if (router === null) return;
  const { stream, ended } = call(openSession(t, router), "Get");
  stream.end(frame("milk"));
  const { httpStatus, status } = await ended();
  assert.deepEqual([httpStatus, status], [502, undefined]);
});

script("many calls share one session on each side", async (t) => {
  const started = await start(t);
  if (started === null) return;
  const calls = Array.from({ length: 50 }, (_, i) => {
    const { stream, ended } = call(started.session, "Get");
    stream.end(frame(String(i)));
    return ended();
  });
  for (const [i, each] of (await Promise.all(calls)).entries()) {
    assert.deepEqual(each, { ...GOOD, messages: [`got ${i}`] });
  }
  assert.equal(started.endpoint.sessions.length, 1);
  assert.equal(started.router.router.counters.activeConnections, 1);
});
