/** Light or dark: as the system says, or as somebody chose here. */
import { computed, effect, signal } from "@preact/signals";

const KEY = "jepanet.theme";
const CHOICES = ["system", "light", "dark"] as const;
export type Choice = (typeof CHOICES)[number];

const system = matchMedia("(prefers-color-scheme: dark)");
const systemDark = signal(system.matches);
const kept = localStorage.getItem(KEY);

export const choice = signal<Choice>(CHOICES.find((item) => item === kept) ?? "system");
export const dark = computed(() => (choice.value === "system" ? systemDark.value : choice.value === "dark"));

export function nextChoice(): void {
  choice.value = CHOICES[(CHOICES.indexOf(choice.value) + 1) % CHOICES.length]!;
  localStorage.setItem(KEY, choice.value);
}

system.addEventListener("change", (event) => {
  systemDark.value = event.matches;
});
effect(() => {
  document.documentElement.dataset["theme"] = dark.value ? "dark" : "light";
});
