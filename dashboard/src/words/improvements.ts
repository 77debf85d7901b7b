/** What an improvement is, and how far figures of two rounds can be compared, in words; and notes in the page's unit. */
import { signed } from "./gains";
import { count } from "./sizes";

export const MNAT = "mnat: thousandths of a nat, the unit of the score";

export const IMPROVEMENT_IS =
  "Improvement: by how much the merged model predicts what comes next better than the base of the same round, both measured on that round's sealed shard, in mnat (thousandths of a nat). It is the score that is paid: of what comes next in the base's own view, or of the next token; the other metrics may move another way. Every point above 0 is an improvement, also where the next one is lower.";

export const GAIN_IS =
  "Gain: by how much the base of the round predicts better with your delta, on that round's sealed shard, in mnat (thousandths of a nat). Every point above 0 helped, also where the next one is lower.";

export const NOT_COMPARABLE =
  "Each round is measured on a sealed shard of its own, which nobody had seen, and some shards are harder: points of two rounds cannot be compared. What a round did to the model is its before and after, on the round's own page.";

/** What points, outlines, bars and gaps of a picture of gains mean. */
export function legend(points: readonly { round: number; value: number | null; stderr: number | null }[]): string {
  const measured = points.filter((item) => item.value !== null);
  const unsure = measured.filter((item) => item.stderr === null).length;
  const missing = points.filter((item) => item.value === null).map((item) => item.round);
  return [
    unsure < measured.length ? "bars: ± one standard error" : "",
    unsure > 0 ? `no error is known of ${count(unsure, "round")}` : "",
    missing.length > 0 ? `cancelled, so there is no point: round ${missing.join(", ")}` : "",
  ].filter((item) => item !== "").join(" · ");
}

/** A note or detail of a score sheet, whose nats become mnat. */
export function inMnat(text: string): string {
  const shown = (nats: string): string => `${signed(1000 * Number(nats), 2)} mnat`;
  return text
    .replace(/([+-]\d+\.\d+) nats (?:per|a) (?:direction|token)/g, (_, nats: string) => shown(nats))
    .replace(/(its gain is) ([+-]\d+\.\d+)(?! mnat)/g, (_, said: string, nats: string) => `${said} ${shown(nats)}`);
}
