/** Which page is shown: in the fragment, so that the server knows one address alone. */
import { signal } from "@preact/signals";

export const PAGES = ["overview", "rounds", "training", "network", "rewards", "log"] as const;
export type PageName = (typeof PAGES)[number];
export type Route = { page: PageName; round: number | null };

export function routeOf(fragment: string): Route {
  const [page, round] = fragment.replace(/^#\/?/, "").split("/");
  const known = PAGES.find((item) => item === page) ?? "overview";
  return { page: known, round: known === "rounds" && /^[1-9]\d{0,14}$/.test(round ?? "") ? Number(round) : null };
}

export const route = signal<Route>(routeOf(location.hash));

export function followAddress(): void {
  addEventListener("hashchange", () => {
    route.value = routeOf(location.hash);
    scrollTo(0, 0);
    document.getElementById("main")?.focus({ preventScroll: true });
  });
}
