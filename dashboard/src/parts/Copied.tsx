/** An address, digest or id: its two ends, the whole of it on demand, and a button that copies it. */
import { useState } from "preact/hooks";
import { status } from "../node/watching";
import { same, shortened } from "../words/shortened";

/** A sentence in which digests are written out: each of them by its ends. */
export function WithDigests({ text }: { text: string }) {
  return (
    <>{text.split(/(\bba[a-z2-7]{50,})/).map((part, place) => (place % 2 === 1 ? <Copied key={place} text={part} what="digest" /> : part))}</>
  );
}

export function Copied({ text, what }: { text: string; what: string }) {
  const [done, setDone] = useState(false);
  const mine = status.value !== null && same(status.value.wallet, text);
  async function copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      setDone(true);
      setTimeout(() => setDone(false), 1500);
    } catch {
      setDone(false);
    }
  }
  return (
    <span class="copied">
      <button type="button" class="copy" title={text} onClick={() => void copy()}>
        <span class="unseen">Copy {what} </span>
        <span class="mono">{shortened(text)}</span>
        <svg viewBox="0 0 16 16" width="12" height="12" aria-hidden="true">
          {done ? <path d="M3 8.5l3.5 3.5L13 4.5" /> : <path d="M5.5 5.5h7v8h-7zM3.5 10.5v-8h7" />}
        </svg>
      </button>
      {mine && <span class="you">you</span>}
      <span class="unseen" role="status">{done ? "Copied" : ""}</span>
    </span>
  );
}
