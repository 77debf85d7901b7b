/** Is the node well, what is the round doing, is the training on time, what was earned, what to do now. */
import type { NodeStatus, RoundSchedule, RoundSummary } from "../../../docs/rpc";
import { ahead, clocksApart, now } from "../node/clock";
import { account, folder, health, link, rewards, rounds, schedules, status, verifiers, work } from "../node/watching";
import { Copied } from "../parts/Copied";
import { Listing } from "../parts/Listing";
import { Countdown, Moment } from "../parts/Moment";
import { Card, Facts, Waiting, Worries } from "../parts/Notice";
import { PhaseLine } from "../parts/PhaseLine";
import { Progress } from "../parts/Progress";
import { inTokens, sum, tokens } from "../words/amounts";
import { headline } from "../words/headlines";
import { trains } from "../words/jobs";
import { happening, isOver, myPart, phaseEnd, phaseName } from "../words/phases";
import { bytes, count, grouped } from "../words/sizes";
import { span } from "../words/times";
import { worries } from "../words/worries";
import { Between } from "./overview/Between";
import { Means } from "./overview/Means";
import { rewardColumns } from "./Rewards";

export function Overview() {
  const told = status.value;
  const holds = account.value;
  if (told === null) return <><h1>Overview</h1><Waiting /></>;
  const lost = link.value.state === "lost";
  const found = worries({
    lost,
    status: told,
    health: health.value,
    rewards: rewards.value ?? [],
    account: account.value,
    schedules: schedules.value,
    verifiers: verifiers.value,
    work: work.value,
    apart: clocksApart(ahead.value) ? ahead.value : null,
    now: now.value,
    folder: folder.value,
  });
  const open = (rounds.value ?? []).filter((item) => !isOver(item.phase) && schedules.value.has(item.round));
  const newest = open[0];
  return (
    <>
      <h1 class="headline">{headline(lost, health.value, found, newest)}</h1>
      <div class="cards">
        {newest === undefined ? (
          <Between roles={told.roles} newest={rounds.value?.[0]} />
        ) : (
          <Now round={newest} schedule={schedules.value.get(newest.round)!} told={told} others={open.length - 1} />
        )}
        <Card title="What to do now" aside={found.length > 0 ? count(found.length, "thing") : undefined} wide>
          {found.length > 0 ? <Worries found={found.slice(0, 6)} /> : <p class="fine">Nothing. The node goes on by itself.</p>}
        </Card>
        <Card title={work.value === null || trains(work.value.job) ? "Training" : "Work"}>
          <Progress />
        </Card>
        <Earned />
        {holds !== null && <Means holds={holds} told={told} />}
        <Card title="This node" wide>
          <Facts
            figures
            rows={[
              ["Role", told.roles.join(", ") || "observer"],
              ["Wallet", <Copied text={told.wallet} what="wallet" />],
              ["Tokens", holds === null ? "not told now" : inTokens(holds.tokens)],
              ["Stake", holds === null ? "not told now" : inTokens(sum([holds.stake_free, holds.stake_locked]))],
              ["Ether for fees", holds === null ? "not told now" : tokens(holds.native)],
              ["Peers", <a href="#/network">{count(told.peers, "peer")}</a>],
              ["Block", `${told.chain.confirmed === null ? "none yet" : grouped(told.chain.confirmed)}`],
              ["Newest block seen", told.chain.head === null ? "none yet" : `${grouped(told.chain.head)}, ${span(told.chain.head_age)} ago`],
              ["Gossip", `${bytes(told.traffic.gossip.received)} in, ${bytes(told.traffic.gossip.sent)} out`],
              ["Duties at hand", grouped(told.duties.length)],
            ]}
          />
        </Card>
        <Card title="What was earned last" aside={<a href="#/rewards">All rewards</a>} wide>
          <Listing
            label="What was earned last"
            columns={rewardColumns}
            asked={{ value: rewards.value === null ? null : { items: rewards.value.slice(0, 5), next: null }, error: null }}
            keyOf={(item) => item.round}
            empty="No result grants this wallet anything yet. The first row comes with the first recorded result of a round in which it took part."
          />
        </Card>
      </div>
    </>
  );
}

function Now({ round, schedule, told, others }: { round: RoundSummary; schedule: RoundSchedule; told: NodeStatus; others: number }) {
  const end = phaseEnd(schedule);
  const lost = link.value.state === "lost";
  const mine = told.rounds.find((item) => item.round === round.round);
  return (
    <Card
      wide
      title={`Round ${round.round}`}
      aside={
        <>
          {lost && "as the node had told · "}project {round.project} · <a href={`#/rounds/${round.round}`}>Details</a>
        </>
      }
    >
      <div class="present">
        <div>
          <p class="big">
            {phaseName(schedule.phase)}
            {end !== null && <span class="countdown"> <Countdown to={end} /></span>}
          </p>
          <p>{happening(schedule.phase)}</p>
        </div>
        <Facts
          rows={[
            ["Your part", lost ? "not known while the node does not answer" : myPart(schedule.phase, told.roles, mine)],
            ["Ends", end === null ? "with the next transaction" : <Moment at={end} both />],
            ["Solvers", `${count(round.commits, "commit")}, ${count(round.reveals, "reveal")}`],
            ["Budget", inTokens(round.budget)],
          ]}
        />
      </div>
      <PhaseLine schedule={schedule} />
      {others > 0 && <p class="muted others"><a href="#/rounds">{count(others, "other round")}</a> open beside it.</p>}
    </Card>
  );
}

/** Rounds that nobody is paid for. */
function Cancelled({ list, of }: { list: readonly RoundSummary[]; of: number }) {
  return (
    <>
      {list.slice(0, 4).map((item, place) => (
        <span key={item.round}>{place > 0 && ", "}<a href={`#/rounds/${item.round}`}>round {item.round}</a>{item.cause !== null && ` (${item.cause})`}</span>
      ))}
      {list.length > 4 && ` and ${list.length - 4} others`}, of the newest {count(of, "round")} that ended: nothing is paid for them
    </>
  );
}

function Earned() {
  const known = rewards.value ?? [];
  const waiting = known.filter((item) => item.paid !== null && item.paid !== "0" && item.claim !== "done");
  const ended = (rounds.value ?? []).filter((item) => isOver(item.phase));
  const cancelled = ended.filter((item) => item.phase === "cancelled");
  const unread = known.filter((item) => item.paid === null).length;
  return (
    <Card title="Earned" aside={<a href="#/rewards">Over time</a>}>
      <p class="big">
        {tokens(sum(known.map((item) => item.paid)))} <span class="unit">tokens</span>
      </p>
      <p class="muted">in the newest {count(known.length, "round")} with a result</p>
      <Facts
        rows={[
          ["Not claimed yet", waiting.length === 0 ? "nothing" : `${inTokens(sum(waiting.map((item) => item.paid)))} of ${count(waiting.length, "round")}`],
          ["Score sheets awaited", grouped(unread)],
          ["Cancelled", cancelled.length === 0 ? `none of the newest ${count(ended.length, "round")}` : <Cancelled list={cancelled} of={ended.length} />],
        ]}
      />
    </Card>
  );
}
