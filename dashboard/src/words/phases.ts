/** Phases of a round: their order, their names, and when each one ends. */
import type { RoundSchedule, RoundStatus } from "../../../docs/rpc";

const OVER = new Set(["settled", "cancelled"]);

export function isOver(phase: string): boolean {
  return OVER.has(phase);
}

const NAMES: Record<string, string> = {
  none: "Not open",
  commit: "Training",
  gap: "Draw of the shard",
  reveal: "Reveal",
  verify: "Scoring",
  challenge: "Challenge window",
  disputed: "In dispute",
  settleable: "To be settled",
  settled: "Settled",
  cancellable: "To be cancelled",
  cancelled: "Cancelled",
};

export function phaseName(phase: string): string {
  return NAMES[phase] ?? phase;
}

const HAPPENING: Record<string, string> = {
  commit: "Solvers train and commit to a delta.",
  gap: "Commits are closed; a later block draws the evaluation shard.",
  reveal: "Solvers reveal what they committed to, and publish their deltas.",
  verify: "Coordinators score every delta on the sealed shard and sign one result.",
  challenge: "The result is recorded; until the window ends anybody may challenge it.",
  disputed: "Somebody challenged the result; the arbiter decides.",
  settleable: "The window is over; the next transaction settles the round.",
  settled: "The result stands; claims pay out what was earned in it.",
  cancellable: "A deadline passed without what it takes; the next transaction cancels the round.",
  cancelled: "The round ended without a result; bonds and budget return.",
};

export function happening(phase: string): string {
  return HAPPENING[phase] ?? "";
}

export interface Stage {
  phase: string;
  from: number;
  to: number | null;
  state: "done" | "now" | "ahead";
}

/** The stages of a round in order. What was never reached of a round that ended is ahead for ever. */
export function stages(schedule: RoundSchedule): Stage[] {
  const { opened, commit_end, reveal_start, reveal_end, verify_end, challenge_end, recorded } = schedule;
  const bounds: [string, number, number | null][] = [
    ["commit", opened, commit_end],
    ["gap", commit_end, reveal_start],
    ["reveal", reveal_start, reveal_end],
    ["verify", reveal_end, challenge_end === null ? verify_end : recorded],
    ["challenge", recorded ?? verify_end, challenge_end],
  ];
  const at = bounds.findIndex(([phase]) => phase === schedule.phase);
  const past = ["settled", "settleable", "disputed"].includes(schedule.phase) || challenge_end !== null;
  return bounds.map(([phase, from, to], place) => {
    const done = at === -1 ? past || (to !== null && to <= (schedule.ended ?? schedule.now)) : place < at;
    return { phase, from, to, state: place === at ? "now" : done ? "done" : "ahead" };
  });
}

const SOONER: Record<string, string> = {
  commit: "It ends sooner when the last place for a solver is taken, from its half on.",
  reveal: "It ends sooner, and what follows with it, when everybody has revealed and the evaluation shard is unsealed.",
  verify: "It ends as soon as a result is recorded.",
};

/** Why a phase may end before the time that is shown; empty where it does not. */
export function sooner(phase: string): string {
  return SOONER[phase] ?? "";
}

/** When the present phase ends by the clock; null where no clock ends it. */
export function phaseEnd(schedule: RoundSchedule): number | null {
  return stages(schedule).find((item) => item.state === "now")?.to ?? null;
}

/** What this node does in a phase, by its roles and by what it has done; `mine`: undefined where that is not known. */
export function myPart(phase: string, roles: readonly string[], mine?: Pick<RoundStatus, "committed" | "revealed" | "scored">): string {
  const solver = roles.includes("solver");
  const coordinator = roles.includes("coordinator");
  if (solver && mine !== undefined) {
    if (mine.revealed && phase === "reveal") return "done: the delta is revealed; serve it until it is scored";
    if (mine.committed && phase === "commit") return "done: the commitment is on the chain; keep running, the reveal is next";
    if (mine.committed && phase === "gap") return "wait for the reveal, and keep running";
    if (!mine.committed && ["gap", "reveal", "verify", "challenge"].includes(phase) && !coordinator) return "none: this node committed to nothing";
  }
  if (coordinator && mine?.scored && phase === "verify") return "done: every delta is scored; sign the result";
  if (phase === "commit") return solver ? "train, and commit before it ends" : "nothing yet";
  if (phase === "gap") return coordinator ? "wait for the shard to be drawn" : "wait for the reveal";
  if (phase === "reveal") return solver ? "reveal the delta, and serve it" : "fetch the deltas that are revealed";
  if (phase === "verify") return coordinator ? "score every delta, and sign the result" : "serve the delta; the coordinators score it";
  if (phase === "challenge") return "wait; what is earned can be claimed when the window ends";
  return "nothing";
}
