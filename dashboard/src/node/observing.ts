/** What the page knows of a network that is looked at without a node. */
import { batch, computed, signal } from "@preact/signals";
import type { KnownProject, Observing } from "../../../docs/rpc-observer";
import { callAll, CallError } from "./rpc";

export const observing = signal<Observing | null>(null);
/** The first hundred; more are for a page of its own, which nobody has needed. */
export const projects = signal<readonly KnownProject[] | null>(null);
/** Which one somebody chose here. */
const chosen = signal<number | null>(null);

/** The one that is shown: which was chosen, or which the observer was started for, or the first one. */
export const project = computed<number | null>(() => {
  const known = projects.value ?? [];
  const wanted = observing.value?.project ?? chosen.value;
  return known.find((item) => item.project === wanted)?.project ?? (observing.value?.project == null ? (known[0]?.project ?? null) : null);
});

export function choose(which: number): void {
  chosen.value = which;
}

export function forgetObserved(): void {
  batch(() => {
    observing.value = projects.value = chosen.value = null;
  });
}

/** Asks how far it read; whether something is known that was not before. */
export async function askObserver(token: string): Promise<boolean> {
  const [told, listed] = await callAll(token, [
    { method: "observer.status", params: {} },
    { method: "projects.list", params: { limit: 100 } },
  ]);
  const before = observing.value;
  batch(() => {
    if (!(told instanceof CallError)) observing.value = told;
    if (!(listed instanceof CallError)) projects.value = listed.items;
  });
  const now = observing.value;
  return before === null || now === null || before.block !== now.block || before.sheets !== now.sheets;
}
