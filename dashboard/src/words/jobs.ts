/** Jobs of a node's worker, in words, by the names that the node gives; a test of the node holds them to it. */
const JOBS: Record<string, string> = {
  train_delta: "Training a delta",
  repeat_training: "Repeating a training",
  first_model: "Making the first model",
  score_deltas: "Scoring deltas",
  merge_deltas: "Merging deltas",
  derive_model: "Deriving a model",
  measure_models: "Measuring models",
  evaluate_model: "Evaluating a model",
  name_transcript: "Reading which transcript a delta names",
  name_carried: "Reading what a remainder holds",
  name_left: "Reading what a delta left out",
  name_source: "Reading what a remainder was left by",
  plan_audit: "Drawing what to audit",
  probe_device: "Measuring this machine",
};

/** Whether it reports steps and a loss. */
export function trains(job: string): boolean {
  return job === "train_delta" || job === "repeat_training";
}

export function jobName(job: string): string {
  return JOBS[job] ?? job;
}
