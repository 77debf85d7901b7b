/** Stake that is locked, until when and why; and whether there is enough for the next round. */
import type { Account, Fee, NodeStatus, Reward, RoundSchedule } from "../../../docs/rpc";
import { inTokens, sum, tokens } from "./amounts";
import { same } from "./shortened";
import { count } from "./sizes";
import { clock } from "./times";
import type { Tone } from "./verdicts";

type Told = Pick<NodeStatus, "wallet" | "rounds" | "roles">;

/** Of each bond that is known of, when it is free at the latest; whatever else is locked is named as such. */
export function lockedUntil(holds: Account, told: Told, schedules: ReadonlyMap<number, RoundSchedule>, rewards: readonly Reward[], now: number, zone?: string): string[] {
  if (holds.stake_locked === "0") return ["nothing is locked"];
  const found: string[] = [];
  for (const schedule of [...schedules.values()].sort((one, other) => one.round - other.round)) {
    const mine = told.rounds.find((item) => item.round === schedule.round);
    if (mine?.committed) found.push(ofBond(schedule, mine.revealed, now, zone));
    else if (same(schedule.proposer, told.wallet)) found.push(`what the proposer of round ${schedule.round} puts up: ${latest(schedule, now, zone)}`);
  }
  const ended = rewards.filter((item) => item.part === "solver" && item.claim !== "done" && !schedules.has(item.round));
  const refused = ended.filter((item) => item.claim === "rejected").map((item) => item.round);
  if (refused.length > 0) found.push(`bond of round ${refused.join(", ")}: its claim was given up; the page Rewards has what to do`);
  const waiting = ended.filter((item) => item.claim !== "rejected").map((item) => item.round);
  if (waiting.length > 0) found.push(`bond of round ${waiting.join(", ")}: until its claim is through, which the node sends by itself`);
  return found.length > 0 ? found : ["by rounds that this page has no deadline of; it comes free with the transactions that release it"];
}

function ofBond(schedule: RoundSchedule, revealed: boolean, now: number, zone?: string): string {
  const due = revealed || !["commit", "gap", "reveal"].includes(schedule.phase) ? "" : `; it is lost if nothing is revealed before ${clock(schedule.reveal_end, now, zone)}`;
  return `${inTokens(schedule.bond)}, the bond of round ${schedule.round}: ${latest(schedule, now, zone)}${due}`;
}

function latest(schedule: RoundSchedule, now: number, zone?: string): string {
  const until = schedule.bonds_until;
  if (until === null) return "until the arbiter has decided on the challenge";
  if (until <= now) return "free with the next transactions, which end the round and claim";
  const why = schedule.challenge_end === null ? "if the result comes at the last moment, and nobody challenges it" : "when nobody can challenge the result any more";
  return `until ${clock(until, now, zone)} at the latest, ${why}; the claim then frees it`;
}

export interface Enough {
  tone: Tone;
  text: string;
}

/** `newest`: the newest round that is known, whose bond the next one most likely asks for too. */
export function bondEnough(holds: Account, roles: readonly string[], newest: { round: number; bond: string } | undefined): Enough {
  if (!roles.includes("solver")) return { tone: "plain", text: "only solvers put one up for each round, and this node is none" };
  if (newest === undefined) return { tone: "plain", text: "not known before a round was opened" };
  const free = sum([holds.stake_free, holds.tokens]);
  const lacking = BigInt(newest.bond) - BigInt(free);
  const have = `${inTokens(free)} (stake that is free, and tokens), against the ${tokens(newest.bond)} that round ${newest.round} asked for`;
  if (lacking > 0n) return { tone: "warn", text: `${inTokens(lacking.toString())} short: ${have}` };
  return { tone: "good", text: `enough: ${have}; the next may ask for another bond` };
}

/** A solver's round: commit, reveal, claim, and the release of a bond. */
const A_ROUND = 4n;

/** `fee`: null where no endpoint tells. */
export function gasEnough(holds: Account, fee: Fee | null): Enough {
  const have = `${tokens(holds.native)} ether`;
  if (fee === null) return { tone: "plain", text: `${have}; for how many transactions is not known now, for no endpoint tells the fee` };
  if (fee.gas === null) return { tone: "plain", text: `${have}; for how many transactions is not known before this wallet has sent one` };
  const each = BigInt(fee.max_fee) * BigInt(fee.gas);
  if (each === 0n) return { tone: "good", text: `${have}; gas costs nothing on this chain now` };
  const left = BigInt(holds.native) / each;
  const shown = left > 1_000_000n ? "more than 1,000,000 transactions" : count(Number(left), "transaction");
  const price = `at ${tokens(each.toString(), 8)} ether each: the most that one would pay now, with the gas of the dearest of the newest 20`;
  return { tone: left < A_ROUND ? "warn" : "good", text: `${left < A_ROUND ? "only" : "enough"} for ${shown}, ${price}` };
}
