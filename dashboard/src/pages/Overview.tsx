/** Is the node well, what is the round doing, is the training on time, what was earned, what to do now. */
import type { RoundSchedule, RoundSummary } from "../../../docs/rpc";
import { ahead, clocksApart, now } from "../node/clock";
import { account, health, rewards, rounds, schedules, status, work } from "../node/watching";
import { Copied } from "../parts/Copied";
import { Listing } from "../parts/Listing";
import { Countdown, Moment } from "../parts/Moment";
import { Card, Facts, Waiting, Worries } from "../parts/Notice";
import { PhaseLine } from "../parts/PhaseLine";
import { Progress } from "../parts/Progress";
import { inTokens, sum, tokens } from "../words/amounts";
import { happening, isOver, myPart, phaseEnd, phaseName } from "../words/phases";
import { bytes, count, grouped } from "../words/sizes";
import { span } from "../words/times";
import { worries, type Worry } from "../words/worries";
import { rewardColumns } from "./Rewards";

export function Overview() {
  const told = status.value;
  const holds = account.value;
  if (told === null) return <><h1>Overview</h1><Waiting /></>;
  const found = worries({
    status: told,
    health: health.value,
    rewards: rewards.value ?? [],
    account: account.value,
    schedules: schedules.value,
    work: work.value,
    apart: clocksApart(ahead.value) ? ahead.value : null,
    now: now.value,
  });
  const open = (rounds.value ?? []).filter((item) => !isOver(item.phase) && schedules.value.has(item.round));
  const newest = open[0];
  return (
    <>
      <h1 class="headline">{headline(found, newest)}</h1>
      <div class="cards">
        {newest === undefined ? (
          <Card title="No round is open" wide>
            <p class="empty">The node waits for a proposer to open the next one, and starts by itself.</p>
          </Card>
        ) : (
          <Now round={newest} schedule={schedules.value.get(newest.round)!} roles={told.roles} others={open.length - 1} />
        )}
        <Card title="What to do now" aside={found.length > 0 ? count(found.length, "thing") : undefined} wide>
          {found.length > 0 ? <Worries found={found.slice(0, 6)} /> : <p class="fine">Nothing. The node goes on by itself.</p>}
        </Card>
        <Card title="Training">
          <Progress />
        </Card>
        <Earned />
        <Card title="This node" wide>
          <Facts
            figures
            rows={[
              ["Role", told.roles.join(", ") || "observer"],
              ["Wallet", <Copied text={told.wallet} what="wallet" />],
              ["Tokens", holds === null ? "not told now" : inTokens(holds.tokens)],
              ["Stake", holds === null ? "not told now" : inTokens(sum([holds.stake_free, holds.stake_locked]))],
              ["of which locked", holds === null ? "not told now" : inTokens(holds.stake_locked)],
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

function headline(found: readonly Worry[], round: RoundSummary | undefined): string {
  const bad = found.filter((item) => item.tone === "bad").length;
  const state = bad > 0 ? "Your node needs you" : found.length > 0 ? "Your node is well, with a remark" : "Your node is well";
  return round === undefined ? state : `${state}; round ${round.round} is ${inWords(round.phase)}`;
}

function inWords(phase: string): string {
  const words: Record<string, string> = {
    commit: "training",
    gap: "drawing its shard",
    reveal: "revealing",
    verify: "being scored",
    challenge: "open to challenge",
  };
  return words[phase] ?? phaseName(phase).toLowerCase();
}

function Now({ round, schedule, roles, others }: { round: RoundSummary; schedule: RoundSchedule; roles: readonly string[]; others: number }) {
  const end = phaseEnd(schedule);
  return (
    <Card
      wide
      title={`Round ${round.round}`}
      aside={
        <>
          project {round.project} · <a href={`#/rounds/${round.round}`}>Details</a>
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
            ["Your part", myPart(schedule.phase, roles)],
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

function Earned() {
  const known = rewards.value ?? [];
  const waiting = known.filter((item) => item.paid !== null && item.paid !== "0" && item.claim !== "done");
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
        ]}
      />
    </Card>
  );
}
