/** A command line that can be copied whole. */
import { useState } from "preact/hooks";

export function Command({ text, what }: { text: string; what: string }) {
  const [done, setDone] = useState(false);
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
    <div class="command">
      <pre tabIndex={0} role="group" aria-label={`Command: ${what}`}>
        <code>{text}</code>
      </pre>
      <button type="button" onClick={() => void copy()} aria-label={`Copy the command: ${what}`}>
        {done ? "Copied" : "Copy"}
      </button>
      <span class="unseen" role="status">{done ? "Copied" : ""}</span>
    </div>
  );
}
