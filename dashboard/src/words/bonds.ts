/** What became of a solver's bond in a round that was cancelled, in words. */
import { inTokens } from "./amounts";

export interface OwnBond {
  round: number;
  cause: string | null;
  /** In wei. */
  bond: string;
  revealed: boolean;
  /** How far the transaction that releases it is; null: none was sent. */
  release: string | null;
}

export function bondOf(item: OwnBond): string {
  const amount = inTokens(item.bond);
  if (!item.revealed) return `${amount}, lost to whoever shows that this wallet revealed no delta`;
  if (item.release === "mined") return `${amount}, returned whole as free stake`;
  if (item.release === "failed") return `${amount}, still locked: its release failed; "Log" says why, and the node tries it anew`;
  return item.release === null ? `${amount}, to be returned whole; the node releases it by itself` : `${amount}, on its way back whole`;
}

/** Why a round has no improvement to show. */
export function unmeasured(phase: string): string {
  return phase === "cancelled" ? "none, and there will be none: the round was cancelled" : "not measured yet";
}
