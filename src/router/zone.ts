/**
 * Zone preference: the first attempt goes to an endpoint of the router's own availability zone while one is fit to
 * serve, every other attempt to any (`balancing_algorithm_az_preference: locally-optimistic`).
 */
import { isEligible, isFailed } from "../balancing/index.ts";
import type { Exchange } from "./exchange.ts";
import type { RoutedCandidate, RouteProgram } from "./program.ts";

export function pickInZone(
  exchange: Exchange,
  { picker, candidates, inZone }: RouteProgram,
): RoutedCandidate | undefined {
  // The request may have named its instances.
  const near =
    exchange.candidates === candidates
      ? inZone
      : inZone.filter((candidate) => exchange.candidates.includes(candidate));
  // Asked only when it has a good one: a balancer with nothing else would settle for one that failed.
  const isFit = (candidate: RoutedCandidate) =>
    isEligible(candidate, exchange) && !isFailed(candidate, exchange);
  return near.some(isFit) ? picker.pick(near, exchange) : undefined;
}
