/** Where a claim can be tried by hand. */
import type { NodeStatus, Reward } from "../../../docs/rpc";

/** Given up, or tried in vain so far: the node itself does all others. */
export function claimable(item: Pick<Reward, "round" | "paid" | "claim">, duties: NodeStatus["duties"]): boolean {
  if (item.paid === "0") return false;
  if (item.claim === "rejected") return true;
  const tried = duties.find((duty) => duty.duty === `SendClaim/${item.round}`);
  return item.claim === "pending" && tried !== undefined && tried.error !== null;
}
