/** From the first model to the newest one: which round led from which to which, and where the chain says so. */
import type { ProjectInWhole, RoundOfProject, Transacted } from "../../../../docs/rpc-observer";
import { useAsked, usePaging } from "../../node/asked";
import { observing } from "../../node/observing";
import { Copied } from "../../parts/Copied";
import { Listing, type Column } from "../../parts/Listing";
import { Moment } from "../../parts/Moment";
import { Card, Facts, Problem, Waiting } from "../../parts/Notice";
import { Tag } from "../../parts/Tag";
import { grouped } from "../../words/sizes";
import { Chosen } from "./Chosen";
import { Outcome } from "./ProjectRounds";

export function Sent({ said }: { said: Transacted | null }) {
  if (said === null) return <span class="muted">not yet</span>;
  return (
    <>
      <Copied text={said.transaction} what="transaction" />
      <span class="muted block"> block {grouped(said.block)}</span>
    </>
  );
}

const COLUMNS: readonly Column<RoundOfProject>[] = [
  { head: "Round", cell: (item) => <a href={`#/rounds/${item.round}`}>Round {item.round}</a> },
  {
    head: "From",
    cell: (item) => (
      <>
        <Copied text={item.base} what="base model" />
        {!item.follows && <Tag tone="bad" title="it is not the model that the recorded round before it left">does not follow</Tag>}
      </>
    ),
  },
  { head: "To", cell: (item) => (item.model === null || item.model === item.base ? <span class="muted">the same</span> : <Copied text={item.model} what="model" />) },
  { head: "Outcome", cell: (item) => <Outcome item={item} /> },
  { head: "Score sheet", cell: (item) => (item.sheet === null ? "–" : <Copied text={item.sheet} what="score sheet" />) },
  { head: "Recorded in", cell: (item) => <Sent said={item.recorded} /> },
  { head: "Settled in", cell: (item) => <Sent said={item.ended} /> },
];

export function Provenance() {
  return <Chosen title={(number) => `Provenance of project ${number}`}>{(number) => <Chain project={number} key={number} />}</Chosen>;
}

function Chain({ project }: { project: number }) {
  const { value, error } = useAsked("project.get", { project });
  const paging = usePaging(String(project));
  const asked = useAsked("project.rounds", { project, limit: 50, cursor: paging.cursor, recorded: true });
  return (
    <div class="cards">
      <Card title="Where it stands" wide>
        {value === null ? error === null ? <Waiting /> : <Problem error={error} /> : <Ends whole={value} />}
      </Card>
      <Card title="Every recorded round" aside="the newest first" wide>
        <Listing
          label="Recorded rounds"
          columns={COLUMNS}
          asked={asked}
          keyOf={(item) => item.round}
          paging={paging}
          empty="No result is recorded yet: the model is the first one."
        />
      </Card>
    </div>
  );
}

function Ends({ whole }: { whole: ProjectInWhole }) {
  const told = observing.value;
  return (
    <>
      <p class={whole.unlinked.length === 0 ? "fine" : "wrong"}>
        {whole.unlinked.length === 0
          ? `Every recorded round began from the model that the one before it left${whole.left_out > 0 ? ", as far back as it is held here" : ", from the first model on"}.`
          : `Round ${whole.unlinked.join(", ")} did not begin from the model that the recorded round before it left.`}
      </p>
      <Facts
        rows={[
          ["First model", whole.first_model === null ? "not known here" : <Copied text={whole.first_model} what="first model" />],
          ["Created in", whole.created === null ? "not known here" : <><Sent said={whole.created} />, <Moment at={whole.created.at} /></>],
          ["Model now", <Copied text={whole.model} what="model" />],
          ["Recipe", <Copied text={whole.recipe} what="recipe" />],
          ["Dataset", <Copied text={whole.dataset} what="dataset" />],
          ["Contract", told === null ? "–" : <><Copied text={told.contract} what="contract" /> on chain {told.chain_id}</>],
        ]}
      />
      <p class="muted others">Names of files are CIDs: the hash of what they hold. Whoever fetches one can check it without trusting who sent it.</p>
    </>
  );
}
