/** The training that runs, live, and how those of earlier rounds ended. */
import type { RoundStatus } from "../../../docs/rpc";
import { losses, status } from "../node/watching";
import { Chart } from "../parts/Chart";
import { Listing, type Column } from "../parts/Listing";
import { Card } from "../parts/Notice";
import { Progress } from "../parts/Progress";
import { Tag } from "../parts/Tag";
import { figure } from "../words/sizes";

const COLUMNS: readonly Column<RoundStatus>[] = [
  { head: "Round", cell: (item) => <a href={`#/rounds/${item.round}`}>Round {item.round}</a> },
  { head: "Training", cell: (item) => <Ended item={item} /> },
  { head: "Why", cell: (item) => item.training?.why ?? "–" },
  { head: "Delta", cell: (item) => (item.sealed ? "sealed" : "–") },
];

function Ended({ item }: { item: RoundStatus }) {
  if (item.training === null) return <span class="muted">none ended</span>;
  const { status: how } = item.training;
  if (how === "ok") return <Tag tone="good">Done</Tag>;
  if (how === "early_stop") return <Tag tone="good">Done early</Tag>;
  return <Tag tone="bad">{how}</Tag>;
}

export function Training() {
  const points = losses.value;
  const ended = [...(status.value?.rounds ?? [])].sort((one, other) => other.round - one.round).slice(0, 50);
  const last = points.at(-1);
  return (
    <>
      <h1>Training</h1>
      <div class="cards">
        <Card title="Now" wide>
          <Progress />
        </Card>
        <Card title="Loss" aside={last === undefined ? undefined : `${figure(last.loss)} at step ${last.step}`} wide>
          {points.length < 2 ? (
            <p class="empty">The curve begins here when a training reports its steps, and goes on while this page is open.</p>
          ) : (
            <Chart
              label={`Loss from ${figure(points[0]!.loss)} at step ${points[0]!.step} to ${figure(last!.loss)} at step ${last!.step}`}
              x={points.map((item) => item.step)}
              y={points.map((item) => item.loss)}
              names={["step", "loss"]}
              height={280}
            />
          )}
        </Card>
        <Card title="Trainings of rounds" wide>
          <Listing
            label="Trainings of rounds"
            columns={COLUMNS}
            asked={{ value: status.value === null ? null : { items: ended, next: null }, error: null }}
            keyOf={(item) => item.round}
            empty="This node has not trained in a round yet."
          />
        </Card>
      </div>
    </>
  );
}
