/** The phases of a round in a row: what is over, what runs and how far it is, what is ahead. */
import type { RoundSchedule } from "../../../docs/rpc";
import { now } from "../node/clock";
import { phaseName, sooner, stages } from "../words/phases";
import { Countdown, Moment } from "./Moment";

export function PhaseLine({ schedule }: { schedule: RoundSchedule }) {
  const early = sooner(schedule.phase);
  return (
    <>
    <ol class="phases" aria-label={`Phases of round ${schedule.round}`}>
      {stages(schedule).map((stage) => {
        const whole = stage.to === null ? 0 : stage.to - stage.from;
        const done = whole > 0 ? Math.min(100, Math.max(0, (100 * (now.value - stage.from)) / whole)) : 0;
        return (
          <li class={stage.state} key={stage.phase} aria-current={stage.state === "now" ? "step" : undefined}>
            <svg class="track" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
              <rect width="100" height="4" />
              <rect class="filled" height="4" width={stage.state === "done" ? 100 : stage.state === "now" ? done : 0} />
            </svg>
            <span class="name">{phaseName(stage.phase)}</span>
            <span class="when">
              {stage.to === null ? (
                stage.state === "done" ? "recorded" : "–"
              ) : stage.state === "now" ? (
                <strong>ends in <Countdown to={stage.to} /></strong>
              ) : (
                <>{stage.state === "done" ? "ended" : "ends"} <Moment at={stage.to} /></>
              )}
            </span>
          </li>
        );
      })}
    </ol>
    {early !== "" && <p class="muted early">{early}</p>}
    </>
  );
}
