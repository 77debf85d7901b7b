/** The loss of a training by step: what the node kept, and what this page heard since. */
type Step = readonly [number, number];

/** Why there is no curve of a loss. `only`: the one point that there is. */
export function noCurve(runs: boolean, only: Step | undefined): string {
  if (only !== undefined) return `One loss was reported so far, at step ${only[0]}${runs ? ": the curve begins with the second one." : ", and the training is over."}`;
  return runs ? "The job that runs has reported no loss yet; the curve begins with its second one." : "Nothing trains now. The curve of a training is kept while it runs, and begins with its first step.";
}

/** `kept`: from the node, thinned out; `heard`: of the job that runs, in order. */
export function joined(kept: readonly Step[], heard: readonly { step: number; loss: number }[]): Step[] {
  const last = kept.at(-1)?.[0] ?? -1;
  return [...kept, ...heard.filter((item) => item.step > last).map((item) => [item.step, item.loss] as const)];
}
