/** All migrations in the order they run. A new one is a new file and a new last line here. */
import { foundation } from "./0001-foundation.ts";
import { isolationSegments } from "./0002-isolation-segments.ts";
import { deployments } from "./0003-deployments.ts";
import { serviceCredentialBindings } from "./0004-service-credential-bindings.ts";
import { routeCounts } from "./0005-route-counts.ts";
import { environmentGroups } from "./0006-environment-groups.ts";
import { auditEvents } from "./0007-audit-events.ts";
import { buildAuthors } from "./0008-build-authors.ts";
import { routePathsInAnyCase } from "./0009-route-paths-in-any-case.ts";
import type { Migration } from "./define.ts";

export const migrations: readonly Migration[] = [
  foundation,
  isolationSegments,
  deployments,
  serviceCredentialBindings,
  routeCounts,
  environmentGroups,
  auditEvents,
  buildAuthors,
  routePathsInAnyCase,
];
