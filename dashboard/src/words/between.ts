/** What is awaited while no round is open, in words. */
import { count } from "./sizes";
import { distance } from "./times";

/** `projects`: those that this node works for. `toPlay`: up to how many rounds this node opens in each; null
 * where it is no proposer. `ended`: when the newest round did, seconds of Unix. */
export function between(projects: readonly { project: number; rounds: number }[], toPlay: number | null, ended: number | null, now: number): string {
  const last = ended === null ? "" : ` The newest one ended ${distance(ended, now)}.`;
  if (toPlay === 0) return `This proposer opens none: \`proposer.rounds\` is 0.${last}`;
  if (toPlay !== null && projects.length > 0 && projects.every((item) => item.rounds >= toPlay)) {
    return `All are played: each project has reached the ${count(toPlay, "round")} of \`proposer.rounds\`. Raise it and start the node again for more.${last}`;
  }
  if (toPlay !== null) return `This node opens the next one by itself, up to ${count(toPlay, "round")} a project.${last}`;
  const played = projects.slice(0, 3).map((item) => `project ${item.project} has played ${count(item.rounds, "round")}`).join(", ");
  const known = played === "" ? "" : ` So far ${played}; whether its proposer opens another is not on the chain.`;
  return `The node starts by itself when a proposer opens the next one.${known}${last}`;
}
