/** Sharing of service instances: user-provided ones, which is all there are, cannot be shared. */
import { Type } from "typebox";
import { featureDisabled } from "../../kernel/errors/cloud-controller.ts";
import type { RowOf } from "../../store/index.ts";
import { type Call, defineEndpoint, type Endpoint, ok } from "../endpoint.ts";
import { demandEnabled } from "../feature-flags.ts";
import { findRow } from "../list.ts";
import { link } from "../present.ts";
import { refuse } from "../refuse.ts";
import { toMany } from "../schema.ts";
import { linksTo, Nothing, shape } from "../shape.ts";
import { demandInstance, serviceInstanceListing } from "./service-instances.ts";

const ShareInstance = toMany("shared_spaces");
const PATH = "/v3/service_instances/:guid/relationships/shared_spaces";

const SharedSpaces = shape("ServiceInstanceShares", {
  data: Type.Array(Nothing),
  links: linksTo(["self"]),
});
const SharingUsage = shape("ServiceInstanceSharingUsage", {
  usage_summary: Type.Array(Nothing),
  links: linksTo(["self", "shared_spaces", "service_instance"]),
});

const findInstance = (call: Call<unknown>) =>
  findRow(call, serviceInstanceListing, call.params["guid"] ?? "");

async function findWritable(call: Call<unknown>): Promise<RowOf<"service_instances">> {
  const instance = await findInstance(call);
  await demandInstance(call, "service-instance.write", instance);
  return instance;
}

export const serviceSharing: readonly Endpoint[] = [
  defineEndpoint({
    method: "GET",
    path: PATH,
    summary: "Lists the spaces a service instance is shared with: none.",
    access: "read",
    answers: { 200: SharedSpaces },
    parameters: ["fields"],
    handle: async (call) => {
      const { guid } = await findInstance(call);
      const self = link(call.context, `/v3/service_instances/${guid}/relationships/shared_spaces`);
      return ok({ data: [], links: { self } });
    },
  }),
  defineEndpoint({
    method: "GET",
    path: `${PATH}/usage_summary`,
    summary: "Counts the bindings in spaces a service instance is shared with: none.",
    access: "read",
    answers: { 200: SharingUsage },
    handle: async (call) => {
      const { guid } = await findInstance(call);
      const path = `/v3/service_instances/${guid}/relationships/shared_spaces`;
      return ok({
        usage_summary: [],
        links: {
          self: link(call.context, `${path}/usage_summary`),
          shared_spaces: link(call.context, path),
          service_instance: link(call.context, `/v3/service_instances/${guid}`),
        },
      });
    },
  }),
  defineEndpoint({
    method: "POST",
    path: PATH,
    summary: "Refused: only brokers offer what can be shared.",
    access: "write",
    answers: {},
    refuses: [featureDisabled],
    body: ShareInstance,
    handle: async (call) => {
      await demandEnabled(call.context.store.db, "service_instance_sharing");
      const { route_service_url: routeServiceUrl } = await findWritable(call);
      return refuse(
        routeServiceUrl === null
          ? "User-provided services cannot be shared."
          : "Route services cannot be shared.",
      );
    },
  }),
  defineEndpoint({
    method: "DELETE",
    path: `${PATH}/:space_guid`,
    summary: "Refused: no service instance is shared.",
    access: "write",
    answers: {},
    handle: async (call) => {
      await findWritable(call);
      return refuse(
        `Unable to unshare service instance from space ${call.params["space_guid"]}. Ensure the space exists and the service instance has been shared to this space.`,
      );
    },
  }),
];
