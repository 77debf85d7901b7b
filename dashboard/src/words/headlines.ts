/** The first line of the overview: how the node stands, and where the newest round is. */
import type { Health } from "../../../docs/rpc";
import { phaseName } from "./phases";
import type { Worry } from "./worry";

const DOING: Record<string, string> = {
  commit: "training",
  gap: "drawing its shard",
  reveal: "revealing",
  verify: "being scored",
  challenge: "open to challenge",
};

/** `lost`: the node does not answer, and all else is what it had told before. */
export function headline(lost: boolean, health: Health | null, found: readonly Worry[], round: { round: number; phase: string } | undefined): string {
  const doing = round === undefined ? "" : (DOING[round.phase] ?? phaseName(round.phase).toLowerCase());
  if (lost) return round === undefined ? "Your node does not answer" : `Your node does not answer; round ${round.round} was ${doing} when it last did`;
  const state = standing(health, found);
  return round === undefined ? state : `${state}; round ${round.round} is ${doing}`;
}

function standing(health: Health | null, found: readonly Worry[]): string {
  if (found.some((item) => item.tone === "bad")) return "Your node needs you";
  if (health !== null && !health.ready) return "Your node is not ready yet";
  return found.length > 0 ? "Your node is well, with a remark" : "Your node is well";
}
