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

export function Verdict({ word }: { word: string }) {
  const { name, tone, meaning } = verdict(word);
  return (
    <Tag tone={tone} title={meaning}>
      {name}
    </Tag>
  );
}
