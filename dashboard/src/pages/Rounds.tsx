/** Every round the node keeps, the newest first. */
import type { KnownProject, RoundSummary } from "../../../docs/rpc";
import { useAsked, usePaging } from "../node/asked";
import { rounds } from "../node/watching";
import { Chart } from "../parts/Chart";
import { Copied } from "../parts/Copied";
import { Listing, type Column } from "../parts/Listing";
import { Card } from "../parts/Notice";
import { Tag } from "../parts/Tag";
import { tokens } from "../words/amounts";
import { gain } from "../words/gains";
import { isOver, phaseName } from "../words/phases";

const COLUMNS: readonly Column<RoundSummary>[] = [
  { head: "Round", cell: (item) => <a href={`#/rounds/${item.round}`}>Round {item.round}</a> },
  { head: "Project", cell: (item) => item.project, number: true },
  {
    head: "Phase",
    cell: (item) => (
      <Tag tone={item.phase === "settled" ? "good" : isOver(item.phase) ? "warn" : "plain"} title={item.cause ?? undefined}>
        {phaseName(item.phase)}
        {item.cause !== null && `: ${item.cause}`}
      </Tag>
    ),
  },
  { head: "Commits", cell: (item) => item.commits, number: true },
  { head: "Reveals", cell: (item) => item.reveals, number: true },
  { head: "Improvement", cell: (item) => improvement(item.improvement), number: true },
  { head: "Paid", cell: (item) => (item.payout === null ? "–" : tokens(item.payout)), number: true },
  { head: "Budget", cell: (item) => tokens(item.budget), number: true },
];

const PROJECTS: readonly Column<KnownProject>[] = [
  { head: "Project", cell: (item) => <>{item.project} {item.followed && <Tag tone="good">Followed</Tag>}</> },
  { head: "Owner", cell: (item) => <Copied text={item.owner} what="owner" /> },
  { head: "Model now", cell: (item) => <Copied text={item.model} what="model" /> },
  { head: "Recipe", cell: (item) => <Copied text={item.recipe} what="recipe" /> },
  { head: "Dataset", cell: (item) => <Copied text={item.dataset} what="dataset" /> },
  { head: "Rounds", cell: (item) => item.rounds, number: true },
];

function Projects() {
  const paging = usePaging("");
  const asked = useAsked("projects.list", { limit: 20, cursor: paging.cursor });
  return (
    <Card title="Projects" wide>
      <Listing
        label="Projects"
        columns={PROJECTS}
        asked={asked}
        keyOf={(item) => item.project}
        paging={paging}
        empty="No project was created in this deployment yet."
      />
    </Card>
  );
}

function improvement(microNats: number | null): string {
  if (microNats === null) return "–";
  const told = gain(microNats, 0);
  return `${told.value} ${told.unit}`;
}

export function Rounds() {
  const paging = usePaging("");
  const asked = useAsked("rounds.list", { limit: 50, cursor: paging.cursor });
  const measured = (rounds.value ?? []).filter((item) => item.improvement !== null).reverse();
  return (
    <>
      <h1>Rounds</h1>
      <div class="cards">
        {measured.length > 1 && (
          <Card title="Did it help?" aside="held-out improvement of the model, newest rounds" wide>
            <Chart
              label={`Improvement of rounds ${measured[0]!.round} to ${measured.at(-1)!.round}`}
              x={measured.map((item) => item.round)}
              y={measured.map((item) => (item.improvement ?? 0) / 1000)}
              names={["round", "improvement in mnat"]}
              fromZero
            />
          </Card>
        )}
        <Card title="All rounds that the node keeps" aside="amounts in tokens" wide>
          <Listing
            label="Rounds"
            columns={COLUMNS}
            asked={asked}
            keyOf={(item) => item.round}
            paging={paging}
            empty="No round was opened yet. The first one appears here by itself."
          />
        </Card>
        <Projects />
      </div>
    </>
  );
}
