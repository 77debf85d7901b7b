/** No round is open: what is awaited, as far as anybody can know. */
import type { RoundSummary } from "../../../../docs/rpc";
import { useAsked } from "../../node/asked";
import { now } from "../../node/clock";
import { Card, Prose } from "../../parts/Notice";
import { between } from "../../words/between";

export function Between({ roles, newest }: { roles: readonly string[]; newest: RoundSummary | undefined }) {
  const projects = useAsked("projects.list", { limit: 100 }).value?.items ?? [];
  return (
    <Card title="No round is open" wide>
      {newest === undefined ? <Words roles={roles} projects={projects} ended={null} /> : <Ended roles={roles} projects={projects} round={newest.round} />}
    </Card>
  );
}

type Projects = readonly { project: number; rounds: number; followed: boolean }[];

function Ended({ roles, projects, round }: { roles: readonly string[]; projects: Projects; round: number }) {
  const schedule = useAsked("rounds.schedule", { round }).value;
  return <Words roles={roles} projects={projects} ended={schedule?.ended ?? null} />;
}

function Words({ roles, projects, ended }: { roles: readonly string[]; projects: Projects; ended: number | null }) {
  const followed = projects.filter((item) => item.followed);
  return (
    <p class="empty">
      {roles.includes("proposer") ? <OfProposer projects={followed} ended={ended} /> : <Prose text={between(followed, null, ended, now.value)} />}
    </p>
  );
}

/** How many rounds it opens is in its configuration, not on the chain. */
function OfProposer({ projects, ended }: { projects: Projects; ended: number | null }) {
  const asked = useAsked("config.show", {}).value?.["proposer"]?.["rounds"];
  return <Prose text={between(projects, typeof asked === "number" ? asked : null, ended, now.value)} />;
}
