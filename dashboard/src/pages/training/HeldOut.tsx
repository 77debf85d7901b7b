/** What the model of a project came to over rounds, measured on data that nobody trained on. */
import type { RoundFigures } from "../../../../docs/rpc";
import { rounds } from "../../node/watching";
import { CourseChart } from "../../parts/CourseChart";
import { Card, Waiting } from "../../parts/Notice";
import { NOT_COMPARABLE } from "../../words/improvements";
import { courses } from "../../words/metrics";
import { isOver } from "../../words/phases";
import { figure } from "../../words/sizes";

export function HeldOut({ measured }: { measured: readonly RoundFigures[] | null }) {
  const project = measured?.at(-1)?.project;
  const over = (rounds.value ?? []).filter((item) => item.project === project && isOver(item.phase));
  const found = courses((measured ?? []).filter((item) => item.project === project), over.map((item) => item.round));
  return (
    <Card title="The model on held-out data" aside={project === undefined ? undefined : `project ${project}, after each round`} wide>
      {measured === null ? (
        <Waiting />
      ) : found.length === 0 ? (
        <p class="empty">Two rounds with a score sheet that is stored here make a curve: score, rank and variance of the model on data nobody trained on.</p>
      ) : (
        <>
          <p class="key">{NOT_COMPARABLE}</p>
          <div class="charts">
            {found.map((course) => (
              <section key={course.metric.name}>
                <h3>
                  {course.metric.title} <span class="muted">{figure(course.values.at(-1)!)} {course.metric.unit}</span>
                </h3>
                <CourseChart course={course} height={150} />
              </section>
            ))}
          </div>
        </>
      )}
    </Card>
  );
}
