/** Jobs of the node's worker, in words. */
const JOBS: Record<string, string> = {
  TrainDelta: "Training a delta",
  RepeatTraining: "Repeating a training",
  MakeFirstModel: "Making the first model",
  ScoreClaims: "Scoring deltas",
  MergeDeltas: "Merging deltas",
  DeriveModel: "Deriving a model",
  MeasureModels: "Measuring models",
  EvaluateModel: "Evaluating a model",
  ProbeDevice: "Measuring this machine",
};

export function jobName(job: string): string {
  return JOBS[job] ?? job;
}
