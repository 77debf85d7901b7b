/** A gain with its error bar on a line around zero, and the figures beside it. */
import { gain, placed } from "../words/gains";
import { MNAT } from "../words/improvements";

export function GainBar({ value, stderr, range }: { value: number; stderr: number; range: number }) {
  if (value === 0 && stderr === 0) return <span class="muted">not measured</span>;
  const told = gain(value, stderr);
  const { from, at, to } = placed(value, stderr, range);
  const left = Math.min(50, at);
  return (
    <span class="gain">
      <span class="figure">
        {told.value}
        <span class="muted"> ± {told.error} <abbr title={MNAT}>{told.unit}</abbr></span>
      </span>
      <svg class={value < 0 ? "bar bad" : "bar good"} viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">
        <rect class="body" x={left} y="2" width={Math.abs(at - 50)} height="8" />
        <line class="zero" x1="50" x2="50" y1="0" y2="12" />
        <path class="error" d={`M${from} 3v6M${to} 3v6M${from} 6H${to}`} />
      </svg>
    </span>
  );
}
