/** The training that runs, live, and how those of earlier rounds ended. */
import type { Receipt, RoundFigures, RoundStatus } from "../../../docs/rpc";
import { useMeasured } from "../node/measured";
import { useOwnReceipts } from "../node/receipts";
import { rounds, status } from "../node/watching";
import { GainBar } from "../parts/GainBar";
import { GainChart } from "../parts/GainChart";
import { Listing, type Column } from "../parts/Listing";
import { Card } from "../parts/Notice";
import { Tag, Verdict } from "../parts/Tag";
import { tokens } from "../words/amounts";
import { GAIN_IS, NOT_COMPARABLE } from "../words/improvements";
import { HeldOut } from "./training/HeldOut";
import { Live } from "./training/Live";

interface Trained {
  round: number;
  training: RoundStatus["training"] | undefined;
  receipt: Receipt | undefined;
  published: boolean | undefined;
}

function columns(range: number): readonly Column<Trained>[] {
  return [
    { head: "Round", cell: (item) => <a href={`#/rounds/${item.round}`}>Round {item.round}</a> },
    { head: "Training", cell: (item) => <Ended training={item.training} /> },
    { head: "Verdict", cell: (item) => (item.receipt === undefined ? "–" : <Verdict word={item.receipt.verdict} published={item.published} />) },
    {
      head: "Gain",
      cell: (item) =>
        item.receipt === undefined ? "–" : <GainBar value={item.receipt.gain} stderr={item.receipt.stderr} range={range} />,
    },
    { head: "Frame turned", cell: (item) => (item.training?.turned_degrees == null ? "–" : `${item.training.turned_degrees.toFixed(1)}°`), number: true },
    { head: "Paid", cell: (item) => (item.receipt === undefined ? "–" : tokens(item.receipt.paid)), number: true },
  ];
}

function Ended({ training }: { training: RoundStatus["training"] | undefined }) {
  if (training == null) return <span class="muted">–</span>;
  if (training.status === "ok") return <Tag tone="good">Done</Tag>;
  if (training.status === "early_stop") return <Tag tone="good">Done early</Tag>;
  return (
    <>
      <Tag tone="bad">Aborted</Tag> <span class="muted">{training.why ?? training.status}</span>
    </>
  );
}

/** Rounds in which a training of this node ended or was measured, the newest first. */
function trained(known: readonly RoundStatus[], receipts: ReadonlyMap<number, Receipt>, figures: readonly RoundFigures[]): Trained[] {
  const own = new Map(known.filter((item) => item.training !== null).map((item) => [item.round, item.training]));
  const merged = new Map(figures.map((item) => [item.round, item.published]));
  const numbers = [...new Set([...own.keys(), ...receipts.keys()])].sort((one, other) => other - one);
  return numbers.slice(0, 50).map((round) => ({ round, training: own.get(round), receipt: receipts.get(round), published: merged.get(round) }));
}

export function Training() {
  const receipts = useOwnReceipts();
  const figures = useMeasured();
  const rows = trained(status.value?.rounds ?? [], receipts ?? new Map(), figures ?? []);
  const measured = rows.filter((item) => item.receipt !== undefined).reverse();
  const cancelled = (rounds.value ?? []).filter((item) => item.phase === "cancelled" && item.round > (measured[0]?.round ?? Infinity));
  const points = [
    ...measured.map(({ round, receipt, published }) => ({ round, value: receipt!.gain, stderr: receipt!.stderr, hollow: receipt!.verdict !== "accepted" || published === false })),
    ...cancelled.map(({ round }) => ({ round, value: null, stderr: null, hollow: false })),
  ].sort((one, other) => one.round - other.round);
  const range = Math.max(1, ...measured.map((item) => Math.abs(item.receipt!.gain) + item.receipt!.stderr));
  return (
    <>
      <h1>Training</h1>
      <div class="cards">
        <Live />
        {measured.length > 1 && (
          <Card title="What your deltas gained" aside="each alone, before the merge" wide>
            <GainChart
              label={`Gain of your deltas in rounds ${measured[0]!.round} to ${measured.at(-1)!.round}`}
              name="gain"
              points={points}
              filled="in the next model"
              hollow="not in the next model"
              meaning={`${GAIN_IS} ${NOT_COMPARABLE}`}
            />
          </Card>
        )}
        <HeldOut measured={figures} />
        <Card title="Trainings of rounds" aside="gain with its standard error, in mnat (thousandths of a nat); paid in tokens" wide>
          <Listing
            label="Trainings of rounds"
            columns={columns(range)}
            asked={{ value: status.value === null || receipts === null ? null : { items: rows, next: null }, error: null }}
            keyOf={(item) => item.round}
            empty="This node has not trained in a round yet."
          />
        </Card>
      </div>
    </>
  );
}
