/** What results grant this wallet: over time, round by round, and taking it out. */
import { useState } from "preact/hooks";
import type { Reward } from "../../../docs/rpc";
import { useAsked, usePaging } from "../node/asked";
import { CallError, OUT_OF_SCOPE } from "../node/rpc";
import { useOperates } from "../node/scope";
import { useCancelledBonds } from "../node/bonds";
import { ask, refresh, rounds, status } from "../node/watching";
import { Chart } from "../parts/Chart";
import { Copied } from "../parts/Copied";
import { Listing, type Column } from "../parts/Listing";
import { Card, Problem, Prose, Waiting } from "../parts/Notice";
import { Moment } from "../parts/Moment";
import { Tag, Verdict } from "../parts/Tag";
import { inTokens, plotted, sum, tokens } from "../words/amounts";
import { bondOf, type OwnBond } from "../words/bonds";
import { claimable } from "../words/claims";

export const rewardColumns: readonly Column<Reward>[] = [
  { head: "Round", cell: (item) => <a href={`#/rounds/${item.round}`}>Round {item.round}</a> },
  { head: "Recorded", cell: (item) => <Moment at={item.recorded} /> },
  { head: "As", cell: (item) => item.part },
  {
    head: "Verdict",
    cell: (item) =>
      item.verdict !== null ? <Verdict word={item.verdict} published={item.published} /> : <span class="muted">{item.paid === null ? "score sheet not here yet" : "–"}</span>,
  },
  { head: "Paid", cell: (item) => (item.paid === null ? "–" : tokens(item.paid)), number: true },
  { head: "Lost of the bond", cell: (item) => (item.lost === null ? "–" : item.lost === "0" ? "0" : <span class="wrong">−{tokens(item.lost)}</span>), number: true },
  { head: "Claim", cell: (item) => <Claimed item={item} /> },
];

function Claimed({ item }: { item: Reward }) {
  if (item.claim === "done") return <Tag tone="good">Claimed</Tag>;
  if (item.claim === "pending") return <Tag tone="plain">Under way</Tag>;
  if (item.claim === "rejected") return <Tag tone="bad">Given up</Tag>;
  return <span class="muted">{item.paid === "0" ? "nothing to claim" : "when it is due"}</span>;
}

const CANCELLED: readonly Column<OwnBond>[] = [
  { head: "Round", cell: (item) => <a href={`#/rounds/${item.round}`}>Round {item.round}</a> },
  { head: "Why", cell: (item) => item.cause ?? "–" },
  { head: "Paid", cell: () => "0", number: true },
  { head: "Bond", cell: (item) => bondOf(item) },
];

/** Rounds that ended without a result: nothing is earned in them, and the bond comes back or does not. */
function Cancelled() {
  const found = useCancelledBonds(rounds.value);
  if (found === null || found.length === 0) return null;
  return (
    <Card title="Cancelled rounds" aside="no result, so nothing was earned; of the newest 20 rounds" wide>
      <Listing label="Cancelled rounds" columns={CANCELLED} asked={{ value: { items: found, next: null }, error: null }} keyOf={(item) => item.round} empty="None." />
    </Card>
  );
}

export function Rewards() {
  const paging = usePaging("");
  const asked = useAsked("rewards.list", { limit: 50, cursor: paging.cursor });
  const [said, setSaid] = useState<{ good: boolean; text: string; round: number } | null>(null);
  const operates = useOperates();
  const [claiming, setClaiming] = useState<number | null>(null);

  async function claim(round: number): Promise<void> {
    setClaiming(round);
    try {
      const taken = await ask("rewards.claim", { round });
      const again = taken.every((item) => item.state === "done");
      setSaid({ round, good: true, text: again ? `Round ${round} was claimed before.` : `The node tries the claim of round ${round} now; the row below says how it went.` });
      void refresh();
    } catch (error) {
      setSaid({ round, good: false, text: refusedIn(error, round) });
    } finally {
      setClaiming(null);
    }
  }

  const sent = useAsked("transactions.list", { limit: 100 }).value?.items ?? [];

  const shown = [...(asked.value?.items ?? [])].reverse();
  const paid = shown.filter((item) => item.paid !== null);
  const total = sum(paid.map((item) => item.paid));
  const waiting = shown.filter((item) => claimable(item, status.value?.duties ?? []));
  // What was said of a claim is over once that is through.
  const still = said !== null && (said.good || waiting.some((item) => item.round === said.round)) ? said : null;
  let running = 0;
  const course = paid.map((item) => (running += plotted(item.paid ?? "0")));
  const columns: readonly Column<Reward>[] = [
    ...rewardColumns.slice(0, -1),
    {
      head: "Transaction",
      cell: (item) => {
        const hash = sent.find((one) => one.what === `claim/${item.round}`)?.hashes.at(-1);
        return hash === undefined ? <span class="muted">–</span> : <Copied text={hash} what="transaction of the claim" />;
      },
    },
    {
      head: "Claim",
      cell: (item) => (
        <span class="claim">
          <Claimed item={item} />
          {operates === true && waiting.includes(item) && (
            <button type="button" disabled={claiming !== null} aria-label={`Claim now, round ${item.round}`} onClick={() => void claim(item.round)}>
              Claim now
            </button>
          )}
        </span>
      ),
    },
  ];
  return (
    <>
      <h1>Rewards</h1>
      <div class="cards">
        <Card title="Earned over time" aside={asked.value === null ? undefined : `${inTokens(total)} in the rounds below`} wide>
          {asked.value === null ? (
            asked.error === null ? <Waiting /> : <Problem error={asked.error} />
          ) : paid.length < 2 ? (
            <p class="empty">The curve begins with the second result that grants this wallet something.</p>
          ) : (
            <Chart label={`${inTokens(total)} earned in ${paid.length} rounds`} x={paid.map((item) => item.recorded)} y={course} names={["time", "tokens earned so far"]} stepped fromZero time />
          )}
        </Card>
        <Card title="Round by round" aside="amounts in tokens" wide>
          <p class={still?.good === false ? "wrong" : "fine"} role="status">
            {still?.text ?? (operates === false && waiting.length > 0 && <Prose text={READS} />)}
          </p>
          <Listing
            label="Rewards"
            columns={columns}
            asked={asked}
            keyOf={(item) => item.round}
            paging={paging}
            empty="No result grants this wallet anything yet. The first row comes with the first recorded result of a round in which it took part."
          />
        </Card>
        <Cancelled />
      </div>
    </>
  );
}

const READS = "A claim can be tried again from a page that may operate: sign out and open the link of `jepanet dashboard --operate`.";

function refusedIn(error: unknown, round: number): string {
  if (!(error instanceof CallError)) return "Something went wrong in this page.";
  if (error.code === OUT_OF_SCOPE) return "This token only reads. To claim from here, sign out and open the link of jepanet dashboard --operate.";
  return `Round ${round}: ${error.detail ?? error.message}.`;
}
