/** What to worry about now, the worst first, each with what to do. */
import type { Account, Health, NodeStatus, Reward, RoundSchedule, RoundVerifiers, Work } from "../../../docs/rpc";
import { inTokens } from "./amounts";
import { CAUSES } from "./causes";
import { missing, stillMissing } from "./missing";
import { gone, owed } from "./owed";
import { isOver } from "./phases";
import { bytes } from "./sizes";
import { span } from "./times";
import type { Tone } from "./verdicts";
import type { Worry } from "./worry";

export interface Known {
  /** It does not answer: all else is what it had told before. */
  lost: boolean;
  status: NodeStatus | null;
  health: Health | null;
  rewards: readonly Reward[];
  schedules: ReadonlyMap<number, RoundSchedule>;
  /** Of the rounds that are being scored, and of the newest ended one if it has no result, by round. */
  verifiers: ReadonlyMap<number, RoundVerifiers>;
  work: Work | null;
  account: Account | null;
  /** Seconds that the chain is ahead of this computer; null where they agree. */
  apart: number | null;
  now: number;
  /** `node.data_dir`; null where it is not known yet. */
  folder: string | null;
}

export function worries(known: Known): Worry[] {
  if (known.lost) return gone(known.status === null ? [] : owed(known.status, known.schedules), known.now, undefined, known.folder);
  const reasons = known.health?.reasons ?? [];
  // That no block comes is what follows from nobody answering.
  const told = reasons.includes("endpoints-silent") ? reasons.filter((word) => word !== "chain-stopped") : reasons;
  const found: Worry[] = told.map(
    (word) => CAUSES[word] ?? { tone: "warn", what: `The node is not ready: ${word}`, remedy: "Its log says more." },
  );
  found.push(...remarks(known.health));
  const { status } = known;
  if (status !== null) found.push(...ofStatus(status));
  for (const [round, told] of known.verifiers) {
    const schedule = known.schedules.get(round);
    const here = known.now - (known.apart ?? 0);
    const absent = schedule === undefined ? stillMissing(told, here) : missing(told, schedule, known.now, here);
    if (absent !== null) found.push(absent);
  }
  const late = lateness(known.work, deadline(known), known.now);
  if (late !== null && late > 0) {
    found.push({
      tone: "bad",
      what: `This training would end ${span(late)} after its deadline`,
      remedy: "Free the device it trains on, or give it a faster one: `jepanet node check` says which windows this machine can keep.",
    });
  }
  if (known.apart !== null && !reasons.includes("chain-stopped") && !known.health?.remarks.includes("clock-apart")) {
    found.push({
      tone: "warn",
      what: `This computer and the chain differ by ${span(Math.abs(known.apart))}`,
      remedy: "Check this computer's clock: `timedatectl`. Until then the page counts by the chain.",
    });
  }
  if (known.account !== null && BigInt(known.account.native) === 0n) {
    found.push({
      tone: "bad",
      what: "The wallet has no ether, so nothing can be sent",
      remedy: `Send a little ether to ${known.account.address}; \`jepanet wallet balance\` shows when it is there.`,
    });
  }
  if (known.account !== null && known.account.debt != null && known.account.debt !== "0") {
    found.push({
      tone: "warn",
      what: `The wallet owes ${inTokens(known.account.debt)} that a slash could not take`,
      remedy: "Nothing leaves the stake before it is paid: `jepanet stake deposit`.",
    });
  }
  const refused = known.rewards.filter((item) => item.claim === "rejected" && item.paid !== "0").map((item) => item.round);
  if (refused.length > 0) {
    found.push({
      tone: "warn",
      what: `The claim of round ${refused.join(", ")} was given up`,
      remedy: "Claim again on the page Rewards; the node tries it anew.",
    });
  }
  const order: Tone[] = ["bad", "warn", "plain", "good"];
  return found.sort((one, other) => order.indexOf(one.tone) - order.indexOf(other.tone));
}

function remarks(health: Health | null): Worry[] {
  const around = health?.surroundings;
  if (health === null || around == null) return [];
  const found: Worry[] = [];
  if (health.remarks.includes("clock-apart") && around.clock_ahead !== null) {
    const where = around.clock_ahead > 0 ? "ahead of" : "behind";
    found.push({
      tone: "bad",
      what: `The node's clock is ${span(Math.abs(around.clock_ahead))} ${where} the chain's`,
      remedy: "Set it: `timedatectl set-ntp true`. If it is right, the endpoint shows blocks of another time: `jepanet doctor`. Until then the page counts by the chain.",
    });
  }
  const left = `${bytes(around.disk_free)} of ${bytes(around.disk_total)}`;
  if (health.remarks.includes("disk-full")) {
    found.push({ tone: "bad", what: `The disk is full: ${left} are left`, remedy: "The node ends with the next write that finds no room. Make room: `df -h`, or lower `node.storage_gb`." });
  } else if (health.remarks.includes("disk-low")) {
    found.push({ tone: "warn", what: `The disk is nearly full: ${left} are left`, remedy: "Make room before the node has to end: `df -h`, or lower `node.storage_gb`." });
  }
  return found;
}

function ofStatus(status: NodeStatus): Worry[] {
  const found: Worry[] = [];
  for (const duty of status.duties.filter((item) => item.error !== null && item.attempts > 0).slice(0, 5)) {
    found.push({
      tone: "warn",
      what: `${duty.duty} did not succeed in ${duty.attempts} ${duty.attempts === 1 ? "attempt" : "attempts"}`,
      remedy: `It is tried again. The newest cause: ${duty.error}`,
    });
  }
  // What failed in a round that is over can be done nothing about.
  for (const round of status.rounds.filter((item) => !isOver(item.phase))) {
    for (const [duty, why] of round.failed.slice(0, 3)) {
      found.push({ tone: "warn", what: `Round ${round.round}: ${duty} was given up`, remedy: `The cause: ${why}` });
    }
    if (round.training?.status.startsWith("aborted")) {
      found.push({
        tone: "warn",
        what: `Round ${round.round}: the training was ended early`,
        remedy: `The cause: ${round.training.why ?? round.training.status}. Nothing was committed.`,
      });
    }
  }
  if (status.log_lines_lost > 0) {
    found.push({
      tone: "warn",
      what: `${status.log_lines_lost} lines of the log were lost`,
      remedy: "Whatever reads the log is too slow, or the disk is full: `df -h`.",
    });
  }
  return found;
}

/** When the training that runs has to be committed to: the first commit phase to end. */
export function deadline(known: Pick<Known, "schedules">): number | null {
  const ends = [...known.schedules.values()].filter((item) => item.phase === "commit").map((item) => item.commit_end);
  return ends.length > 0 ? Math.min(...ends) : null;
}

/** Seconds until the job ends at its pace so far; null before it has one. */
export function left(work: Work | null): number | null {
  if (work === null || !work.step || !work.steps || work.seconds <= 0) return null;
  return ((work.steps - work.step) * work.seconds) / work.step;
}

/** Seconds by which a training would miss its deadline; negative where it has time to spare. */
export function lateness(work: Work | null, end: number | null, now: number): number | null {
  const rest = left(work);
  if (rest === null || end === null || work === null || work.job !== "train_delta") return null;
  return now + rest - end;
}
