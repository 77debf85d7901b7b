/** What the model of a project came to over rounds, measured on data that nobody trained on. */
import type { RoundFigures } from "../../../../docs/rpc";
import { Chart } from "../../parts/Chart";
import { Card, Waiting } from "../../parts/Notice";
import { courses } from "../../words/metrics";
import { figure } from "../../words/sizes";

export function HeldOut({ measured }: { measured: readonly RoundFigures[] | null }) {
  const project = measured?.at(-1)?.project;
  const found = courses((measured ?? []).filter((item) => item.project === project));
  return (
    <Card title="The model on held-out data" aside={project === undefined ? undefined : `project ${project}, after each round`} wide>
      {measured === null ? (
        <Waiting />
      ) : found.length === 0 ? (
        <p class="empty">Two rounds with a score sheet that is stored here make a curve: score, rank and variance of the model on data nobody trained on.</p>
      ) : (
        <div class="charts">
          {found.map(({ metric, rounds, values }) => (
            <section key={metric.name}>
              <h3>
                {metric.title} <span class="muted">{figure(values.at(-1)!)}</span>
              </h3>
              <Chart
                label={`${metric.title} from ${figure(values[0]!)} after round ${rounds[0]} to ${figure(values.at(-1)!)} after round ${rounds.at(-1)}`}
                x={rounds}
                y={values}
                names={["round", metric.title]}
                caption={metric.tells}
                height={150}
              />
            </section>
          ))}
        </div>
      )}
    </Card>
  );
}
