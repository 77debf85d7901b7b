/** The node's newest log lines, the newest first, by level, round, and what they are about. */
import { useState } from "preact/hooks";
import type { LogLine } from "../../../docs/rpc";
import { useAsked, usePaging } from "../node/asked";
import type { Params } from "../node/rpc";
import { Listing, type Column } from "../parts/Listing";
import { Moment } from "../parts/Moment";
import { Card } from "../parts/Notice";
import { Tag } from "../parts/Tag";
import type { Tone } from "../words/verdicts";

type Level = NonNullable<Params<"logs.list">["level"]>;
const LEVELS: readonly Level[] = ["debug", "info", "warning", "error", "critical"];
const TONES: Record<string, Tone> = { warning: "warn", error: "bad", critical: "bad" };

const COLUMNS: readonly Column<LogLine>[] = [
  { head: "Time", cell: (item) => <Moment at={item.at} /> },
  { head: "Level", cell: (item) => <Tag tone={TONES[item.level] ?? "plain"}>{item.level}</Tag> },
  { head: "Event", cell: (item) => <span class="mono">{item.event}</span> },
  { head: "Round", cell: (item) => (item.round === null ? "–" : <a href={`#/rounds/${item.round}`}>{item.round}</a>) },
  {
    head: "What",
    cell: (item) => <span class="said">{Object.entries(item.fields).map(([name, value]) => `${name} ${value}`).join(", ") || "–"}</span>,
  },
];

interface Wanted {
  level: Level | null;
  round: number | null;
  about: string | null;
}

export function Log() {
  const [wanted, setWanted] = useState<Wanted>({ level: null, round: null, about: null });
  const paging = usePaging(JSON.stringify(wanted));
  const asked = useAsked("logs.list", { limit: 50, cursor: paging.cursor, ...wanted });
  function choose(event: Event): void {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
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
          <form class="filter" onSubmit={choose} onChange={choose}>
            <label>
              At least{" "}
              <select name="level">
                <option value="">any level</option>
                {LEVELS.map((item) => <option key={item}>{item}</option>)}
              </select>
            </label>
            <label>
              Round <input name="round" inputMode="numeric" size={6} />
            </label>
            <label>
              About <input name="about" placeholder="digest, address or peer" size={24} maxLength={100} />
            </label>
          </form>
          <Listing
            label="Log"
            columns={COLUMNS}
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
