import assert from "node:assert/strict";
import { test } from "node:test";
import { sumEnded, sumMetrics } from "./sum-metrics.ts";

const page = (
  counted: number,
  open: number,
  routes: number,
) => `# HELP responses Responses by group of status.
# TYPE responses counter
responses{status_group="2xx"} ${counted}
# HELP latency Milliseconds.
# TYPE latency histogram
latency_bucket{component="a b",le="1"} ${counted}
latency_bucket{component="a b",le="+Inf"} ${counted + 1}
latency_sum{component="a b"} ${counted * 1.5}
latency_count{component="a b"} ${counted + 1}
# HELP active_connections Connections of clients.
# TYPE active_connections gauge
active_connections ${open}
# HELP total_routes Routes in the table.
# TYPE total_routes gauge
total_routes ${routes}
# HELP registry_message Messages.
# TYPE registry_message counter
registry_message{component="x",action="endpoint-added"} ${routes}
`;

test("counters, histograms and what is open are added up, the one table is not", () => {
  const sum = sumMetrics([[page(10, 3, 7)], [page(5, 4, 6)]]);
  for (const line of [
    'responses{status_group="2xx"} 15',
    'latency_bucket{component="a b",le="1"} 15',
    'latency_bucket{component="a b",le="+Inf"} 17',
    'latency_sum{component="a b"} 22.5',
    'latency_count{component="a b"} 17',
    "active_connections 7",
    "total_routes 7",
    'registry_message{component="x",action="endpoint-added"} 7',
  ]) {
    assert.ok(sum.split("\n").includes(line), `${line} in\n${sum}`);
  }
});

test("one worker's page comes out as it went in", () => {
  assert.equal(sumMetrics([[page(1, 2, 3)]]), page(1, 2, 3));
});

test("what only one worker counts is in the sum", () => {
  const other = "# HELP failed_requests By code.\n# TYPE failed_requests counter\n";
  const sum = sumMetrics([[other], [`${other}failed_requests{code="no_endpoints"} 2\n`]]);
  assert.equal(sum, `${other}failed_requests{code="no_endpoints"} 2\n`);
});

test("a worker that ends takes nothing away from counters, and leaves nothing open", () => {
  const ended = sumEnded(sumEnded("", page(10, 3, 7)), page(20, 1, 7));
  const sum = sumMetrics([[page(1, 1, 8), ended]]);
  assert.match(sum, /^responses\{status_group="2xx"\} 31$/m);
  assert.match(sum, /^latency_count\{component="a b"\} 34$/m);
  assert.match(sum, /^active_connections 1$/m);
  assert.match(sum, /^total_routes 8$/m);
});

test("messages that a slot's workers heard one after the other are added, and those that all slots hear are not", () => {
  const heard = (count: number) => `registry_message{component="x",action="endpoint-added"} ${count}`;
  const ended = sumEnded("", page(0, 0, 100));
  assert.match(sumMetrics([[page(0, 0, 7), ended], [page(0, 0, 102)]]), new RegExp(`^${heard(107)}$`, "m"));
  assert.match(sumMetrics([[page(0, 0, 7), ended], [page(0, 0, 108)]]), new RegExp(`^${heard(108)}$`, "m"));
});

test("a worker without last words changes nothing", () => {
  assert.equal(sumEnded(sumEnded("", page(1, 0, 0)), ""), sumEnded("", page(1, 0, 0)));
});
