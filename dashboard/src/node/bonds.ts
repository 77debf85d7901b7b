/** This wallet's bonds in rounds that were cancelled: they are in no list of rewards, since those have no result. */
import { useEffect, useState } from "preact/hooks";
import type { RoundSummary } from "../../../docs/rpc";
import type { OwnBond } from "../words/bonds";
import { same } from "../words/shortened";
import { callAll, CallError } from "./rpc";
import { observed } from "./serves";
import { token } from "./token";
import { changes, status } from "./watching";

/** Of those among `rounds` to which this wallet committed; null before the node answered. */
export function useCancelledBonds(rounds: readonly RoundSummary[] | null): readonly OwnBond[] | null {
  const [found, setFound] = useState<readonly OwnBond[] | null>(null);
  const over = rounds?.filter((item) => item.phase === "cancelled" && item.commits > 0);
  const asked = over?.map((item) => item.round).join(" ");
  const wallet = status.value?.wallet;
  const version = changes.value;
  useEffect(() => {
    const held = token.value;
    if (held === null || over === undefined || wallet === undefined || observed.value) return undefined;
    let wanted = true;
    const calls = over.map((item) => ({ method: "rounds.commitments" as const, params: { round: item.round, limit: 100 } }));
    const all = calls.length === 0 ? Promise.resolve(null) : callAll(held, [{ method: "transactions.list", params: { limit: 100 } }, ...calls]);
    all.then(
      (answers) => {
        if (!wanted) return;
        const [sent, ...committed] = answers ?? [new CallError("declined", "nothing was asked")];
        const known = sent instanceof CallError ? [] : sent.items;
        setFound(
          over.flatMap((item, place) => {
            const told = committed[place];
            if (told === undefined || told instanceof CallError) return [];
            const mine = told.items.find((one) => same(one.solver, wallet));
            if (mine === undefined) return [];
            const release = known.find((one) => one.what === `release/${item.round}`)?.state ?? null;
            return [{ round: item.round, cause: item.cause, bond: item.bond, revealed: mine.delta !== null, release }];
          }),
        );
      },
      () => wanted && setFound((before) => before ?? []), // that nobody answers is said above the page
    );
    return () => {
      wanted = false;
    };
  }, [asked, wallet, version]);
  return found;
}
