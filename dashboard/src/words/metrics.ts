/** Metrics of a model on held-out data: what each is called, its unit, and which direction is better. */
import { figure } from "./sizes";

export interface Metric {
  name: string;
  title: string;
  /** The unit that is shown, `` where there is none. */
  unit: string;
  /** Which direction is better, and what would be a sign of collapse. */
  tells: string;
}

/** Every one that a score sheet may have, by the names of the node; a test of the node holds them to it. */
const METRICS: Record<string, { title: string; unit: string; tells: string }> = {
  pi: { title: "Predictive information", unit: "mnat", tells: "more is better" },
  next_token: { title: "Cost of the next token", unit: "mnat", tells: "less is better" },
  told: { title: "Parts told to belong together", unit: "mnat", tells: "more is better" },
  skill: { title: "Skill", unit: "", tells: "more is better: 1 is perfect, 0 no better than no change" },
  rank: { title: "Effective rank", unit: "directions", tells: "more is better; a fall is a sign of collapse" },
  variance: { title: "Variance of latents", unit: "", tells: "a fall to 0 is a collapse" },
  sigreg: { title: "Distance from the normal law", unit: "", tells: "less is better" },
  probe_r2: { title: "Position read from latents", unit: "R²", tells: "more is better: 1 is perfect" },
  val_pred: { title: "Error of the prediction", unit: "latents squared", tells: "less is better, between models whose latents vary alike" },
  nmse: { title: "Error by the variance of latents", unit: "", tells: "less is better; near 1 of latents that are dead" },
  identity_error: { title: "Error of predicting no change", unit: "latents squared", tells: "how hard the shard is; no direction is better" },
  latent_std: { title: "Spread of latents", unit: "", tells: "a fall to 0 is a collapse" },
};

/** Those that show together whether a model gets better or collapses, in the order in which they are looked at. */
const TELLING = ["pi", "next_token", "told", "skill", "rank", "variance", "sigreg", "probe_r2"] as const;

export function metricOf(name: string): Metric {
  return { name, ...(METRICS[name] ?? { title: name.replaceAll("_", " "), unit: "", tells: "" }) };
}

/** Nats come from the node, mnat are shown: one unit for everything on the page. */
function scaled(metric: Metric, value: number): number {
  return metric.unit === "mnat" ? 1000 * value : value;
}

/** Without its unit. */
export function metricFigure(metric: Metric, value: number): string {
  return figure(scaled(metric, value));
}

/** Each metric of a round as `before → after`, those that tell most first. */
export function beforeAndAfter(heldout: { before: Record<string, number>; after: Record<string, number> } | undefined): { metric: Metric; said: string }[] {
  const order = Object.keys(METRICS);
  const place = (name: string): number => (order.includes(name) ? order.indexOf(name) : order.length);
  return Object.entries(heldout?.after ?? {})
    .sort(([one], [other]) => place(one) - place(other))
    .map(([name, after]) => {
      const metric = metricOf(name);
      const before = heldout?.before[name];
      const said = before === undefined ? metricFigure(metric, after) : `${metricFigure(metric, before)} → ${metricFigure(metric, after)}`;
      return { metric, said: metric.unit === "" ? said : `${said} ${metric.unit}` };
    });
}

/** Of one metric over rounds, in the unit that is shown. Where it is known, the first point is the base of the first
 * round, one place before it, measured on that round's shard. `null`: that round has no measurement. */
export interface Course {
  metric: Metric;
  rounds: number[];
  values: (number | null)[];
  /** Whether the first point is that base. */
  base: boolean;
}

export interface Measured {
  round: number;
  published?: boolean;
  heldout?: { before: Record<string, number>; after: Record<string, number> };
}

/** By metric what the project's model came to after each round, of those that two rounds or more have. A merge that
 * was withheld left the model as it was. `others`: rounds of the project without a measurement, cancelled ones too,
 * which leave a gap. */
export function courses(measured: readonly Measured[], others: readonly number[] = []): Course[] {
  return TELLING.flatMap((name): Course[] => {
    const metric = metricOf(name);
    const known = new Map(
      measured.flatMap(({ round, published, heldout }) => {
        const value = (published === false ? heldout?.before : heldout?.after)?.[name];
        return value === undefined ? [] : [[round, scaled(metric, value)] as const];
      }),
    );
    if (known.size < 2) return [];
    const [first, last] = [Math.min(...known.keys()), Math.max(...known.keys())];
    const gaps = [...others, ...measured.map((item) => item.round)].filter((item) => item > first && item < last);
    const rounds = [...new Set([...known.keys(), ...gaps])].sort((one, other) => one - other);
    const values = rounds.map((round) => known.get(round) ?? null);
    const before = measured.find((item) => item.round === first)?.heldout?.before[name];
    if (before === undefined) return [{ metric, rounds, values, base: false }];
    return [{ metric, rounds: [first - 1, ...rounds], values: [scaled(metric, before), ...values], base: true }];
  });
}
