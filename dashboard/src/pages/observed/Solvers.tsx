/** Who trained for a project, what became of their deltas, and what they were paid. */
import type { SolverOfProject } from "../../../../docs/rpc-observer";
import { useAsked, usePaging } from "../../node/asked";
import { observing } from "../../node/observing";
import { Copied } from "../../parts/Copied";
import { Listing, type Column } from "../../parts/Listing";
import { Card } from "../../parts/Notice";
import { tokens } from "../../words/amounts";
import { signed } from "../../words/gains";
import { grouped } from "../../words/sizes";
import { Chosen } from "./Chosen";

const COLUMNS: readonly Column<SolverOfProject>[] = [
  { head: "Place", cell: (item) => grouped(item.place), number: true },
  { head: "Solver", cell: (item) => <Copied text={item.solver} what="solver" /> },
  { head: "Deltas", cell: (item) => grouped(item.deltas), number: true },
  { head: "Accepted", cell: (item) => grouped(item.accepted), number: true },
  { head: "Gain", cell: (item) => `${signed(item.gain / 1000, 1)} mnat`, number: true },
  { head: "Paid", cell: (item) => tokens(item.paid), number: true },
  { head: "May yet be paid", cell: (item) => (item.open === "0" ? "–" : tokens(item.open)), number: true },
  { head: "Last in", cell: (item) => <a href={`#/rounds/${item.newest}`}>Round {item.newest}</a> },
];
const EMPTY = "Nobody is known yet: who revealed a delta stands in the score sheet of its round, once that is recorded and was read.";

export function Solvers() {
  return <Chosen title={(number) => `Solvers of project ${number}`}>{(number) => <All project={number} key={number} />}</Chosen>;
}

function All({ project }: { project: number }) {
  const paging = usePaging(String(project));
  const asked = useAsked("project.solvers", { project, limit: 50, cursor: paging.cursor });
  const awaited = observing.value?.awaited ?? 0;
  return (
    <div class="cards">
      <Card title="Who was paid most" aside="gain of accepted deltas together; paid in tokens" wide>
        {awaited > 0 && <p class="muted">{grouped(awaited)} score sheets are not read yet: what is in them is not counted here.</p>}
        <Listing label="Solvers" columns={COLUMNS} asked={asked} keyOf={(item) => item.solver} paging={paging} empty={EMPTY} />
      </Card>
    </div>
  );
}

/** The first five. */
export function BestPaid({ project }: { project: number }) {
  const asked = useAsked("project.solvers", { project, limit: 5 });
  return (
    <Card title="Who was paid most" aside={<a href="#/solvers">All solvers</a>} wide>
      <Listing
        label="Who was paid most"
        columns={COLUMNS}
        asked={asked.value === null ? asked : { value: { items: asked.value.items, next: null }, error: null }}
        keyOf={(item) => item.solver}
        empty={EMPTY}
      />
    </Card>
  );
}
