/** The token of this tab, in its session storage. A link brings a code in its fragment, which is exchanged for one. */
import { signal } from "@preact/signals";

const KEY = "jepanet.token";
const FORM = /^[A-Za-z0-9_-]{43}$/;

export const token = signal<string | null>(null);
/** Why the sign-in is shown, where that needs a word. */
export const refusal = signal<string | null>(null);

export function isToken(text: string): boolean {
  return FORM.test(text);
}

/** The code in a fragment such as `#code=…`, as `jepanet dashboard` prints it; null in any other. */
export function codeIn(fragment: string): string | null {
  return /^#code=([A-Za-z0-9_-]{43})$/.exec(fragment)?.[1] ?? null;
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
  const code = codeIn(location.hash);
  if (code !== null) {
    // Out of the address before anything else: it would stay on the screen and in the history.
    history.replaceState(null, "", location.pathname);
    void exchange(code);
    return;
  }
  const kept = sessionStorage.getItem(KEY);
  if (kept !== null && isToken(kept)) signIn(kept);
}

async function exchange(code: string): Promise<void> {
  let given: { token?: string } = {};
  try {
    const answer = await fetch("/dashboard/enter", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ code }),
      cache: "no-store",
      credentials: "omit",
    });
    if (answer.ok) given = (await answer.json()) as { token?: string };
  } catch {
    signOut("The node does not answer. Run jepanet dashboard once again when it does.");
    return;
  }
  if (given.token !== undefined && isToken(given.token)) signIn(given.token);
  else signOut("This link was used before, or is older than two minutes. Run jepanet dashboard once again.");
}
