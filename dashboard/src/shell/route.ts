/** Which page is shown: in the fragment, so that the server knows one address alone. */
import { signal } from "@preact/signals";

export const PAGES = ["overview", "rounds", "training", "network", "rewards", "log"] as const;
/** Of who looks without a node. */
export const OBSERVED = ["project", "rounds", "solvers", "provenance", "fetch"] as const;
export type PageName = (typeof PAGES)[number] | (typeof OBSERVED)[number];
/** `page` is null where the address names none: each kind has its own first page. */
export type Route = { page: PageName | null; round: number | null };

export function routeOf(fragment: string): Route {
  const [page, round] = fragment.replace(/^#\/?/, "").split("/");
  const known = [...PAGES, ...OBSERVED].find((item) => item === page) ?? null;
  return { page: known, round: known === "rounds" && /^[1-9]\d{0,14}$/.test(round ?? "") ? Number(round) : null };
}

/** The page that is shown of those there are. */
export function pageOf(wanted: PageName | null, pages: readonly PageName[]): PageName {
  return pages.find((item) => item === wanted) ?? pages[0]!;
}

export const route = signal<Route>(routeOf(location.hash));

export function followAddress(): void {
  addEventListener("hashchange", () => {
    route.value = routeOf(location.hash);
    scrollTo(0, 0);
    document.getElementById("main")?.focus({ preventScroll: true });
  });
}
