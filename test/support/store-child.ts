/**
 * A process that uses a store until it is killed. Arguments: what to do, and the location as JSON.
 *   commit           commits one organization and its news after the other, prints each GUID once acknowledged
 *   handle-and-die   delivers the outbox, and dies after the handler succeeded, before the cursor moves
 */
import { writeSync } from "node:fs";
import { newGuid, silentLogger, systemClock } from "../../src/kernel/index.ts";
import { createOutboxRelay, openStore, type StoreLocation, toTimestamp } from "../../src/store/index.ts";

const [job, location] = process.argv.slice(2);
const options = { log: silentLogger, clock: systemClock };
const store = await openStore(JSON.parse(location ?? "") as StoreLocation, options);
// Written through, so that nothing acknowledged is lost in a buffer.
const print = (line: string) => writeSync(1, `${line}\n`);

switch (job) {
  case "commit":
    for (;;) {
      const guid = newGuid();
      const now = toTimestamp(Date.now());
      await store.transaction(async (trx) => {
        await trx
          .insertInto("organizations")
          .values({ guid, name: guid, quota_guid: null, created_at: now, updated_at: now })
          .execute();
        await store.outbox.add(trx, { topic: "organization", key: guid });
      });
      print(guid);
      // The kill arrives between two commits as well as in one.
      await new Promise((resolve) => setImmediate(resolve));
    }
  case "handle-and-die": {
    const relay = createOutboxRelay({
      store,
      consumer: "table",
      topics: ["route"],
      handle: async (batch) => {
        for (const { key } of batch) print(key);
        process.kill(process.pid, "SIGKILL");
      },
      ...options,
    });
    await relay.start();
    await relay.drained();
    break;
  }
  default:
    throw new Error(`no such job: ${job}`);
}
