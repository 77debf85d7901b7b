/** One thing to worry about. */
import type { Tone } from "./verdicts";

export interface Worry {
  tone: Tone;
  what: string;
  /** What to do; a command stands in backquotes. */
  remedy: string;
}
