/** Lines of the node's log: their fields, with amounts in tokens. */
import { inTokens } from "./amounts";

const AMOUNTS = new Set(["amount", "payout", "paid", "bond", "budget", "fee", "debt"]);
const SMALLEST = /^\d{13,}$/;

/** `name value, name value`. Amounts are cut and not rounded, as everywhere on the page. */
export function said(fields: Readonly<Record<string, string>>): string {
  const told = Object.entries(fields).map(([name, value]) => `${name} ${AMOUNTS.has(name) && SMALLEST.test(value) ? inTokens(value) : within(value)}`);
  return told.join(", ") || "–";
}

/** Within a call: a whole number that can only be an amount of 10**-18 has what it comes to behind it. */
function within(value: string): string {
  return value.replace(/(?<![\w.])\d{16,27}(?![\w.])/g, (digits) => `${digits} (${inTokens(digits)})`);
}
