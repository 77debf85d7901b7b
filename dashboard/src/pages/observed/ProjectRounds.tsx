/** Every round of a project, the newest first: what it came to, by how much, and what it paid. */
import type { RoundOfProject } from "../../../../docs/rpc-observer";
import { useAsked, usePaging } from "../../node/asked";
import { Listing, type Column } from "../../parts/Listing";
import { Moment } from "../../parts/Moment";
import { Card } from "../../parts/Notice";
import { Tag } from "../../parts/Tag";
import { tokens } from "../../words/amounts";
import { gain } from "../../words/gains";
import { inMnat } from "../../words/improvements";
import { outcome } from "../../words/observed";
import { phaseName } from "../../words/phases";
import { Chosen } from "./Chosen";

export function Outcome({ item }: { item: RoundOfProject }) {
  const { name, tone, meaning } = outcome(item.outcome);
  return (
    <>
      <Tag tone={tone} title={inMnat(item.note ?? "") || meaning}>
        {item.outcome === "open" ? phaseName(item.phase) : name}
      </Tag>
      {item.outcome === "cancelled" && item.cause !== null && <span class="muted"> {item.cause}</span>}
      {!item.final && item.outcome !== "open" && <span class="muted"> may be challenged</span>}
    </>
  );
}

export function Improvement({ item }: { item: RoundOfProject }) {
  if (item.improvement === null) return <>–</>;
  const { value, error, unit } = gain(item.improvement, item.stderr ?? 0);
  return (
    <>
      {value} {item.stderr !== null && <span class="muted">± {error} </span>}
      {unit}
    </>
  );
}

const COLUMNS: readonly Column<RoundOfProject>[] = [
  { head: "Round", cell: (item) => <a href={`#/rounds/${item.round}`}>Round {item.round}</a> },
  { head: "Outcome", cell: (item) => <Outcome item={item} /> },
  { head: "Improvement", cell: (item) => <Improvement item={item} />, number: true },
  { head: "Merged deltas", cell: (item) => (item.accepted === null ? "–" : `${item.outcome === "merged" ? item.accepted : 0} of ${item.reveals}`), number: true },
  { head: "Paid", cell: (item) => (item.payout === null ? "–" : tokens(item.payout)), number: true },
  { head: "Budget", cell: (item) => tokens(item.budget), number: true },
  { head: "Recorded", cell: (item) => (item.recorded === null ? "–" : <Moment at={item.recorded.at} />) },
];

export function ProjectRounds() {
  return <Chosen title={(number) => `Rounds of project ${number}`}>{(number) => <All project={number} key={number} />}</Chosen>;
}

function All({ project }: { project: number }) {
  const paging = usePaging(String(project));
  const asked = useAsked("project.rounds", { project, limit: 50, cursor: paging.cursor });
  return (
    <div class="cards">
      <Card title="All rounds" aside="open one to see every delta, and the sum that makes its payment; amounts in tokens" wide>
        <Listing
          label="Rounds"
          columns={COLUMNS}
          asked={asked}
          keyOf={(item) => item.round}
          paging={paging}
          empty="No round was opened yet. The first one appears here by itself."
        />
      </Card>
    </div>
  );
}
