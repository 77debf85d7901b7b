/** One round: where it stands, what became of every delta and why, what was paid, and what this node sent. */
import { useState } from "preact/hooks";
import type { Commitment, FeeReceipt, Receipt, Transaction } from "../../../docs/rpc";
import { useAsked, usePaging } from "../node/asked";
import { useCancelledBonds } from "../node/bonds";
import { observed } from "../node/serves";
import { schedules } from "../node/watching";
import { Copied, WithDigests } from "../parts/Copied";
import { GainBar } from "../parts/GainBar";
import { Listing, type Column } from "../parts/Listing";
import { Moment } from "../parts/Moment";
import { Card, Facts, Problem, Waiting } from "../parts/Notice";
import { PhaseLine } from "../parts/PhaseLine";
import { Tag, Verdict } from "../parts/Tag";
import { Commands } from "./observed/Fetch";
import { Sent as SentIn } from "./observed/Provenance";
import { inTokens, sum, tokens } from "../words/amounts";
import { bondOf, unmeasured } from "../words/bonds";
import { gain } from "../words/gains";
import { happening, isOver, phaseName } from "../words/phases";
import { IMPROVEMENT_IS, inMnat } from "../words/improvements";
import { beforeAndAfter } from "../words/metrics";
import { grouped } from "../words/sizes";
import { shortened } from "../words/shortened";
import { reason } from "../words/verdicts";

export function Round({ round }: { round: number }) {
  const { value: told, error } = useAsked("rounds.get", { round });
  const { value: asked } = useAsked("rounds.schedule", { round });
  const schedule = schedules.value.get(round) ?? asked;
  const own = useCancelledBonds(told === null ? null : [told]) ?? [];
  return (
    <>
      <p class="crumb"><a href="#/rounds">Rounds</a></p>
      <h1>Round {round}</h1>
      {told === null ? (
        error === null ? <Waiting /> : <Problem error={error} />
      ) : (
        <div class="cards">
          <Card title={phaseName(schedule?.phase ?? told.phase)} aside={`project ${told.project}`} wide>
            <p>{told.cause === null ? happening(schedule?.phase ?? told.phase) : `Cancelled: ${told.cause}.`}</p>
            {schedule !== null && schedule !== undefined && <PhaseLine schedule={schedule} />}
          </Card>
          {told.sheet !== null ? <Receipts round={round} published={told.published} /> : <Commitments round={round} over={isOver(told.phase)} />}
          <Card title="Result">
            <Facts
              rows={[
                ["Improvement", told.improvement === null ? unmeasured(told.phase) : improved(told.improvement, told.stderr ?? null)],
                ["Paid", told.payout === null ? "–" : `${tokens(told.payout)} of ${inTokens(told.budget)}`],
                ...(told.payout === null || told.fees === undefined ? [] : [["of which", shares(told.payout, told.fees)] as [string, string]]),
                ["Price", told.price == null ? "–" : `${inTokens((1000n * BigInt(told.price)).toString(), 8)} a mnat`],
                ["Note of the merge", inMnat(told.note ?? "") || "none"],
                ...own.map((item) => ["Your bond", bondOf(item)] as [string, string]),
              ]}
            />
            {told.improvement !== null && <p class="key">{IMPROVEMENT_IS}</p>}
          </Card>
          {told.heldout !== undefined && Object.keys(told.heldout.after).length > 0 && (
            <Card title="The model on held-out data" aside="before → after, on this round's sealed shard" wide>
              <Facts rows={beforeAndAfter(told.heldout).map(({ metric, said }) => [metric.title, <>{said} <span class="muted">{metric.tells}</span></>] as const)} />
            </Card>
          )}
          <Card title="What belongs to it">
            <Facts
              rows={[
                ["Base model", <Copied text={told.base} what="base model" />],
                ["Next model", told.model === null ? "none yet" : <Copied text={told.model} what="next model" />],
                ["Score sheet", told.sheet === null ? "none yet" : <Copied text={told.sheet} what="score sheet" />],
                ...(schedule
                  ? ([
                      ["Proposer", <Copied text={schedule.proposer} what="proposer" />],
                      ["Bond of a solver", inTokens(schedule.bond)],
                      ["Opened", <Moment at={schedule.opened} both />],
                    ] as const)
                  : []),
              ]}
            />
          </Card>
          {(told.fees ?? []).length > 0 && (
            <Card title="Fees of coordinators" aside={`${inTokens(told.fee)} together`} wide>
              <Listing
                label="Fees of coordinators"
                columns={FEES}
                asked={{ value: { items: told.fees ?? [], next: null }, error: null }}
                keyOf={(item) => item.coordinator}
                empty="Nobody."
              />
            </Card>
          )}
          {observed.value ? <Said project={told.project} round={round} /> : <Sent round={round} />}
        </div>
      )}
    </>
  );
}

function improved(microNats: number, stderr: number | null): string {
  const { value, error, unit } = gain(microNats, stderr ?? 0);
  return stderr === null ? `${value} ${unit}` : `${value} ± ${error} ${unit}`;
}

/** What a round paid, by who got it: together it is what the chain says. */
function shares(payout: string, fees: readonly FeeReceipt[]): string {
  const shared = sum(fees.map((item) => item.paid));
  return `${tokens((BigInt(payout) - BigInt(shared)).toString())} to solvers + ${tokens(shared)} to coordinators`;
}

function Receipts({ round, published }: { round: number; published: boolean | undefined }) {
  const paging = usePaging(String(round));
  const asked = useAsked("receipts.list", { round, limit: 50, cursor: paging.cursor });
  const [opened, setOpened] = useState<string | null>(null);
  const range = Math.max(1, ...(asked.value?.items ?? []).map((item) => Math.abs(item.gain) + item.stderr));
  const columns: readonly Column<Receipt>[] = [
    { head: "Solver", cell: (item) => <Copied text={item.solver} what="solver" /> },
    { head: "Verdict", cell: (item) => <Verdict word={item.verdict} published={published} /> },
    { head: "Reason", cell: (item) => <span title={inMnat(item.detail) || undefined}>{reason(item.reason, published)}</span> },
    { head: "Gain", cell: (item) => <GainBar value={item.gain} stderr={item.stderr} range={range} /> },
    { head: "Paid", cell: (item) => tokens(item.paid), number: true },
    {
      head: "Why",
      cell: (item) => (
        <button
          type="button"
          aria-expanded={opened === item.solver}
          aria-label={`Why, of ${shortened(item.solver)}`}
          onClick={() => setOpened(opened === item.solver ? null : item.solver)}
        >
          Why
        </button>
      ),
    },
  ];
  return (
    <Card title="Every delta" aside="gain with its standard error, in mnat (thousandths of a nat); paid in tokens" wide>
      <Listing
        label={`Deltas of round ${round}`}
        columns={columns}
        asked={asked}
        keyOf={(item) => item.solver}
        paging={paging}
        empty="Nobody revealed a delta."
        below={(item) => (opened === item.solver ? <Explained round={round} solver={item.solver} /> : null)}
      />
    </Card>
  );
}

/** One receipt in sentences, with the sum that gives what was paid. */
function Explained({ round, solver }: { round: number; solver: string }) {
  const { value, error } = useAsked("receipts.get", { round, solver });
  if (value === null) return error === null ? <Waiting /> : <Problem error={error} />;
  const { receipt, words } = value;
  const { value: gained, error: sure, unit } = gain(receipt.gain, receipt.stderr);
  return (
    <Facts
      rows={[
        ["Gain", receipt.gain === 0 && receipt.stderr === 0 ? "not measured" : `${gained} ± ${sure} ${unit} (1 mnat is 1,000 of the micro-nats that the contracts count by, and the sum of the payment too)`],
        ["Measured", <WithDigests text={words.measured} />],
        ["Outcome", <WithDigests text={inMnat(words.outcome)} />],
        ["Payment", words.payment],
        ["Bond", words.bond],
        ["Delta", <Copied text={words.delta} what="delta" />],
      ]}
    />
  );
}

const COMMITTED: readonly Column<Commitment>[] = [
  { head: "Solver", cell: (item) => <Copied text={item.solver} what="solver" /> },
  { head: "Commitment", cell: (item) => <Copied text={item.commitment} what="commitment" /> },
  {
    head: "Delta",
    cell: (item) => (item.delta === null ? <span class="muted">not revealed</span> : <Copied text={item.delta} what="delta" />),
  },
];

function Commitments({ round, over }: { round: number; over: boolean }) {
  const paging = usePaging(String(round));
  const asked = useAsked("rounds.commitments", { round, limit: 50, cursor: paging.cursor });
  return (
    <Card title="Who takes part" aside={observed.value ? undefined : <ScoresHere round={round} />} wide>
      <Listing
        label={`Commitments of round ${round}`}
        columns={COMMITTED}
        asked={asked}
        keyOf={(item) => item.solver}
        paging={paging}
        empty={over ? "Nobody committed to a delta." : "Nobody has committed to a delta yet; solvers do so when their training is done."}
      />
    </Card>
  );
}

function ScoresHere({ round }: { round: number }) {
  const { value } = useAsked("scores.list", { round, limit: 100 });
  return value !== null && value.items.length > 0 ? <>scores of {value.items.length} coordinators are here</> : null;
}

const FEES: readonly Column<FeeReceipt>[] = [
  { head: "Coordinator", cell: (item) => <Copied text={item.coordinator} what="coordinator" /> },
  { head: "How", cell: (item) => item.how },
  { head: "Paid", cell: (item) => tokens(item.paid), number: true },
];

const SENT: readonly Column<Transaction>[] = [
  { head: "What", cell: (item) => sentAs(item.what) },
  { head: "State", cell: (item) => <Tag tone={item.state === "mined" ? "good" : item.state === "failed" ? "bad" : "plain"}>{item.state}</Tag> },
  { head: "Transaction", cell: (item) => { const hash = item.hashes.at(-1); return hash === undefined ? "not signed yet" : <Copied text={hash} what="transaction" />; } },
  { head: "Block", cell: (item) => item.block === null ? "–" : grouped(item.block), number: true },
  { head: "Made", cell: (item) => <Moment at={item.created} /> },
];

/** `commit/7/approve` as `commit (approve)`. */
function sentAs(key: string): string {
  const [kind, , ...rest] = key.split("/");
  return rest.length > 0 ? `${kind} (${rest.join(" ")})` : kind!;
}

/** Where the chain says so, and how to recompute it: for who looks without a node. */
function Said({ project, round }: { project: number; round: number }) {
  const { value } = useAsked("project.rounds", { project, limit: 1, cursor: String(round + 1) });
  const found = value?.items.find((item) => item.round === round);
  return (
    <>
      {found !== undefined && (
        <Card title="Where the chain says so" wide>
          <Facts
            rows={[
              ["Opened in", <SentIn said={found.opened} />],
              ["Recorded in", <SentIn said={found.recorded} />],
              [found.outcome === "cancelled" ? "Cancelled in" : "Settled in", <SentIn said={found.ended} />],
              ["Round spec", <Copied text={found.spec} what="round spec" />],
            ]}
          />
        </Card>
      )}
      {found !== undefined && found.sheet !== null && (
        <Card title="Recompute it yourself" wide>
          <Commands project={project} round={round} />
        </Card>
      )}
    </>
  );
}

/** Of the newest hundred transactions of this wallet, those of the round. */
function Sent({ round }: { round: number }) {
  const asked = useAsked("transactions.list", { limit: 100 });
  const mine = asked.value?.items.filter((item) => item.what.split("/")[1] === String(round)) ?? [];
  return (
    <Card title="What this node sent" wide>
      <Listing
        label={`Transactions of round ${round}`}
        columns={SENT}
        asked={{ value: asked.value === null ? null : { items: mine, next: null }, error: asked.error }}
        keyOf={(item) => item.what}
        empty="None of this wallet's newest hundred transactions is of this round."
      />
    </Card>
  );
}
