/**
 * Diego: the BBS, which knows what shall run and what does, and a cell that runs it on this machine. Others reach
 * it through the contract `Bbs`; the emitter turns its events into endpoints.
 */
import type { Bbs } from "../contracts/index.ts";
import type { Clock, Logger, Part } from "../kernel/index.ts";
import type { Store } from "../store/index.ts";
import { type CellBbs, LrpBbs } from "./bbs.ts";
import { createDesiredLrpRows } from "./desired-lrps.ts";
import { LocalCell, type LocalCellOptions } from "./local-cell.ts";

export { diegoSection } from "./config.ts";
export type { DiegoConfig } from "./config.ts";
export type { Cell, CellBbs } from "./bbs.ts";
export type { LocalCellOptions } from "./local-cell.ts";

export interface BbsOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Start it before its cells and stop it after them. */
export function createBbs({ store, clock, log }: BbsOptions): Bbs & CellBbs & Part {
  return new LrpBbs({ rows: createDesiredLrpRows(store, clock), clock, log });
}

/** @throws configInvalid */
export function createLocalCell(options: LocalCellOptions): Part {
  return new LocalCell(options);
}
