/** The job that runs: how far, how fast, how it compares to its deadline. */
import type { TrainingNow } from "../../../docs/rpc";
import { now } from "../node/clock";
import { link, schedules, status, work } from "../node/watching";
import { jobName, trains } from "../words/jobs";
import { idle, owed } from "../words/owed";
import { figure, grouped } from "../words/sizes";
import { span } from "../words/times";
import { deadline, lateness, left } from "../words/worries";
import { Countdown } from "./Moment";
import { Facts } from "./Notice";
import { Tag } from "./Tag";

/** `measured`: the node's own figures of the job, where they were asked for. */
export function Progress({ measured = null }: { measured?: TrainingNow | null }) {
  const job = work.value;
  if (link.value.state === "lost") return <p class="empty">The node does not answer, so nobody knows whether it works still.</p>;
  if (job === null) {
    const list = status.value === null ? [] : owed(status.value, schedules.value);
    return <p class="empty">{idle(list, now.value)}</p>;
  }
  const { step, steps } = job;
  const inSteps = trains(job.job) || step != null;
  const known = measured?.job === job.job ? measured : null;
  const rest = known?.seconds_left ?? left(job);
  const end = known?.deadline ?? (job.job === "train_delta" ? deadline({ schedules: schedules.value }) : null);
  const late = known?.seconds_left != null && end !== null ? now.value + known.seconds_left - end : lateness(job, end, now.value);
  const pace = known?.rate ?? (step ? step / Math.max(1, job.seconds) : null);
  return (
    <>
      <p class="big">
        {jobName(job.job)}
        {late !== null && <Tag tone={late > 0 ? "bad" : "good"}>{late > 0 ? "Late" : "On time"}</Tag>}
      </p>
      {step != null && steps != null && (
        <progress max={steps} value={step} aria-label={`Step ${step} of ${steps}`} />
      )}
      <Facts
        figures
        rows={[
          ...(inSteps ? ([["Step", step == null || steps == null ? "none reported yet" : `${grouped(step)} of ${grouped(steps)}`]] as const) : []),
          ...(trains(job.job) ? ([["Loss", job.loss == null ? "–" : figure(job.loss)]] as const) : []),
          ...(inSteps ? ([["Pace", pace === null ? "–" : `${figure(pace)} steps/s`]] as const) : []),
          ["Runs for", span(job.seconds)],
          ...(inSteps ? ([["Time left", rest === null ? "–" : span(rest)]] as const) : []),
          ...(end === null ? [] : ([["Deadline in", <Countdown to={end} />]] as const)),
          ...(late === null ? [] : ([[late > 0 ? "Too late by" : "To spare", span(Math.abs(late))]] as const)),
        ]}
      />
    </>
  );
}
