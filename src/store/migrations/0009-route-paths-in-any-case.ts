/**
 * Routers compare paths without regard to case, and so does the index that makes addresses unique: of two who create
 * the same route the database refuses one, and nobody has to look beforehand. On PostgreSQL that look made transactions
 * meet that create neighbours in the index. It was taken before every creation, so no database holds two such routes.
 */
import type { Migration } from "./define.ts";

export const routePathsInAnyCase: Migration = {
  name: "0009-route-paths-in-any-case",
  statements: () => [
    "drop index routes_address",
    // Host first: the same index answers the filter «hosts».
    "create unique index routes_address on routes (host, domain_guid, lower(path), coalesce(port, 0))",
  ],
};
