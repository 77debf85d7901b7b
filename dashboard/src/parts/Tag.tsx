/** A word with a tone; the word says it too, the colour never alone. */
import type { ComponentChildren } from "preact";
import type { Tone } from "../words/verdicts";
import { verdict } from "../words/verdicts";

export function Tag({ tone, children, title }: { tone: Tone; children: ComponentChildren; title?: string | undefined }) {
  return (
    <span class={`tag ${tone}`} title={title}>
      {children}
    </span>
  );
}

/** `published`: whether the merge of its round was, where that is known. */
export function Verdict({ word, published }: { word: string; published?: boolean | null | undefined }) {
  const { name, tone, meaning } = verdict(word, published);
  return (
    <Tag tone={tone} title={meaning}>
      {name}
    </Tag>
  );
}
