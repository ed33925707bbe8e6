export type { Balancer, Candidate, PickContext, Picker } from "./define.ts";
