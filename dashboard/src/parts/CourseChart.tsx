/** One metric of a model over rounds, the base before the first of them included where it is known. Each round is
 * measured on a shard of its own, so a point is joined to no other. */
import type { Course } from "../words/metrics";
import { figure } from "../words/sizes";
import { Chart } from "./Chart";

export function CourseChart({ course, height }: { course: Course; height?: number }) {
  const { metric, rounds, values, base } = course;
  const from = base ? `before round ${rounds[1]}` : `after round ${rounds[0]}`;
  const unit = metric.unit === "" ? "" : ` in ${metric.unit}`;
  return (
    <Chart
      label={`${metric.title} from ${figure(values[0]!)} ${from} to ${figure(values.at(-1)!)} after round ${rounds.at(-1)}`}
      x={rounds}
      y={values}
      errors={values.map(() => 0)}
      names={["round", metric.title]}
      caption={`${metric.title}${unit} by round${metric.tells === "" ? "" : `: ${metric.tells}`}${base ? `; the first point is the base of round ${rounds[1]}, on that round's shard` : ""}; each round is measured on a shard of its own, so points are not joined`}
      {...(base ? { first: "base" } : {})}
      {...(height === undefined ? {} : { height })}
    />
  );
}
