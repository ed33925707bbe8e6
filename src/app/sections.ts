/** Every section of `viaduct.yml`, in the order of the reference. */
import { cloudControllerSection } from "../cloud-controller/index.ts";
import { dashboardSection } from "../dashboard/index.ts";
import { diegoSection } from "../diego/index.ts";
import { dnsSection } from "../dns/index.ts";
import { emitterSection } from "../emitter/index.ts";
import type { AnySection } from "../kernel/index.ts";
import { optionsSection } from "../options/index.ts";
import { routerSection } from "../router/index.ts";
import { routingApiSection } from "../routing-api/index.ts";
import { appSection } from "./app-config.ts";
import { storeSection } from "./store-config.ts";

export const allSections: readonly AnySection[] = [
  appSection,
  routerSection,
  optionsSection,
  cloudControllerSection,
  routingApiSection,
  diegoSection,
  emitterSection,
  dnsSection,
  dashboardSection,
  storeSection,
];
