/** The job that runs: how far, how fast, whether it will be in time, and its loss from the first step on. */
import type { TrainingNow } from "../../../../docs/rpc";
import { useAsked } from "../../node/asked";
import { link, losses } from "../../node/watching";
import { Chart } from "../../parts/Chart";
import { Card } from "../../parts/Notice";
import { Progress } from "../../parts/Progress";
import { joined, noCurve } from "../../words/curves";
import { figure } from "../../words/sizes";

export function Live() {
  const running = useAsked("training.get", {}, link.value.heard).value?.running ?? null;
  return (
    <>
      <Card title="Now" aside={running?.round == null ? undefined : <a href={`#/rounds/${running.round}`}>Round {running.round}</a>} wide>
        <Progress measured={running} />
      </Card>
      <Loss running={running} />
    </>
  );
}

function Loss({ running }: { running: TrainingNow | null }) {
  const points = joined(running?.curve ?? [], losses.value);
  const [first, last] = [points[0], points.at(-1)];
  return (
    <Card title="Loss" aside={last === undefined ? undefined : `${figure(last[1])} at step ${last[0]}`} wide>
      {points.length < 2 ? (
        <p class="empty">{noCurve(running !== null, last)}</p>
      ) : (
        <Chart
          label={`Loss from ${figure(first![1])} at step ${first![0]} to ${figure(last![1])} at step ${last![0]}`}
          x={points.map(([step]) => step)}
          y={points.map(([, loss]) => loss)}
          names={["step", "loss"]}
          height={280}
        />
      )}
    </Card>
  );
}
