/** Whom this page is of, as it says itself: a node, or an observer that runs none. */
import { computed, signal } from "@preact/signals";

export type Serves = "node" | "observer";

/** null before it was asked. */
export const serves = signal<Serves | null>(null);

export const observed = computed(() => serves.value === "observer");

/** In sentences. */
export const whom = computed(() => (observed.value ? "the observer" : "the node"));
export const Whom = computed(() => (observed.value ? "The observer" : "The node"));
