/** What somebody can do by hand, without this page: fetch the model, verify it, recompute every payment. */
import { useAsked } from "../../node/asked";
import { observing } from "../../node/observing";
import { Command } from "../../parts/Command";
import { Listing } from "../../parts/Listing";
import { Card, Facts, Problem, Waiting } from "../../parts/Notice";
import { Tag } from "../../parts/Tag";
import { endpointWord } from "../../words/observed";
import { count, grouped } from "../../words/sizes";
import { Chosen } from "./Chosen";

export function Fetch() {
  return <Chosen title={(number) => `Get and verify project ${number}`}>{(number) => <ByHand project={number} key={number} />}</Chosen>;
}

/** Commands of a project, or of one round. */
export function Commands({ project, round }: { project: number; round?: number }) {
  const { value, error } = useAsked("project.commands", round === undefined ? { project } : { project, round });
  if (value === null) return error === null ? <Waiting /> : <Problem error={error} />;
  if (value.length === 0) return <p class="empty">There is nothing to verify or to fetch before a round of the project is settled.</p>;
  return (
    <ul class="commands">
      {value.map((item) => (
        <li key={item.command}>
          <h3>{item.what}</h3>
          <Command text={item.command} what={item.what} />
          <p class="muted">{item.remark}</p>
        </li>
      ))}
    </ul>
  );
}

function ByHand({ project }: { project: number }) {
  const told = observing.value;
  return (
    <div class="cards">
      <Card title="Trust nobody, recompute" aside="in a terminal of this machine" wide>
        <Commands project={project} />
      </Card>
      {told !== null && (
        <Card title="Where this page has it from" wide>
          <Listing
            label="Endpoints of the chain"
            columns={[
              { head: "Endpoint", cell: (item) => item.endpoint },
              { head: "Standing", cell: (item) => <Tag tone={endpointWord(item.standing).tone}>{endpointWord(item.standing).name}</Tag> },
              { head: "Newest block", cell: (item) => (item.head === null ? "–" : grouped(item.head)), number: true },
              { head: "Followed", cell: (item) => (item.followed ? "yes" : "compared with it") },
            ]}
            asked={{ value: { items: told.endpoints, next: null }, error: null }}
            keyOf={(item) => item.endpoint}
            empty="The endpoints were not compared yet."
          />
          <Facts
            rows={[
              ["Block read", grouped(told.block)],
              ["Peers", told.peers === null ? "none was needed yet" : count(told.peers, "peer")],
              ["Score sheets", `${grouped(told.sheets)} read, ${grouped(told.awaited)} awaited`],
            ]}
          />
        </Card>
      )}
    </div>
  );
}
