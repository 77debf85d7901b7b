/** Gains or improvements over rounds: a point each with its error, joined to no other, and what it all means. */
import { legend } from "../words/improvements";
import { Chart } from "./Chart";

export interface GainPoint {
  round: number;
  /** In micro-nats; null of a round that was cancelled. */
  value: number | null;
  stderr: number | null;
  /** It did not become part of the model. */
  hollow: boolean;
}

interface Given {
  label: string;
  /** `improvement` or `gain`. */
  name: string;
  points: readonly GainPoint[];
  /** What a filled and an outlined point are. */
  filled: string;
  hollow: string;
  /** What is measured, in a sentence. */
  meaning: string;
}

export function GainChart({ label, name, points, filled, hollow, meaning }: Given) {
  const more = legend(points);
  return (
    <>
      <Chart
        label={label}
        x={points.map((item) => item.round)}
        y={points.map((item) => (item.value === null ? null : item.value / 1000))}
        errors={points.map((item) => (item.stderr ?? 0) / 1000)}
        hollow={points.map((item) => item.hollow)}
        names={["round", `${name} in mnat`]}
        fromZero
      />
      <p class="key">
        <span class="dot filled" aria-hidden="true" /> {filled} <span class="dot hollow" aria-hidden="true" /> {hollow}
        {more !== "" && ` · ${more}`}
      </p>
      <p class="key">{meaning}</p>
    </>
  );
}
