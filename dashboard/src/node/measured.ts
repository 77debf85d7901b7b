/** What was measured of the model on held-out data, before and after each of the newest rounds. */
import { useEffect, useState } from "preact/hooks";
import type { RoundFigures } from "../../../docs/rpc";
import { callAll, CallError } from "./rpc";
import { token } from "./token";
import { rounds } from "./watching";

/** Milliseconds until a sheet that was not here yet, or a node that did not answer, is asked for again. */
const AGAIN = 5000;
/** As often at most: what nobody serves any more does not come. */
const TRIES = 24;

/** The oldest first, of rounds whose score sheet is here; null before the node answered. */
export function useMeasured(): readonly RoundFigures[] | null {
  const [found, setFound] = useState<readonly RoundFigures[] | null>(null);
  const [tries, setTries] = useState(0);
  const asked = rounds.value?.filter((item) => item.sheet !== null).map((item) => item.round).join(" ");
  useEffect(() => {
    const held = token.value;
    if (held === null || asked === undefined) return undefined;
    let wanted = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const later = () => {
      if (wanted && tries < TRIES) timer = setTimeout(() => setTries((before) => before + 1), AGAIN);
    };
    const calls = (asked === "" ? [] : asked.split(" ")).map((round) => ({ method: "rounds.get" as const, params: { round: Number(round) } }));
    (calls.length > 0 ? callAll(held, calls) : Promise.resolve([])).then(
      (answers) => {
        if (!wanted) return;
        const told = answers.filter((item): item is RoundFigures => !(item instanceof CallError) && item.sheet_read);
        setFound(told.sort((one, other) => one.round - other.round));
        if (told.length < answers.length) later();
      },
      later, // that nobody answers is said above the page
    );
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [asked, tries]);
  return found;
}
