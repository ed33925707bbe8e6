/**
 * Catches a query on `store.db` inside `store.transaction`: with one connection it would wait for its own
 * transaction for ever, with a pool it would silently run outside of it.
 */
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";

export interface TransactionScope {
  run<T>(body: () => Promise<T>): Promise<T>;
  /** Called by a driver before it hands out a connection. */
  assertOutside(): void;
}

export function createTransactionScope(): TransactionScope {
  const storage = new AsyncLocalStorage<{ open: boolean }>();
  return {
    async run(body) {
      // What a transaction starts and does not wait for outlives it, and may use the store again afterwards.
      const token = { open: true };
      try {
        return await storage.run(token, body);
      } finally {
        token.open = false;
      }
    },
    assertOutside() {
      assert(
        storage.getStore()?.open !== true,
        "store.db was used inside store.transaction; use the transaction that was passed in",
      );
    },
  };
}
