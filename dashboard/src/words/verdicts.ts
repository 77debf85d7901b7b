/** Verdicts and reasons of a score sheet, in words. */
export type Tone = "good" | "warn" | "bad" | "plain";

const VERDICTS: Record<string, { name: string; tone: Tone; meaning: string }> = {
  accepted: { name: "Accepted", tone: "good", meaning: "it is part of the next model" },
  excluded: { name: "Excluded", tone: "warn", meaning: "not merged and not paid; a part of the bond is lost" },
  invalid: { name: "Invalid", tone: "bad", meaning: "a fault that anyone can recompute; the bond is lost" },
  spared: { name: "Spared", tone: "plain", meaning: "not merged and not paid, through no fault of its own; the bond returns" },
};

export function verdict(word: string): { name: string; tone: Tone; meaning: string } {
  return VERDICTS[word] ?? { name: word, tone: "plain", meaning: "" };
}

const REASONS: Record<string, string> = {
  accepted: "it helped, or did no harm",
  duplicate: "another account committed to the same delta before",
  "zero-delta": "it changes nothing",
  "norm-outlier": "it moves the model much farther than the others do",
  "near-copy": "it is nearly a copy of another delta",
  "not-measurable": "with it the score could not be measured",
  "state-guard": "it breaks what the model keeps of states",
  harm: "the model was worse with it, by more than chance",
  unavailable: "its file could not be fetched in time",
  "too-large": "what was offered as its file is too large",
  "shard-refused": "the evaluation shard can score nothing with this base",
  disputed: "the coordinators agree on nothing",
};

export function reason(word: string): string {
  return REASONS[word] ?? word.replaceAll("-", " ");
}
