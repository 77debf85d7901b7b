/** The token of this tab: in the fragment of the address at most once, then in the tab's session storage. */
import { signal } from "@preact/signals";

const KEY = "jepanet.token";
const FORM = /^[A-Za-z0-9_-]{43}$/;

export const token = signal<string | null>(null);
/** Why the sign-in is shown, where that needs a word. */
export const refusal = signal<string | null>(null);

export function isToken(text: string): boolean {
  return FORM.test(text);
}

/** The token in a fragment such as `#token=…`, and what is left of the fragment. */
export function takenFrom(fragment: string): { token: string | null; rest: string } {
  const found = /^#token=([A-Za-z0-9_-]{43})$/.exec(fragment);
  return found ? { token: found[1]!, rest: "" } : { token: null, rest: fragment };
}

export function signIn(text: string): void {
  sessionStorage.setItem(KEY, text);
  refusal.value = null;
  token.value = text;
}

export function signOut(why: string | null = null): void {
  sessionStorage.removeItem(KEY);
  refusal.value = why;
  token.value = null;
}

export function begin(): void {
  const { token: given } = takenFrom(location.hash);
  // Out of the address before anything else: it would stay in the history and on the screen.
  if (given !== null) history.replaceState(null, "", location.pathname);
  const kept = given ?? sessionStorage.getItem(KEY);
  if (kept !== null && isToken(kept)) signIn(kept);
}
