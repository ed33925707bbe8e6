/**
 * The dashboard: one live page of routes and endpoints at `/dashboard/`. {@link createDashboard} serves it; the page
 * itself is in `page/`, plain JavaScript that browsers run as it is. Routes are changed by calls of the API, with the
 * rights of who logged in (`changes.ts`).
 * Not here: who may do what (the API), what a route may be told (`options/`, through the API).
 */
export { dashboardSection } from "./config.ts";
export type { DashboardConfig } from "./config.ts";
export type { ChangesOptions } from "./changes.ts";
export { createDashboard, DASHBOARD_PREFIX } from "./dashboard.ts";
export type { Dashboard, DashboardOptions } from "./dashboard.ts";
export type { CheckLogin } from "./login.ts";
export type { Login, LogIn } from "./sessions.ts";
export type { TrafficStats } from "./events.ts";
export type { LiveTable } from "./live-routes.ts";
