/** Every round the node keeps, the newest first. */
import type { KnownProject, RoundSummary } from "../../../docs/rpc";
import { useAsked, usePaging } from "../node/asked";
import { useMeasured } from "../node/measured";
import { rounds } from "../node/watching";
import { Copied } from "../parts/Copied";
import { GainChart } from "../parts/GainChart";
import { Listing, type Column } from "../parts/Listing";
import { Card } from "../parts/Notice";
import { Tag } from "../parts/Tag";
import { tokens } from "../words/amounts";
import { gain } from "../words/gains";
import { IMPROVEMENT_IS, NOT_COMPARABLE } from "../words/improvements";
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

/** Of the project that was measured last, over the newest rounds, those that ended without a result too. */
function Helped() {
  const figures = new Map(useMeasured()?.map((item) => [item.round, item]));
  const known = [...(rounds.value ?? [])].reverse();
  const project = known.findLast((item) => item.improvement !== null)?.project;
  const shown = known.filter((item) => item.project === project && (item.improvement !== null || item.phase === "cancelled"));
  if (shown.filter((item) => item.improvement !== null).length < 2) return null;
  const points = shown.map((item) => {
    const figure = figures.get(item.round);
    return { round: item.round, value: item.improvement, stderr: figure?.stderr ?? null, hollow: figure?.published === false };
  });
  return (
    <Card title="Did each round help?" aside={`project ${project}, improvement of the merged model over its base`} wide>
      <GainChart
        label={`Improvement of rounds ${shown[0]!.round} to ${shown.at(-1)!.round}`}
        name="improvement"
        points={points}
        filled="merged"
        hollow="withheld: the model stayed as it was"
        meaning={`${IMPROVEMENT_IS} ${NOT_COMPARABLE}`}
      />
    </Card>
  );
}

export function Rounds() {
  const paging = usePaging("");
  const asked = useAsked("rounds.list", { limit: 50, cursor: paging.cursor });
  return (
    <>
      <h1>Rounds</h1>
      <div class="cards">
        <Helped />
        <Card title="All rounds that the node keeps" aside="improvement in mnat, thousandths of a nat; amounts in tokens" wide>
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
