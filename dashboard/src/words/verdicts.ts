/** Verdicts and reasons of a score sheet, in words. */
export type Tone = "good" | "warn" | "bad" | "plain";

const VERDICTS: Record<string, { name: string; tone: Tone; meaning: string }> = {
  accepted: { name: "Accepted", tone: "good", meaning: "good enough for the merge: it is part of the next model if that was published" },
  excluded: { name: "Excluded", tone: "warn", meaning: "not merged and not paid; a part of the bond is lost" },
  invalid: { name: "Invalid", tone: "bad", meaning: "a fault that anyone can recompute; the bond is lost" },
  spared: { name: "Spared", tone: "plain", meaning: "not merged and not paid, through no fault of its own; the bond returns" },
};

const WITHHELD = {
  name: "Accepted, merge withheld",
  tone: "warn",
  meaning: "the delta was good enough, but the merge of all was no improvement, or broke what the model keeps: the model stayed, and nobody is paid for it",
} as const;

/** `published`: whether the round's merge was; undefined where that is not known. */
export function verdict(word: string, published?: boolean | null): { name: string; tone: Tone; meaning: string } {
  if (word === "accepted" && published === false) return WITHHELD;
  if (word === "accepted" && published === true) return { ...VERDICTS.accepted!, meaning: "it is part of the next model" };
  return VERDICTS[word] ?? { name: word, tone: "plain", meaning: "" };
}

const REASONS: Record<string, string> = {
  accepted: "nothing speaks against it",
  duplicate: "another account committed to the same delta before",
  "zero-delta": "it changes nothing",
  "norm-outlier": "it moves the model much farther than the others do",
  "near-copy": "it is nearly a copy of another delta",
  "not-measurable": "with it the score could not be measured",
  "state-guard": "it breaks what the model keeps of states",
  harm: "the model was much worse with it, by more than honest work ever is",
  unavailable: "its file could not be fetched in time",
  "too-large": "what was offered as its file is too large",
  "not-audited": "its training was to be audited, and the coordinators' machines failed at that",
  "machine-failed": "the coordinators' machines failed at measuring it",
  "shard-refused": "the evaluation shard can score nothing with this base",
  disputed: "the coordinators agree on nothing",
  "not-reproduced": "its training was audited, and does not lead to it",
  "not-opened": "its training was to be audited, and was not served in time",
  dropped: "the merge with the others is better without it",
};

export function reason(word: string, published?: boolean | null): string {
  if (word === "accepted" && published === false) return "nothing speaks against it; the merge with the others was withheld";
  return REASONS[word] ?? word.replaceAll("-", " ");
}
