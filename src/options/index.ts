/**
 * Per-route options: the ordered list, and the shape they share.
 */
export { defineOption } from "./define.ts";
export type {
  AnyOption,
  ExchangeView,
  OperatorLimits,
  OptionExample,
  OptionHooks,
  RouteOption,
} from "./define.ts";
