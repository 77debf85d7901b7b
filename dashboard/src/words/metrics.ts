/** Metrics of a model on held-out data: what each is called, and what it tells. */
export interface Metric {
  name: string;
  title: string;
  /** What is better, and what would be a sign of collapse. */
  tells: string;
}

/** Those that show together whether a model gets better or collapses, in the order in which they are looked at. */
export const TELLING: readonly Metric[] = [
  { name: "pi", title: "Predictive information", tells: "nats a direction; more is better" },
  { name: "next_token", title: "Cost of the next token", tells: "nats; less is better" },
  { name: "told", title: "Parts told to belong together", tells: "nats; more is better" },
  { name: "skill", title: "Skill", tells: "1 is perfect, 0 no better than no change" },
  { name: "rank", title: "Effective rank", tells: "directions in use; a fall is a sign of collapse" },
  { name: "variance", title: "Variance of latents", tells: "a fall to 0 is a collapse" },
  { name: "sigreg", title: "Distance from the normal law", tells: "less is better" },
  { name: "probe_r2", title: "Position read from latents", tells: "R²; 1 is perfect" },
];

export interface Course {
  metric: Metric;
  rounds: number[];
  values: number[];
}

export interface Measured {
  round: number;
  published?: boolean;
  heldout?: { before: Record<string, number>; after: Record<string, number> };
}

/** By metric what the project's model came to after each round, of those that two rounds or more have. A merge that
 * was withheld left the model as it was. */
export function courses(measured: readonly Measured[]): Course[] {
  return TELLING.flatMap((metric) => {
    const known = measured.flatMap(({ round, published, heldout }) => {
      const value = (published === false ? heldout?.before : heldout?.after)?.[metric.name];
      return value === undefined ? [] : [[round, value] as const];
    });
    return known.length < 2 ? [] : [{ metric, rounds: known.map(([round]) => round), values: known.map(([, value]) => value) }];
  });
}
