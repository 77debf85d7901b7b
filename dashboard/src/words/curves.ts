/** The loss of a training by step: what the node kept, and what this page heard since. */
type Step = readonly [number, number];

/** `kept`: from the node, thinned out; `heard`: of the job that runs, in order. */
export function joined(kept: readonly Step[], heard: readonly { step: number; loss: number }[]): Step[] {
  const last = kept.at(-1)?.[0] ?? -1;
  return [...kept, ...heard.filter((item) => item.step > last).map((item) => [item.step, item.loss] as const)];
}
