import assert from "node:assert/strict";
import { test } from "node:test";
import { newGuid } from "../kernel/index.ts";
import { DESCENDANTS, openFifo, withDescendants } from "./testing.ts";
import { startWatchedProcess, type WatchedProcess } from "./watched-process.ts";

function run(command: string, environment: Record<string, string> = {}) {
  const exit = Promise.withResolvers<number | null>();
  const gone = Promise.withResolvers<string>();
  let output = "";
  const watched = startWatchedProcess(
    {
      command,
      directory: "/",
      environment: { PATH: process.env["PATH"] ?? "", ...environment },
      instanceGuid: newGuid(),
    },
    {
      onExit: exit.resolve,
      onGone: () => gone.resolve(output),
      onFailure: (reason) => exit.reject(new Error(reason)),
    },
  ) as WatchedProcess;
  const firstOutput = new Promise<void>((resolve) => watched.stdout.once("data", () => resolve()));
  for (const stream of [watched.stdout, watched.stderr]) {
    stream.on("data", (bytes: Buffer) => {
      output += bytes.toString();
    });
  }
  return { watched, exit: exit.promise, gone: gone.promise, firstOutput };
}

for (const { name, command, code, output } of [
  { name: "success", command: "true", code: 0, output: "" },
  { name: "a failure", command: "echo out; echo err >&2; exit 3", code: 3, output: "out\nerr\n" },
  { name: "a signal", command: "kill -9 $$", code: 137, output: "" },
  { name: "an unknown command", command: "exec /no/such/program 2>/dev/null", code: 127, output: "" },
]) {
  test(`the exit code is reported: ${name}`, async () => {
    const { exit, gone } = run(command);
    assert.equal(await exit, code);
    assert.equal(await gone, output);
  });
}

test("the command has no input, none of our descriptors, and its signals as a shell would leave them", async () => {
  const { gone } = run("cat; for fd in 3 4 5; do (: <&$fd) 2>/dev/null && echo $fd is open; done; trap");
  assert.equal(await gone, "");
  const { watched, exit, firstOutput } = run("echo up; exec sleep 1000");
  await firstOutput;
  watched.terminate();
  assert.equal(await exit, 143);
});

test("the watcher survives SIGTERM to the group and reports how the command took it", async () => {
  const { watched, exit, firstOutput } = run('trap "exit 5" TERM; echo up; while :; do sleep 0.01; done');
  await firstOutput;
  watched.terminate();
  assert.equal(await exit, 5);
});

test("whatever the command leaves behind dies when the command exits", async (t) => {
  const fifo = await openFifo(t);
  const { exit } = run(`${withDescendants(fifo.path)} exit 7`);
  assert.equal(await exit, 7);
  await fifo.ended();
});

test("killing takes everything, also what ignores SIGTERM and what left the group", async (t) => {
  const fifo = await openFifo(t);
  const { watched, gone } = run(`${withDescendants(fifo.path)} trap "" TERM; wait`);
  const up = new Set<string>();
  while (up.size < DESCENDANTS.length) up.add(await fifo.line());
  watched.kill();
  await fifo.ended();
  await gone;
});

test("an environment no process can have is thrown, not crashed on", () => {
  assert.throws(() => run("true", { HUGE: "x".repeat(10_000_000) }), /E2BIG/);
});
