import assert from "node:assert/strict";
import { test } from "node:test";
import { createManualClock, type Logger } from "../../kernel/index.ts";
import { Supervisor, type Worker } from "./supervisor.ts";

type Message = "hand-over" | "stop" | "news";

/** A worker that serves, fails and ends when the test says so. */
class FakeWorker implements Worker<Message> {
  readonly pid: number;
  readonly slot: number;
  readonly #ready = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<string>();
  readonly ready = this.#ready.promise;
  readonly ended = this.#ended.promise;
  readonly heard: Message[] = [];
  isKilled = false;

  constructor(pid: number, slot: number) {
    this.pid = pid;
    this.slot = slot;
  }

  send(message: Message): void {
    this.heard.push(message);
  }

  kill(): void {
    this.isKilled = true;
    this.end("SIGKILL");
  }

  serve(): Promise<void> {
    this.#ready.resolve();
    return settled();
  }

  end(how: string): Promise<void> {
    this.#ready.reject(new Error(`ended with ${how}`));
    this.#ended.resolve(how);
    return settled();
  }
}

/** Everything that follows from what has happened has happened too. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

function setUp(slots = 2) {
  const clock = createManualClock();
  const launched: FakeWorker[] = [];
  const vacant: number[] = [];
  const lines: { readonly message: string; readonly [field: string]: unknown }[] = [];
  const say = (fields: object, message: string) => void lines.push({ message, ...fields });
  const log: Logger = { debug: say, info: say, warn: say, error: say, child: () => log };
  const supervisor = new Supervisor<Message, FakeWorker>({
    slots,
    launch(slot) {
      const worker = new FakeWorker(100 + launched.length, slot);
      launched.push(worker);
      return worker;
    },
    onVacant: (slot) => vacant.push(slot),
    handOver: "hand-over",
    handOverLimitMs: 1_000,
    clock,
    log,
  });
  return {
    supervisor,
    clock,
    vacant,
    launched,
    worker: (i: number) => launched[i] as FakeWorker,
    messages: () => lines.map(({ message }) => message),
    line: (message: string) => lines.findLast((line) => line.message === message),
    async start() {
      const starting = supervisor.start();
      for (const worker of launched) await worker.serve();
      await starting;
    },
  };
}

test("starts one worker per slot, at once, and is through when all serve", async () => {
  const { supervisor, launched, worker } = setUp(3);
  let isStarted = false;
  const starting = supervisor.start().then(() => (isStarted = true));
  assert.deepEqual(
    launched.map(({ slot }) => slot),
    [0, 1, 2],
  );
  await worker(0).serve();
  await worker(2).serve();
  assert.equal(isStarted, false);
  await worker(1).serve();
  await starting;
  assert.equal(supervisor.serving.length, 3);
});

test("a worker that cannot start ends the start of all, with its reason, and leaves none", async () => {
  const { supervisor, worker, clock, launched } = setUp(2);
  const starting = supervisor.start();
  const refused = assert.rejects(starting, /ended with code 1/);
  await worker(0).serve();
  await worker(1).end("code 1");
  await refused;
  assert.equal(worker(0).isKilled, true);
  clock.advance(60_000);
  assert.equal(launched.length, 2);
});

test("a worker that ends unasked is vacated at once and replaced after a pause, while the others serve", async () => {
  const { supervisor, worker, clock, vacant, start, line, launched } = setUp(2);
  await start();
  await worker(1).end("SIGSEGV");
  assert.deepEqual(vacant, [1]);
  assert.deepEqual(line("worker-ended"), { message: "worker-ended", worker: 1, pid: 101, ended: "SIGSEGV" });
  assert.equal(supervisor.serving.length, 1);
  clock.advance(99);
  assert.equal(launched.length, 2);
  clock.advance(1);
  assert.equal(worker(2).slot, 1);
  await worker(2).serve();
  assert.equal(supervisor.serving.length, 2);
});

test("pauses double to ten seconds when a worker ends again and again, and it is called a loop", async () => {
  const { clock, start, launched, worker, messages } = setUp(1);
  await start();
  const pauses: number[] = [];
  for (let i = 0; i < 10; i++) {
    await worker(i).end("code 7");
    let pauseMs = 0;
    while (launched.length === i + 1) {
      clock.advance(50);
      pauseMs += 50;
    }
    pauses.push(pauseMs);
    await worker(i + 1).serve();
  }
  assert.deepEqual(pauses, [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000]);
  assert.equal(messages().filter((message) => message === "worker-crash-loop").length, 6);
});

test("a worker that had served for long is replaced after the shortest pause", async () => {
  const { clock, start, worker, launched } = setUp(1);
  await start();
  for (let i = 0; i < 3; i++) {
    await worker(i).end("code 7");
    clock.advance(10_000);
    await worker(i + 1).serve();
  }
  clock.advance(10_000);
  await worker(3).end("code 7");
  clock.advance(100);
  assert.equal(launched.length, 5);
});

test("a replacement that cannot start is tried again", async () => {
  const { supervisor, clock, start, worker, line } = setUp(1);
  await start();
  await worker(0).end("code 7");
  clock.advance(100);
  await worker(1).end("code 1");
  assert.equal(line("worker-not-started")?.["error"], "ended with code 1");
  clock.advance(200);
  await worker(2).serve();
  assert.equal(supervisor.serving.length, 1);
});

test("a restart replaces one worker after the other, each leaving only when its successor serves", async () => {
  const { supervisor, start, worker, launched } = setUp(2);
  await start();
  const restarting = supervisor.restart();
  assert.deepEqual([launched.length, worker(2).slot], [3, 0]);
  assert.deepEqual(worker(0).heard, []);
  await worker(2).serve();
  assert.deepEqual(worker(0).heard, ["hand-over"]);
  assert.deepEqual([worker(3).slot, worker(1).heard], [1, []]);
  await worker(3).serve();
  assert.deepEqual(await restarting, { replaced: 2, problem: null });
  assert.deepEqual(worker(1).heard, ["hand-over"]);
  assert.equal(supervisor.isRestarting, true);
  await worker(0).end("code 0");
  await worker(1).end("code 0");
  assert.equal(supervisor.isRestarting, false);
  assert.deepEqual(supervisor.serving, [worker(2), worker(3)]);
});

test("a restart stops at the first worker that cannot start, and the one before it goes on serving", async () => {
  const { supervisor, start, worker, launched, clock } = setUp(2);
  await start();
  const restarting = supervisor.restart();
  await worker(2).end("code 1");
  const { replaced, problem } = await restarting;
  assert.deepEqual([replaced, problem?.message], [0, "ended with code 1"]);
  assert.deepEqual(supervisor.serving, [worker(0), worker(1)]);
  clock.advance(60_000);
  assert.equal(launched.length, 3);
});

test("a worker that ends while its successor starts leaves its slot to the successor", async () => {
  const { supervisor, start, worker, vacant, clock, launched } = setUp(1);
  await start();
  const restarting = supervisor.restart();
  await worker(0).end("SIGSEGV");
  await worker(1).serve();
  await restarting;
  assert.deepEqual(vacant, []);
  assert.deepEqual(supervisor.serving, [worker(1)]);
  clock.advance(60_000);
  assert.equal(launched.length, 2);
});

test("a slot whose worker ends while its successor cannot start is filled like any other", async () => {
  const { supervisor, start, worker, vacant, clock } = setUp(1);
  await start();
  const restarting = supervisor.restart();
  await worker(0).end("SIGSEGV");
  await worker(1).end("code 1");
  assert.equal((await restarting).replaced, 0);
  assert.deepEqual(vacant, [0]);
  clock.advance(100);
  await worker(2).serve();
  assert.deepEqual(supervisor.serving, [worker(2)]);
});

test("a restart also replaces a worker that was just being started", async () => {
  const { supervisor, start, worker, clock } = setUp(1);
  await start();
  await worker(0).end("SIGSEGV");
  clock.advance(100);
  const restarting = supervisor.restart();
  await worker(1).serve();
  await worker(2).serve();
  assert.deepEqual(await restarting, { replaced: 1, problem: null });
  assert.deepEqual(worker(1).heard, ["hand-over"]);
  assert.deepEqual(supervisor.serving, [worker(2)]);
});

test("a start that fails also gives up a worker that was to come back", async () => {
  const { supervisor, worker, clock, launched } = setUp(2);
  const refused = assert.rejects(supervisor.start(), /ended with code 1/);
  await worker(0).serve();
  await worker(0).end("SIGSEGV");
  await worker(1).end("code 1");
  await refused;
  clock.advance(60_000);
  assert.equal(launched.length, 2);
});

test("one that does not end in time after handing over is killed", async () => {
  const { supervisor, start, worker, clock } = setUp(1);
  await start();
  const restarting = supervisor.restart();
  await worker(1).serve();
  await restarting;
  clock.advance(999);
  assert.equal(worker(0).isKilled, false);
  clock.advance(1);
  await settled();
  assert.equal(worker(0).isKilled, true);
  assert.equal(supervisor.isRestarting, false);
});

test("the end is told to all, also to those that leave, and replaces nobody", async () => {
  const { supervisor, start, worker, clock, launched } = setUp(2);
  await start();
  const restarting = supervisor.restart();
  await worker(2).serve();
  await worker(3).serve();
  await restarting;
  const ending = supervisor.end("stop", 5_000);
  for (const one of launched) assert.equal(one.heard.at(-1), "stop");
  for (const one of [0, 1, 2]) await worker(one).end("code 0");
  clock.advance(5_000);
  await ending;
  assert.deepEqual(
    launched.map(({ isKilled }) => isKilled),
    [false, false, false, true],
  );
  clock.advance(60_000);
  assert.equal(launched.length, 4);
});

test("news reach those that serve and those that start, not those that leave", async () => {
  const { supervisor, start, worker } = setUp(2);
  await start();
  const restarting = supervisor.restart();
  await worker(2).serve();
  supervisor.tell("news");
  assert.deepEqual(
    [0, 1, 2, 3].map((i) => worker(i).heard.includes("news")),
    [false, true, true, true],
  );
  await worker(3).serve();
  await restarting;
});
