/**
 * Sharing: apps of other spaces may be behind a route, and a route may move to another space. Off for everybody until
 * an administrator turns on the flag `route_sharing`.
 */
import { type Static, Type } from "typebox";
import { featureDisabled, resourceChanged } from "../../kernel/errors/cloud-controller.ts";
import type { RowOf } from "../../store/index.ts";
import { recordEvent } from "../audit.ts";
import type { Context } from "../context.ts";
import { type Call, defineEndpoint, type Endpoint, noContent, ok } from "../endpoint.ts";
import { demandEnabled } from "../feature-flags.ts";
import { findAgain, findRow } from "../list.ts";
import { isSuspended, may, spaceVisible } from "../permissions.ts";
import { link, toManyData } from "../present.ts";
import { demandRoomForRoute, routeLimits } from "../quotas.ts";
import { countRoutes } from "../route-counts.ts";
import { demandRouteRevision } from "../route-revision.ts";
import { refuse } from "../refuse.ts";
import { routeUrl } from "../route-address.ts";
import { message, toMany } from "../schema.ts";
import { shape, type Shown, ToManyPage } from "../shape.ts";
import { usableBy } from "./domains.ts";
import { asTarget, demandRouteWrite, routeListing } from "./routes.ts";
import { placeOf } from "./spaces.ts";

// --- messages ---

const ShareRoute = toMany("shared_spaces");
const TransferRoute = message({
  data: message(
    { guid: Type.String({ minLength: 1, maxLength: 200 }) },
    { refusal: "can only accept key 'guid'" },
  ),
});

// --- actions ---

type Space = RowOf<"spaces">;

/** Why a route cannot get into a space, or null. */
type Obstacle = "unseen" | "not writable" | "suspended";

async function obstacleOf(call: Call<unknown>, space: Space | undefined): Promise<Obstacle | null> {
  if (space === undefined) return "unseen";
  const { db } = call.context.store;
  if (call.caller.isAdmin) return null;
  const visible = await db
    .selectFrom("spaces")
    .select("guid")
    .where("guid", "=", space.guid)
    .where(spaceVisible(call.caller, "spaces.guid"))
    .executeTakeFirst();
  if (visible === undefined) return "unseen";
  const place = placeOf(space);
  if (!(await may(db, call.caller, "route.write", place))) return "not writable";
  return (await isSuspended(db, place)) ? "suspended" : null;
}

async function shareRoute(call: Call<Static<typeof ShareRoute>>, route: RowOf<"routes">): Promise<void> {
  const { context, body } = call;
  const url = await urlOf(context, route);
  const guids = [...new Set(body.data.map((each) => each.guid))];
  const obstacles = await Promise.all(
    guids.map(async (guid) => ({ guid, what: await obstacleOf(call, await findSpace(context, guid)) })),
  );
  const listed = (some: readonly { readonly guid: string }[]) =>
    some.map(({ guid }) => `'${guid}'`).join(", ");
  const unseen = obstacles.filter(({ what }) => what === "unseen");
  const notWritable = obstacles.filter(({ what }) => what === "not writable" || what === "suspended");
  const problems = [
    ...(unseen.length === 0
      ? []
      : [
          `Unable to share route ${url} with spaces [${listed(unseen)}]. Ensure the spaces exist and that you have access to them.`,
        ]),
    ...(notWritable.length === 0
      ? []
      : [
          `Unable to share route ${url} with spaces [${listed(notWritable)}]. Write permission is required in order to share a route with a space and the containing organization must not be suspended.`,
        ]),
  ];
  if (problems.length > 0) refuse(problems.join("\n"));
  if (guids.includes(route.space_guid)) {
    refuse(
      `Unable to share route '${url}' with space '${route.space_guid}'. Routes cannot be shared into the space where they were created.`,
    );
  }
  await context.write(async (db) => {
    for (const guid of guids) {
      await db
        .insertInto("route_shares")
        .values({ route_guid: route.guid, space_guid: guid })
        .onConflict((conflict) => conflict.columns(["route_guid", "space_guid"]).doNothing())
        .execute();
    }
    await recordEvent(db, call, {
      type: "audit.route.share",
      target: asTarget(route),
      data: { target_space_guids: guids },
    });
  });
}

/** What is mapped stays mapped, as upstream: only new mappings need the share. */
async function unshareRoute(call: Call<unknown>, route: RowOf<"routes">, guid: string): Promise<void> {
  const space = await findReachable(call, route, guid, (url) => `unshare route '${url}' from`);
  if (space.guid === route.space_guid) {
    refuse(
      `Unable to unshare route '${await urlOf(call.context, route)}' from space '${guid}'. Routes cannot be removed from the space that owns them.`,
    );
  }
  await call.context.write(async (db) => {
    await db
      .deleteFrom("route_shares")
      .where("route_guid", "=", route.guid)
      .where("space_guid", "=", guid)
      .execute();
    await recordEvent(db, call, {
      type: "audit.route.unshare",
      target: asTarget(route),
      data: { target_space_guid: guid },
    });
  });
}

/** The space that had the route keeps the use of it. */
async function transferRoute(
  call: Call<Static<typeof TransferRoute>>,
  route: RowOf<"routes">,
): Promise<void> {
  const { context, body } = call;
  const target = await findReachable(
    call,
    route,
    body.data.guid,
    (url) => `transfer owner of route '${url}' to`,
  );
  const usable = await context.store.db
    .selectFrom("domains")
    .select("guid")
    .where("guid", "=", route.domain_guid)
    .where(usableBy(target.organization_guid))
    .executeTakeFirst();
  if (usable === undefined) {
    refuse(
      `Unable to transfer owner of route '${await urlOf(context, route)}' to space '${target.guid}'. Target space does not have access to route's domain`,
    );
  }
  await context.write(async (db, news) => {
    await demandRouteRevision(db, call, route.guid);
    const current = await findAgain(db, routeListing, route.guid);
    if (target.guid === current.space_guid) return;
    // It leaves first: within one organization it takes the place it had.
    await countRoutes(db, current, -1);
    const limits = await routeLimits(db, target).executeTakeFirstOrThrow();
    await demandRoomForRoute(db, target, route.protocol, limits);
    await countRoutes(db, { space_guid: target.guid, protocol: route.protocol }, 1);
    await db
      .updateTable("routes")
      .set({ space_guid: target.guid, updated_at: context.now(current.updated_at) })
      .where("guid", "=", route.guid)
      .execute();
    await db
      .deleteFrom("route_shares")
      .where("route_guid", "=", route.guid)
      .where("space_guid", "=", target.guid)
      .execute();
    await db
      .insertInto("route_shares")
      .values({ route_guid: route.guid, space_guid: route.space_guid })
      .onConflict((conflict) => conflict.columns(["route_guid", "space_guid"]).doNothing())
      .execute();
    await recordEvent(db, call, {
      type: "audit.route.transfer-owner",
      target: asTarget(current),
      data: { target_space_guid: target.guid },
    });
    news.route(route.guid);
  });
}

const EXPLANATIONS: Readonly<Record<Obstacle, string>> = {
  unseen: "Ensure the space exists and that you have access to it.",
  "not writable": "You don't have write permission for the target space.",
  suspended: "The target organization is suspended.",
};

/** @throws unprocessable */
async function findReachable(
  call: Call<unknown>,
  route: RowOf<"routes">,
  guid: string,
  attempt: (url: string) => string,
): Promise<Space> {
  const space = await findSpace(call.context, guid);
  const obstacle = await obstacleOf(call, space);
  if (space !== undefined && obstacle === null) return space;
  const what = attempt(await urlOf(call.context, route));
  return refuse(`Unable to ${what} space '${guid}'. ${EXPLANATIONS[obstacle ?? "unseen"]}`);
}

const findSpace = (context: Context, guid: string): Promise<Space | undefined> =>
  context.store.db.selectFrom("spaces").selectAll().where("guid", "=", guid).executeTakeFirst();

async function urlOf({ store }: Context, route: RowOf<"routes">): Promise<string> {
  const { name } = await store.db
    .selectFrom("domains")
    .select("name")
    .where("guid", "=", route.domain_guid)
    .executeTakeFirstOrThrow();
  return routeUrl(route, name);
}

// --- endpoints ---

const PATH = "/v3/routes/:guid/relationships/shared_spaces";

async function findShareable(call: Call<unknown>): Promise<RowOf<"routes">> {
  await demandEnabled(call.context.store.db, "route_sharing");
  return findRow(call, routeListing, call.params["guid"] ?? "");
}

async function findOwned(call: Call<unknown>): Promise<RowOf<"routes">> {
  const route = await findShareable(call);
  await demandRouteWrite(call, route);
  return route;
}

const Transferred = shape("Transferred", { status: Type.Literal("ok") });

async function presentShares(
  { context }: Call<unknown>,
  { guid }: RowOf<"routes">,
): Promise<Shown<typeof ToManyPage>> {
  const shares = await context.store.db
    .selectFrom("route_shares")
    .select("space_guid")
    .where("route_guid", "=", guid)
    .orderBy("space_guid")
    .execute();
  return {
    ...toManyData(shares.map((share) => share.space_guid)),
    links: { self: link(context, `/v3/routes/${guid}/relationships/shared_spaces`) },
  };
}

export const routeSharing: readonly Endpoint[] = [
  defineEndpoint({
    method: "GET",
    path: PATH,
    summary: "Lists the spaces a route is shared with.",
    access: "read",
    answers: { 200: ToManyPage },
    refuses: [featureDisabled],
    handle: async (call) => ok(await presentShares(call, await findShareable(call))),
  }),
  defineEndpoint({
    method: "POST",
    path: PATH,
    summary: "Shares a route with spaces.",
    access: "write",
    answers: { 200: ToManyPage },
    refuses: [featureDisabled],
    body: ShareRoute,
    handle: async (call) => {
      const route = await findOwned(call);
      await shareRoute(call, route);
      return ok(await presentShares(call, route));
    },
  }),
  defineEndpoint({
    method: "DELETE",
    path: `${PATH}/:space_guid`,
    summary: "Stops sharing a route with a space.",
    access: "write",
    answers: { 204: null },
    refuses: [featureDisabled],
    handle: async (call) => {
      await unshareRoute(call, await findOwned(call), call.params["space_guid"] ?? "");
      return noContent;
    },
  }),
  defineEndpoint({
    method: "PATCH",
    path: "/v3/routes/:guid/relationships/space",
    summary: "Moves a route to another space, which shares it with the one it had.",
    access: "write",
    answers: { 200: Transferred },
    refuses: [featureDisabled, resourceChanged],
    body: TransferRoute,
    handle: async (call) => {
      await transferRoute(call, await findOwned(call));
      return ok({ status: "ok" });
    },
  }),
];
