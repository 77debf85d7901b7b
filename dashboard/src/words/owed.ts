/** What this node still has to do in rounds that run, by when, and what it loses otherwise. */
import type { NodeStatus, RoundSchedule, RoundStatus } from "../../../docs/rpc";
import { inTokens } from "./amounts";
import { clock, span } from "./times";
import type { Worry } from "./worry";

export interface Owed {
  round: number;
  what: "reveal" | "commit" | "score";
  /** On the chain's clock, seconds of Unix. */
  until: number;
  /** What is lost otherwise, in wei; null where nothing was put up. */
  bond: string | null;
}

/** The most urgent first. */
export function owed(status: Pick<NodeStatus, "roles" | "rounds">, schedules: ReadonlyMap<number, RoundSchedule>): Owed[] {
  const found = status.rounds.flatMap((mine) => {
    const schedule = schedules.get(mine.round);
    return schedule === undefined ? [] : ofRound(mine, schedule, status.roles);
  });
  return found.sort((one, other) => one.until - other.until);
}

function ofRound(mine: RoundStatus, schedule: RoundSchedule, roles: readonly string[]): Owed[] {
  const { round, phase, commit_end, reveal_end, verify_end, bond } = schedule;
  if (mine.committed && !mine.revealed && ["commit", "gap", "reveal"].includes(phase)) {
    return [{ round, what: "reveal", until: reveal_end, bond }];
  }
  if (roles.includes("solver") && phase === "commit" && mine.prepared && !mine.committed) {
    return [{ round, what: "commit", until: commit_end, bond: null }];
  }
  if (roles.includes("coordinator") && phase === "verify" && mine.prepared && !mine.scored) {
    return [{ round, what: "score", until: verify_end, bond: null }];
  }
  return [];
}

/** `folder`: `node.data_dir`, as far as the node had told. */
export function startAgain(folder: string | null): string {
  const where = folder === null ? "" : `, with the file that names \`${folder}\` as its \`data_dir\` (as \`init\` and \`quickstart\` make it, the \`node.toml\` beside that folder)`;
  return `Start it again on its machine${where}: \`jepanet node run --config ${beside(folder)}\`. \`jepanet status --config ${beside(folder)}\` says whether it runs, and the end of its log why it does not.`;
}

function beside(folder: string | null): string {
  const room = folder === null ? null : /^(\/.+)\/[^/]+\/?$/.exec(folder);
  return room === null ? "node.toml" : `${room[1]}/node.toml`;
}

/** Of a node that does not answer: what it had to do, as far as it had told. `zone`: undefined for this computer's. */
export function gone(list: readonly Owed[], now: number, zone?: string, folder: string | null = null): Worry[] {
  const found: Worry[] = [{ tone: "bad", what: "Your node does not answer", remedy: startAgain(folder) }];
  for (const item of list) found.push(inTime(item, now, zone));
  if (list.length === 0) {
    found.push({
      tone: "plain",
      what: "As far as it had told, it owes nothing that has a deadline",
      remedy: "What it has on disk stays there. In a round that was opened since it takes no part before it is back.",
    });
  }
  return found;
}

function inTime(item: Owed, now: number, zone?: string): Worry {
  const when = clock(item.until, now, zone);
  const late = now >= item.until;
  const left = late ? `${when} is over` : `before ${when}, in ${span(item.until - now)}`;
  if (item.what === "reveal") {
    const bond = inTokens(item.bond ?? "0");
    return late
      ? { tone: "bad", what: `It had to reveal in round ${item.round} before ${when}`, remedy: `If it did not, its bond of ${bond} is lost. The page of the round says so once it is back.` }
      : { tone: "bad", what: `It has to be back ${left}, or lose its bond of ${bond}`, remedy: `It has committed to a delta in round ${item.round}, and has to reveal that by then. Leave some blocks for the transaction.` };
  }
  if (item.what === "commit") {
    return { tone: "warn", what: late ? `Its commitment of round ${item.round} is too late: ${left}` : `It has to be back ${left}, to commit in round ${item.round}`, remedy: "It had put up no bond in that round, as far as it had told, so it loses the training alone." };
  }
  return { tone: "bad", what: late ? `Its scores of round ${item.round} are too late: ${left}` : `Its scores of round ${item.round} are awaited ${left}`, remedy: "Without enough coordinators the round ends without a result: nobody is paid, and this one earns no fee." };
}

/** What a worker that does nothing waits for. */
export function idle(list: readonly Owed[], now: number, zone?: string): string {
  const due = list.find((item) => item.what === "reveal");
  if (due !== undefined) {
    return `The worker waits. The node has still to reveal its delta of round ${due.round}, before ${clock(due.until, now, zone)}: keep it running until then.`;
  }
  return "The worker waits. It starts when this node has work to do in a round.";
}
