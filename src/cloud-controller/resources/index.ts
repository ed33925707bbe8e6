/** Every resource of the API. A new one is a file beside this one and a line here. */
import type { Endpoint } from "../endpoint.ts";
import { appFeatures } from "./app-features.ts";
import { apps } from "./apps.ts";
import { auditEvents } from "./audit-events.ts";
import { builds } from "./builds.ts";
import { deployments } from "./deployments.ts";
import { destinations } from "./destinations.ts";
import { domains } from "./domains.ts";
import { droplets } from "./droplets.ts";
import { environmentGroups } from "./environment-groups.ts";
import { featureFlags } from "./feature-flags.ts";
import { isolationSegments } from "./isolation-segments.ts";
import { info } from "./info.ts";
import { jobs } from "./jobs.ts";
import { logs } from "./logs.ts";
import { manifests } from "./manifests.ts";
import { organizationQuotas } from "./organization-quotas.ts";
import { organizations } from "./organizations.ts";
import { outsideRouting } from "./outside-routing.ts";
import { packages } from "./packages.ts";
import { processes } from "./processes.ts";
import { roles } from "./roles.ts";
import { routeSharing } from "./route-sharing.ts";
import { routes } from "./routes.ts";
import { serviceCredentialBindings } from "./service-credential-bindings.ts";
import { serviceInstances } from "./service-instances.ts";
import { serviceRouteBindings } from "./service-route-bindings.ts";
import { serviceSharing } from "./service-sharing.ts";
import { spaceQuotas } from "./space-quotas.ts";
import { spaces } from "./spaces.ts";
import { usageSummaries } from "./usage-summaries.ts";
import { users } from "./users.ts";
import { viaduct } from "./viaduct.ts";

export const endpoints: readonly Endpoint[] = [
  ...info,
  ...organizations,
  ...spaces,
  ...organizationQuotas,
  ...spaceQuotas,
  ...usageSummaries,
  ...isolationSegments,
  ...roles,
  ...users,
  ...domains,
  ...routes,
  ...routeSharing,
  ...destinations,
  ...serviceInstances,
  ...serviceSharing,
  ...serviceCredentialBindings,
  ...serviceRouteBindings,
  ...apps,
  ...appFeatures,
  ...processes,
  ...packages,
  ...builds,
  ...droplets,
  ...deployments,
  ...manifests,
  ...logs,
  ...jobs,
  ...auditEvents,
  ...featureFlags,
  ...environmentGroups,
  ...outsideRouting,
  ...viaduct,
];
