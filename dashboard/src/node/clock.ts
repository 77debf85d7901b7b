/** One tick a second for everything that counts, and the clock that deadlines are on. */
import { computed, signal } from "@preact/signals";

/** Unix seconds of this computer. */
export const tick = signal(Math.floor(Date.now() / 1000));
/** The newest block's timestamp that the node acts on, and when this page first saw it. */
const seen = signal<{ block: number; at: number } | null>(null);
const APART = 120;

export function sawBlock(timestamp: number): void {
  if (timestamp > 0 && seen.value?.block !== timestamp) {
    seen.value = { block: timestamp, at: Date.now() / 1000 };
  }
}

/** Seconds that the chain is ahead of this computer, as far as its newest block tells; null before any. */
export const ahead = computed(() => (seen.value === null ? null : seen.value.block - seen.value.at));

/** Now, on the clock of deadlines: this computer's, or the chain's where the two are far apart. */
export function chainNow(here: number, difference: number | null): number {
  return difference !== null && Math.abs(difference) > APART ? here + difference : here;
}

export function clocksApart(difference: number | null): boolean {
  return difference !== null && Math.abs(difference) > APART;
}

export const now = computed(() => chainNow(tick.value, ahead.value));

export function startClock(): void {
  setInterval(() => {
    if (!document.hidden) tick.value = Math.floor(Date.now() / 1000);
  }, 1000);
}
