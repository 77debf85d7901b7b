/** Receipts of this wallet's own deltas in the newest rounds. */
import { useEffect, useState } from "preact/hooks";
import type { Receipt } from "../../../docs/rpc";
import { callAll, CallError } from "./rpc";
import { token } from "./token";
import { changes, rewards, status } from "./watching";

const MOST = 20;

/** By round; null before the node answered. */
export function useOwnReceipts(): ReadonlyMap<number, Receipt> | null {
  const [found, setFound] = useState<ReadonlyMap<number, Receipt> | null>(null);
  const wallet = status.value?.wallet;
  const known = rewards.value?.filter((item) => item.part === "solver" && item.verdict !== null).slice(0, MOST);
  const asked = known?.map((item) => item.round).join(" ");
  const version = changes.value;
  useEffect(() => {
    const held = token.value;
    if (held === null || wallet === undefined || asked === undefined) return undefined;
    let wanted = true;
    const rounds = asked === "" ? [] : asked.split(" ").map(Number);
    const calls = rounds.map((round) => ({ method: "receipts.get" as const, params: { round, solver: wallet } }));
    (calls.length > 0 ? callAll(held, calls) : Promise.resolve([])).then(
      (answers) => {
        if (!wanted) return;
        const told = answers.flatMap((item, place) =>
          item instanceof CallError ? [] : [[rounds[place]!, item.receipt] as const],
        );
        setFound(new Map(told));
      },
      () => wanted && setFound((before) => before ?? new Map()), // that nobody answers is said above the page
    );
    return () => {
      wanted = false;
    };
  }, [wallet, asked, version]);
  return found;
}
