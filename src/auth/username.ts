/** Names of accounts are the same in any case. */
import type { ExpressionBuilder } from "kysely";
import type { Tables } from "../store/index.ts";

/** For `where`: the account of that name. What «in any case» means is the database's; its unique index asks the same. */
export const isNamed = (username: string) => (e: ExpressionBuilder<Tables, "users">) =>
  e(e.fn<string>("lower", ["username"]), "=", e.fn<string>("lower", [e.val(username)]));
