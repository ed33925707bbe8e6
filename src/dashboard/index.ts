/**
 * The dashboard: one live page of routes and endpoints at `/dashboard/`. {@link createDashboard} serves it; the page
 * itself is in `page/`, plain JavaScript that browsers run as it is.
 * Not here: any change of anything; the page only looks.
 */
export { dashboardSection } from "./config.ts";
export type { DashboardConfig } from "./config.ts";
export { createDashboard, DASHBOARD_PREFIX } from "./dashboard.ts";
export type { Dashboard, DashboardOptions } from "./dashboard.ts";
export type { CheckLogin } from "./login.ts";
export type { TrafficStats } from "./events.ts";
export type { LiveTable } from "./live-routes.ts";
