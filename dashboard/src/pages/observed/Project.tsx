/** A project at a glance: how good its model is, round after round, what it cost, and what is in the way. */
import { useState } from "preact/hooks";
import type { ProjectInWhole, RoundOfProject } from "../../../../docs/rpc-observer";
import { useAsked } from "../../node/asked";
import { tick } from "../../node/clock";
import { observing } from "../../node/observing";
import { rounds, schedules } from "../../node/watching";
import { CourseChart } from "../../parts/CourseChart";
import { GainChart } from "../../parts/GainChart";
import { Copied } from "../../parts/Copied";
import { Countdown } from "../../parts/Moment";
import { Card, Facts, Problem, Waiting, Worries } from "../../parts/Notice";
import { PhaseLine } from "../../parts/PhaseLine";
import { inTokens } from "../../words/amounts";
import { signed } from "../../words/gains";
import { IMPROVEMENT_IS, NOT_COMPARABLE } from "../../words/improvements";
import { courses } from "../../words/metrics";
import { troubles } from "../../words/observed";
import { happening, isOver, phaseEnd, phaseName } from "../../words/phases";
import { count, grouped } from "../../words/sizes";
import { Chosen } from "./Chosen";
import { BestPaid } from "./Solvers";

export function Project() {
  return <Chosen title={(number) => `Project ${number}`}>{(number) => <Whole project={number} key={number} />}</Chosen>;
}

function Whole({ project }: { project: number }) {
  const { value, error } = useAsked("project.get", { project });
  const asked = useAsked("project.rounds", { project, limit: 100 });
  const found = troubles(observing.value, value, tick.value);
  return (
    <div class="cards">
      {found.length > 0 && (
        <Card title="What is in the way" aside={count(found.length, "thing")} wide>
          <Worries found={found} />
        </Card>
      )}
      {value === null ? (
        <Card title="In short" wide>{error === null ? <Waiting /> : <Problem error={error} />}</Card>
      ) : (
        <InShort whole={value} />
      )}
      <Now project={project} />
      {asked.value !== null && <Quality rounds={[...asked.value.items].reverse()} />}
      <BestPaid project={project} />
    </div>
  );
}

function InShort({ whole }: { whole: ProjectInWhole }) {
  return (
    <Card title="In short" aside={whole.created === null ? undefined : <>owner <Copied text={whole.owner} what="owner" /></>} wide>
      <p class="big">
        {whole.newest === null ? "The model is the first one" : <>The model is that of <a href={`#/rounds/${whole.newest}`}>round {whole.newest}</a></>}
      </p>
      <Facts
        figures
        rows={[
          ["Model now", <Copied text={whole.model} what="model" />],
          ["Rounds", grouped(whole.rounds)],
          ["Merged", grouped(whole.merged)],
          ["Withheld", grouped(whole.withheld)],
          ["Cancelled", grouped(whole.cancelled)],
          ["Gained in all", whole.merged === 0 ? "nothing yet" : `${signed(whole.improvement / 1e3, 1)} mnat`],
          ["Paid", inTokens(whole.paid)],
          ["Open to challenge", inTokens(whole.open)],
          ["Solvers", <a href="#/solvers">{grouped(whole.solvers)}</a>],
          ["Score sheets read", `${grouped(whole.sheets)} of ${grouped(whole.sheets + whole.awaited)}`],
          ["Models", whole.unlinked.length === 0 ? <a href="#/provenance">one unbroken chain</a> : <a href="#/provenance">the chain is broken</a>],
          ["Evaluation shards", grouped(whole.evaluation_shards)],
        ]}
      />
      <p class="muted others">
        <a href="#/fetch">Download the model, or verify it yourself</a>
        {whole.left_out > 0 && ` · ${count(whole.left_out, "older round")} not shown`}
      </p>
    </Card>
  );
}

/** The round that is open, if one is. */
function Now({ project }: { project: number }) {
  const round = rounds.value?.find((item) => item.project === project && !isOver(item.phase));
  const schedule = round === undefined ? undefined : schedules.value.get(round.round);
  if (round === undefined || schedule === undefined) return null;
  const end = phaseEnd(schedule);
  return (
    <Card title={`Round ${round.round}`} aside={<a href={`#/rounds/${round.round}`}>Details</a>} wide>
      <p class="big">
        {phaseName(schedule.phase)}
        {end !== null && <span class="countdown"> <Countdown to={end} /></span>}
      </p>
      <p>{happening(schedule.phase)}</p>
      <PhaseLine schedule={schedule} />
    </Card>
  );
}

/** What every round added, with its error; and one measurement of the model after each. */
function Quality({ rounds: every }: { rounds: readonly RoundOfProject[] }) {
  const ended = every.filter((item) => item.outcome !== "open");
  const told = ended.filter((item) => item.outcome !== "cancelled");
  const known = courses(told.map((item) => ({ round: item.round, published: item.outcome === "merged", ...(item.heldout === null ? {} : { heldout: item.heldout }) })), ended.map((item) => item.round));
  const [wanted, setWanted] = useState<string | null>(null);
  const shown = known.find((item) => item.metric.name === wanted) ?? known[0];
  if (told.length === 0) {
    return (
      <Card title="Did each round help?" wide>
        <p class="empty">No round has a result yet. The picture begins with the first one.</p>
      </Card>
    );
  }
  return (
    <>
      <Card title="Did each round help?" aside="held-out improvement of the merged model, with its standard error" wide>
        <GainChart
          label={`Improvement of rounds ${told[0]!.round} to ${told.at(-1)!.round}, of which ${told.filter((item) => item.outcome === "withheld").length} were withheld`}
          name="improvement"
          points={ended.map((item) => ({ round: item.round, value: item.improvement, stderr: item.stderr, hollow: item.outcome !== "merged" }))}
          filled="merged"
          hollow="withheld: the model stayed as it was"
          meaning={IMPROVEMENT_IS}
        />
      </Card>
      {shown !== undefined && (
        <Card
          title="How good is the model?"
          aside={
            <label>
              Measured as{" "}
              <select value={shown.metric.name} onChange={(event) => setWanted(event.currentTarget.value)}>
                {known.map(({ metric }) => (
                  <option key={metric.name} value={metric.name}>
                    {metric.title}
                  </option>
                ))}
              </select>
            </label>
          }
          wide
        >
          <CourseChart key={shown.metric.name} course={shown} />
          <p class="muted">{NOT_COMPARABLE}</p>
        </Card>
      )}
    </>
  );
}

