/** What was measured of the model on held-out data, before and after each of the newest rounds. */
import { useEffect, useState } from "preact/hooks";
import type { RoundFigures } from "../../../docs/rpc";
import { callAll, CallError } from "./rpc";
import { token } from "./token";
import { rounds } from "./watching";

/** The oldest first, of rounds whose score sheet is here; null before the node answered. */
export function useMeasured(): readonly RoundFigures[] | null {
  const [found, setFound] = useState<readonly RoundFigures[] | null>(null);
  const asked = rounds.value?.filter((item) => item.sheet !== null).map((item) => item.round).join(" ");
  useEffect(() => {
    const held = token.value;
    if (held === null || asked === undefined) return undefined;
    let wanted = true;
    const calls = (asked === "" ? [] : asked.split(" ")).map((round) => ({ method: "rounds.get" as const, params: { round: Number(round) } }));
    (calls.length > 0 ? callAll(held, calls) : Promise.resolve([])).then(
      (answers) => {
        if (!wanted) return;
        const told = answers.filter((item): item is RoundFigures => !(item instanceof CallError) && item.sheet_read);
        setFound(told.sort((one, other) => one.round - other.round));
      },
      () => wanted && setFound((before) => before ?? []), // that nobody answers is said above the page
    );
    return () => {
      wanted = false;
    };
  }, [asked]);
  return found;
}
