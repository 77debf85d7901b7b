/** The node's newest log lines, the newest first, by level, round, and what they are about. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { LogLine } from "../../../docs/rpc";
import { useAsked, usePaging } from "../node/asked";
import { tick } from "../node/clock";
import type { Params } from "../node/rpc";
import { Listing, type Column } from "../parts/Listing";
import { Dated } from "../parts/Moment";
import { Card } from "../parts/Notice";
import { Tag } from "../parts/Tag";
import { said } from "../words/lines";
import { zoneName } from "../words/times";
import type { Tone } from "../words/verdicts";

type Level = NonNullable<Params<"logs.list">["level"]>;
const LEVELS: readonly Level[] = ["debug", "info", "warning", "error", "critical"];
const TONES: Record<string, Tone> = { warning: "warn", error: "bad", critical: "bad" };

const columns = (zone: string): readonly Column<LogLine>[] => [
  { head: `Time (${zone})`, cell: (item) => <Dated at={item.at} /> },
  { head: "Level", cell: (item) => <Tag tone={TONES[item.level] ?? "plain"}>{item.level}</Tag> },
  { head: "Event", cell: (item) => <span class="mono">{item.event}</span> },
  { head: "Round", cell: (item) => (item.round === null ? "–" : <a href={`#/rounds/${item.round}`}>{item.round}</a>) },
  {
    head: "What",
    cell: (item) => <span class="said">{said(item.fields)}</span>,
  },
];

const TYPING_MS = 300;

interface Wanted {
  level: Level | null;
  round: number | null;
  about: string | null;
}

export function Log() {
  const [wanted, setWanted] = useState<Wanted>({ level: null, round: null, about: null });
  const paging = usePaging(JSON.stringify(wanted));
  const asked = useAsked("logs.list", { limit: 50, cursor: paging.cursor, ...wanted });
  const waiting = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => () => clearTimeout(waiting.current), []);

  /** As it is typed, and at once where Enter is pressed or a level is chosen. */
  function typed(event: Event): void {
    const form = event.currentTarget as HTMLFormElement;
    clearTimeout(waiting.current);
    waiting.current = setTimeout(() => take(form), TYPING_MS);
  }

  function choose(event: Event): void {
    event.preventDefault();
    clearTimeout(waiting.current);
    take(event.currentTarget as HTMLFormElement);
  }

  function take(of: HTMLFormElement): void {
    const form = new FormData(of);
    const round = Number(form.get("round"));
    setWanted({
      level: LEVELS.find((item) => item === form.get("level")) ?? null,
      round: Number.isSafeInteger(round) && round > 0 ? round : null,
      about: String(form.get("about") ?? "").trim() || null,
    });
  }
  return (
    <>
      <h1>Log</h1>
      <div class="cards">
        <Card title="The newest lines" aside="the newest first" wide>
          <form class="filter" onSubmit={choose} onChange={choose} onInput={typed}>
            <label>
              At least{" "}
              <select name="level">
                <option value="">any level</option>
                {LEVELS.map((item) => <option key={item}>{item}</option>)}
              </select>
            </label>
            <label>
              Round <input name="round" inputMode="numeric" pattern="[0-9]*" placeholder="any" size={6} />
            </label>
            <label>
              About <input name="about" placeholder="digest, address or peer" size={24} maxLength={100} />
            </label>
          </form>
          <p class="key">Sifted as you type. A digest, address or peer is found whole, in part, or as this page shortens it.</p>
          <Listing
            label="Log"
            columns={columns(zoneName(tick.value))}
            asked={asked}
            keyOf={(item) => item.number}
            paging={paging}
            empty="No line that the node keeps is of this kind."
          />
        </Card>
      </div>
    </>
  );
}
